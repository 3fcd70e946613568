// What can go wrong beside what a Status tells.
import { defineErrors } from '@kedge/core/errors';

export const kubeApiErrors = defineErrors('KUBEAPI', {
  CLIENT_STALLED: {
    retry: 'never',
    say: (d: { seconds: number }) => `the client has read nothing for ${d.seconds} s and was cut off`,
  },
});
