// `GET /kedge/backup`: a running server's own backup. Only whoever may read everything is let through to it, and only
// one is made at a time.
import { join } from 'node:path';
import type { KubeApiPaths } from '@kedge/engine/kube-api';
import type { Database } from '@kedge/core/ports';
import { fail } from '@kedge/model/k8s';
import { compress, copyStore, removeStoreFiles } from './backup-archive.ts';

export const backupPath = '/kedge/backup';

export function backupPaths(database: Database, directory: string): KubeApiPaths {
  let isBusy = false;
  return {
    async [backupPath](request, answer) {
      if (request.method !== 'GET') throw fail('MethodNotAllowed', 'only GET is allowed here');
      if (isBusy) {
        throw fail('TooManyRequests', 'another backup is being made; try again when it is done', {
          retryAfterSeconds: 10,
        });
      }
      isBusy = true;
      const copy = join(directory, 'backup-under-way.db');
      try {
        await removeStoreFiles(copy);
        await copyStore(database, directory, copy);
        await answer.chunks('application/gzip', compress(copy));
      } finally {
        await removeStoreFiles(copy);
        isBusy = false;
      }
    },
  };
}
