// Why an edge gets no certificate, and why a cloud cannot give any.
import { defineErrors } from '@kedge/core/errors';

export const identityErrors = defineErrors('IDENTITY', {
  BAD_TOKEN: {
    retry: 'never',
    say: (d: { reason: string }) =>
      `the join token is not valid: ${d.reason}; take a fresh one from Secret kubeedge/tokensecret`,
  },
  WRONG_CERTIFICATE: {
    retry: 'never',
    say: (d: { subject: string; node: string }) =>
      `a certificate of "${d.subject}" cannot renew the one of "${d.node}"`,
  },
  WRONG_SUBJECT: {
    retry: 'never',
    say: (d: { subject: string; node: string }) =>
      `the request is for "${d.subject}" but node "${d.node}" may only have "system:node:${d.node}"`,
  },
  WRONG_NAMES: {
    retry: 'never',
    say: (d: { node: string; names: readonly string[] }) =>
      `node "${d.node}" asks for a serving certificate for ${d.names.join(', ')}, which could pass for the cloud's`,
  },
  BAD_REQUEST: { retry: 'never', say: (d: { reason: string }) => `the certificate request is not valid: ${d.reason}` },
  BAD_STATE: {
    retry: 'never',
    say: (d: { secret: string; reason: string }) =>
      `Secret kubeedge/${d.secret} cannot be used: ${d.reason}; restore it, or delete it to have every edge join anew`,
  },
});
