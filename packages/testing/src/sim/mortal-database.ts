// A database as one process has it open: what it has committed stays on the disk when the process dies.
import type { Database } from '@kedge/core/ports';
import type { Life } from './life.ts';

/** Closing it leaves `disk` open, for the next process. */
export function mortalDatabase(life: Life, disk: Database): Database {
  return {
    path: disk.path,
    statement<Row>(sql: string) {
      life.check();
      return disk.statement<Row>(sql);
    },
    write: (work) => life.write(() => disk.write(work)),
    writeNow(work) {
      life.check();
      return disk.writeNow(work);
    },
    backupTo: (path) => life.write(() => disk.backupTo(path)),
    close: async () => undefined,
  };
}
