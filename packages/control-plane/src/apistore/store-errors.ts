// What can go wrong in the object store.
import { defineErrors } from '@kedge/core/errors';

export const apiStoreErrors = defineErrors('APISTORE', {
  COMPACTED: {
    retry: 'never',
    say: (d: { revision: number; oldest: number }) =>
      `revision ${d.revision} is no longer kept (the oldest is ${d.oldest}); list again`,
  },
});
