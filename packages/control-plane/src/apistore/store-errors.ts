// What can go wrong in the object store.
import { defineErrors } from '@kedge/core/errors';

export const apiStoreErrors = defineErrors('APISTORE', {
  COMPACTED: {
    retry: 'never',
    say: (d: { revision: number; oldest: number }) =>
      `revision ${d.revision} is no longer kept (the oldest is ${d.oldest}); list again`,
  },
  ENCRYPTION_CONFIG: {
    retry: 'never',
    say: (d: { reason: string }) => `the encryption configuration cannot be used: ${d.reason}`,
  },
  UNREADABLE: {
    retry: 'never',
    say: (d: { resource: string; name: string; reason: string }) =>
      `${d.resource} "${d.name}" cannot be read from the disk: ${d.reason}; start the server with the keys it was written with`,
  },
  BAD_BACKUP: {
    retry: 'never',
    say: (d: { path: string; reason: string }) => `${d.path} cannot be restored: ${d.reason}`,
  },
});
