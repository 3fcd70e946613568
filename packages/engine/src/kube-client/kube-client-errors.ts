// What can go wrong on the way to an API server, as opposed to what the server answers (that is a StatusError).
import { defineErrors } from '@kedge/core/errors';

export const kubeClientErrors = defineErrors('KUBE', {
  TIMEOUT: {
    retry: 'backoff',
    say: (d: { method: string; path: string; seconds: number }) =>
      `the API server did not answer ${d.method} ${d.path} within ${d.seconds} s`,
  },
  NOT_JSON: {
    retry: 'backoff',
    say: (d: { method: string; path: string; status: number }) =>
      `the answer to ${d.method} ${d.path} (HTTP ${d.status}) is not a JSON object; is this a Kubernetes API server?`,
  },
  LINE_TOO_LONG: {
    retry: 'backoff',
    say: (d: { limit: number }) => `the API server sent a watch event of more than ${d.limit} bytes`,
  },
  TOO_MANY_PAGES: {
    retry: 'backoff',
    say: (d: { path: string; limit: number }) => `the list ${d.path} did not end after ${d.limit} pages`,
  },
  DISCOVERY_FAILED: {
    retry: 'backoff',
    say: (d: { path: string; status: number }) => `the API server answered HTTP ${d.status} to discovery of ${d.path}`,
  },
  BAD_KUBECONFIG: {
    retry: 'never',
    say: (d: { field: string; problem: string }) => `kubeconfig: ${d.field} ${d.problem}`,
  },
});
