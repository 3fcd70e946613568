// Why an edge has no certificate, and what its operator can do about it.
import { defineErrors } from '@kedge/core/errors';

const getToken =
  'get a new one in the cloud (`keadm gettoken`, or Secret kubeedge/tokensecret) and set modules.edgeHub.token';

export const edgeIdentityErrors = defineErrors('EDGE_IDENTITY', {
  NO_TOKEN: {
    retry: 'never',
    say: (d: { node: string; path: string; why: string }) =>
      `node "${d.node}" has no usable certificate (${d.path}: ${d.why}) and no join token to ask for one: ${getToken}`,
  },
  BAD_TOKEN: {
    retry: 'never',
    say: (d: { reason: string }) => `the join token cannot be used, ${d.reason}: ${getToken}`,
  },
  WRONG_CA: {
    retry: 'never',
    say: (d: { url: string; expected: string; found: string }) =>
      `${d.url} has a CA with the SHA-256 ${d.found}, but the join token is for ${d.expected}: either modules.edgeHub.httpServer ` +
      `is not the cloud that the token is from, or somebody is in between; check the address, or ${getToken}`,
  },
  REFUSED: {
    retry: 'never',
    say: (d: { node: string; url: string; status: number; say: string }) =>
      `${d.url} gave node "${d.node}" no certificate (HTTP ${d.status}: ${d.say || 'no reason'}); if its join token is too old, ${getToken}`,
  },
  UNAVAILABLE: {
    retry: 'backoff',
    say: (d: { url: string; reason: string }) => `${d.url} cannot be asked for a certificate just now: ${d.reason}`,
  },
  WRONG_CERTIFICATE: {
    retry: 'never',
    say: (d: { url: string; reason: string }) => `${d.url} answered with a certificate that is of no use: ${d.reason}`,
  },
  NONE_YET: { retry: 'backoff', say: () => 'this node has no certificate yet' },
});
