// Notices damage of a database while it is in use: a statement that runs into it, or the look at the whole file once in a
// while. What then has to happen, the next start does: it puts the file aside and gets everything again.
import { explain } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import { type Database, databaseErrors, type Statement } from '@kedge/core/ports';
import { type Clock, hours } from '@kedge/core/time';
import { lookAtDatabase } from './look-at-database.ts';

const lookEvery = hours(1);

export interface GuardedDatabase {
  readonly database: Database;
  readonly guard: Module;
}

/** `onDamage` is called once, from within the statement that found it. */
export function guardDatabase(
  database: Database,
  { clock, log, onDamage }: { clock: Clock; log: Log; onDamage: () => void },
): GuardedDatabase {
  let isDamaged = false;

  function found(reason: string): void {
    if (isDamaged) return;
    isDamaged = true;
    log.error('the database is damaged; edgecore starts anew, pods run on', { path: database.path, reason });
    onDamage();
  }

  function watched<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (databaseErrors.CORRUPT.is(error)) found(explain(error));
      throw error;
    }
  }

  function* iterate<Row>(rows: () => IterableIterator<Row>): IterableIterator<Row> {
    const all = watched(rows);
    for (;;) {
      const next = watched(() => all.next());
      if (next.done) return;
      yield next.value;
    }
  }

  const statement = <Row>(sql: string): Statement<Row> => {
    const of = watched(() => database.statement<Row>(sql));
    return {
      get: (...parameters) => watched(() => of.get(...parameters)),
      all: (...parameters) => watched(() => of.all(...parameters)),
      run: (...parameters) => watched(() => of.run(...parameters)),
      iterate: (...parameters) => iterate(() => of.iterate(...parameters)),
    };
  };

  return {
    database: {
      path: database.path,
      statement,
      async write(work) {
        try {
          return await database.write(work);
        } catch (error) {
          if (databaseErrors.CORRUPT.is(error)) found(explain(error));
          throw error;
        }
      },
      writeNow: (work) => watched(() => database.writeNow(work)),
      backupTo: (path) => database.backupTo(path),
      close: () => database.close(),
    },
    guard: {
      name: 'database-guard',
      async start(scope) {
        scope.spawn('database guard', async (signal) => {
          while (!signal.aborted) {
            await clock.sleep('look at the database', lookEvery, signal).catch(() => undefined);
            if (signal.aborted) return;
            try {
              const said = await lookAtDatabase({ statement }, clock, signal);
              if (said !== undefined) found(said);
            } catch (error) {
              if (signal.aborted) return;
              // Damage was told of by the statement; anything else is tried again.
              log.debug('the database could not be looked at', { reason: explain(error) });
            }
          }
        });
      },
    },
  };
}
