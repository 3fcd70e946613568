// The Database port on node:sqlite: one file, one process, write-ahead log, group commit.
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync, type StatementSync } from 'node:sqlite';
import { type Database, databaseErrors, type OpenDatabase, type SqlValue, type Statement } from '@kedge/core/ports';
import { createGroupCommit } from './group-commit.ts';
import { migrate } from './migrate.ts';
import { toDatabaseError } from './sqlite-error.ts';

const inMemory = ':memory:';

/** How long another process may take to let go of the file, for instance one that is just being restarted. */
const lockWaitMs = 250;

/**
 * Opens or creates the file, checks it, and brings its schema up to date. The file stays locked for every other
 * process until `close`, or until this process ends in whatever way. `:memory:` is a database that is never on disk.
 */
export function openDatabase(options: OpenDatabase): Database {
  const { path } = options;
  try {
    return toPort(options, openFile(options));
  } catch (error) {
    throw toDatabaseError(path, error);
  }
}

function openFile({ path, migrations, durability, secureDelete, cacheKiB = 1_024 }: OpenDatabase): DatabaseSync {
  makeDirectory(path);
  const db = new DatabaseSync(path, { timeout: lockWaitMs, enableForeignKeyConstraints: true });
  try {
    // Exclusive before the first access: the log's index then lives in our memory and the lock is ours to the end.
    db.exec(`
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'};
      PRAGMA cache_size = -${cacheKiB};
      PRAGMA temp_store = MEMORY;
      PRAGMA journal_size_limit = 4194304;
      PRAGMA secure_delete = ${secureDelete ? 'ON' : 'OFF'};
    `);
    checkIntegrity(db, path);
    migrate(db, path, migrations);
    // It holds Secrets.
    if (path !== inMemory) chmodSync(path, 0o600);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function makeDirectory(path: string): void {
  if (path === inMemory) return;
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw databaseErrors.CANNOT_OPEN({ path, reason: error instanceof Error ? error.message : String(error) }, error);
  }
}

function checkIntegrity(db: DatabaseSync, path: string): void {
  const { quick_check: finding } = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
  if (finding !== 'ok') throw databaseErrors.CORRUPT({ path, reason: finding });
}

function toPort({ path }: OpenDatabase, db: DatabaseSync): Database {
  const toError = (error: unknown): Error => toDatabaseError(path, error);
  const statements = new Map<string, Statement<unknown>>();
  const commits = createGroupCommit(db, toError);
  const refuseClosed = (): void => {
    if (!db.isOpen) throw databaseErrors.CLOSED({ path });
  };

  return {
    path,
    statement<Row>(sql: string): Statement<Row> {
      refuseClosed();
      let known = statements.get(sql);
      if (!known) {
        known = toStatement(prepare(db, sql, toError), toError);
        statements.set(sql, known);
      }
      return known as Statement<Row>;
    },
    async write(work) {
      refuseClosed();
      return commits.add(work);
    },
    writeNow(work) {
      refuseClosed();
      return commits.now(work);
    },
    async backupTo(to) {
      refuseClosed();
      try {
        await backup(db, to);
      } catch (error) {
        throw toError(error);
      }
    },
    async close() {
      if (!db.isOpen) return;
      commits.flush();
      statements.clear();
      db.close();
    },
  };
}

function prepare(db: DatabaseSync, sql: string, toError: (error: unknown) => Error): StatementSync {
  try {
    return db.prepare(sql);
  } catch (error) {
    throw toError(error);
  }
}

function toStatement<Row>(prepared: StatementSync, toError: (error: unknown) => Error): Statement<Row> {
  const typed = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw toError(error);
    }
  };
  return {
    get: (...parameters: SqlValue[]) => typed(() => prepared.get(...parameters) as Row | undefined),
    all: (...parameters: SqlValue[]) => typed(() => prepared.all(...parameters) as Row[]),
    *iterate(...parameters: SqlValue[]) {
      const rows = typed(() => prepared.iterate(...parameters));
      for (;;) {
        const { done, value } = typed(() => rows.next());
        if (done) return;
        yield value as Row;
      }
    },
    run: (...parameters: SqlValue[]) => typed(() => ({ changes: Number(prepared.run(...parameters).changes) })),
  };
}
