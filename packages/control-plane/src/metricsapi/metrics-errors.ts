// Why a node's metrics are missing.
import { defineErrors } from '@kedge/core/errors';

export const metricsErrors = defineErrors('METRICS', {
  NO_ANSWER: {
    retry: 'backoff',
    say: (d: { node: string; ms: number }) => `${d.node} did not send its metrics within ${d.ms} ms`,
  },
  NO_ENDPOINT: {
    retry: 'backoff',
    say: (d: { node: string }) => `${d.node} does not say where its kubelet listens`,
  },
  REFUSED: {
    retry: 'backoff',
    say: (d: { node: string; status: number }) => `${d.node} answered a request for its metrics with HTTP ${d.status}`,
  },
});
