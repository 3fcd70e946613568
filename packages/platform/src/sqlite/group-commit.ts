// Group commit: what is asked for in one tick shares one transaction and one fsync, and each piece of work stands or
// falls alone inside it. Promises resolve only after the commit, that is once the data is as durable as promised.
import type { DatabaseSync } from 'node:sqlite';

interface Piece {
  readonly work: () => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/** One transaction takes at most this many pieces, so that a flood cannot hold up the event loop. */
const largestGroup = 512;

export interface GroupCommit {
  add<T>(work: () => T): Promise<T>;
  /** Commits what is waiting, then `work` in a transaction of its own. */
  now<T>(work: () => T): T;
  /** Commits what is waiting. */
  flush(): void;
}

export function createGroupCommit(db: DatabaseSync, toError: (error: unknown) => Error): GroupCommit {
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const rollback = db.prepare('ROLLBACK');
  const savepoint = db.prepare('SAVEPOINT piece');
  const release = db.prepare('RELEASE piece');
  const undo = db.prepare('ROLLBACK TO piece');
  const waiting: Piece[] = [];
  let scheduled = false;
  let inWork = false;

  function run(work: () => unknown): unknown {
    inWork = true;
    try {
      return work();
    } finally {
      inWork = false;
    }
  }

  /** Throws only when the whole transaction is lost. */
  function runPiece({ work, resolve, reject }: Piece): () => void {
    savepoint.run();
    try {
      const result = run(work) as never;
      release.run();
      return () => resolve(result);
    } catch (error) {
      // A full disk makes SQLite give up the transaction, not only this piece.
      if (!db.isTransaction) throw error;
      undo.run();
      release.run();
      return () => reject(toError(error));
    }
  }

  function transaction<T>(work: () => T): T {
    begin.run();
    try {
      const result = work();
      commit.run();
      return result;
    } catch (error) {
      if (db.isTransaction) rollback.run();
      throw error;
    }
  }

  function commitGroup(group: readonly Piece[]): void {
    try {
      for (const answer of transaction(() => group.map(runPiece))) answer();
    } catch (error) {
      const failure = toError(error);
      for (const { reject } of group) reject(failure);
    }
  }

  function tick(): void {
    scheduled = false;
    commitGroup(waiting.splice(0, largestGroup));
    if (waiting.length > 0) schedule();
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(tick);
  }

  function refuseNesting(): void {
    if (inWork) throw new Error('work inside a write must not start another write');
  }

  function flush(): void {
    while (waiting.length > 0) commitGroup(waiting.splice(0, largestGroup));
  }

  return {
    add(work) {
      refuseNesting();
      return new Promise((resolve, reject) => {
        waiting.push({ work, resolve, reject });
        schedule();
      });
    },
    now(work) {
      refuseNesting();
      flush();
      try {
        return transaction(() => run(work)) as ReturnType<typeof work>;
      } catch (error) {
        throw toError(error);
      }
    },
    flush,
  };
}
