// What a peer can get wrong on the hub link. Each of these is the peer's fault: whoever reads the link hangs up,
// logs once, and every other node goes on.
import { defineErrors } from '@kedge/core/errors';

export const hubPeerErrors = defineErrors('HUB_PEER', {
  FRAME_TOO_LARGE: {
    retry: 'never',
    say: (d: { bytes: number; limit: number }) =>
      `the peer sent a frame of ${d.bytes} bytes, over the limit of ${d.limit}`,
  },
  BAD_TEXT: { retry: 'never', say: () => 'the peer sent a frame that is not UTF-8 text' },
  BAD_JSON: { retry: 'never', say: () => 'the peer sent a frame that is not one JSON document' },
  TOO_DEEP: {
    retry: 'never',
    say: (d: { limit: number }) => `the peer sent JSON nested deeper than ${d.limit} levels`,
  },
  BAD_ENVELOPE: {
    retry: 'never',
    say: (d: { field: string; expected: string }) =>
      `the peer sent a message whose ${d.field} is not ${d.expected}; see the message format in the protocol document`,
  },
  BAD_CONTENT: {
    retry: 'never',
    say: (d: { operation: string; resource: string; expected: string }) =>
      `the peer sent "${d.operation} ${d.resource}" with content that is not ${d.expected}`,
  },
});
