// Why a link to the cloud ended.
import { defineErrors } from '@kedge/core/errors';

export const edgeHubErrors = defineErrors('EDGEHUB', {
  CLOSED: {
    retry: 'backoff',
    say: (d: { code: number; reason: string }) =>
      `the cloud closed the link with code ${d.code}${d.reason ? `: ${d.reason}` : ''}`,
  },
  SILENT: {
    retry: 'backoff',
    say: (d: { ms: number }) =>
      `nothing came from the cloud for ${d.ms / 1_000} s: either it is gone, or it refuses this node ` +
      '(node limit reached, or the certificate is not for this node name) and does not say so',
  },
  STUCK: {
    retry: 'backoff',
    say: (d: { ms: number }) => `the link took no data for ${d.ms / 1_000} s`,
  },
  RENEWED: { retry: 'backoff', say: () => 'the certificate was renewed; dialling again with the new one' },
});
