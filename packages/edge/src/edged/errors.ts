// What can go wrong on the way to a running container, each with the reason that users read in the pod's status.
import { defineErrors } from '@kedge/core/errors';

export const edgedErrors = defineErrors('EDGED', {
  CONFIG: {
    retry: 'backoff',
    say: (d: { container: string; reason: string }) => `container "${d.container}" cannot be configured: ${d.reason}`,
  },
  /** A step on the way to a running container; the cause says what went wrong. */
  STEP: {
    retry: 'backoff',
    say: (d: { reason: string }) => `a container did not get to run (${d.reason})`,
  },
  MOUNT: {
    retry: 'backoff',
    say: (d: { volume: string; reason: string }) => `volume "${d.volume}" cannot be set up: ${d.reason}`,
  },
});
