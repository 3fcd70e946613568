// What can go wrong on the cloud's end of a link.
import { defineErrors } from '@kedge/core/errors';

export const cloudHubErrors = defineErrors('CLOUDHUB', {
  SILENT: {
    retry: 'backoff',
    say: (d: { node: string; seconds: number }) => `node "${d.node}" sent no keepalive for ${d.seconds} s`,
  },
  STUCK: {
    retry: 'backoff',
    say: (d: { node: string; seconds: number }) => `node "${d.node}" did not take a message within ${d.seconds} s`,
  },
  PROTOCOL: {
    retry: 'backoff',
    say: (d: { node: string; reason: string }) => `node "${d.node}" broke the WebSocket protocol: ${d.reason}`,
  },
  FLOOD: {
    retry: 'backoff',
    say: (d: { node: string; limit: number }) =>
      `node "${d.node}" went on asking after it was told ${d.limit} times to come again later`,
  },
  REPLACED: { retry: 'never', say: (d: { node: string }) => `node "${d.node}" opened a newer link` },
  NODE_DELETED: { retry: 'never', say: (d: { node: string }) => `Node "${d.node}" was deleted` },
});
