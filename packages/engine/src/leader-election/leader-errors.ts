// What can go wrong while leading.
import { defineErrors } from '@kedge/core/errors';

export const leaderErrors = defineErrors('LEADER', {
  RENEW_TIMEOUT: {
    retry: 'backoff',
    say: (d: { lease: string }) => `the lease ${d.lease} was not renewed in time; another process may take it`,
  },
});
