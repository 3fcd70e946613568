// Looks at a whole database for damage while it is in use, in pieces: other work is held up by one piece at a time. SQLite's own
// check cannot be cut, and takes half a second for 100 MB in memory, and much longer from an SD card.
import type { Database, SqlValue } from '@kedge/core/ports';
import { type Clock, milliseconds } from '@kedge/core/time';

/** So many rows are one piece: some 10 ms. */
const pieceRows = 5_000;
const pause = milliseconds(20);

type Row = Record<string, SqlValue>;

/** Resolves with what is wrong; undefined: nothing is. Rejects with DATABASE_CORRUPT where a statement runs into it, and on abort. */
export async function lookAtDatabase(
  database: Pick<Database, 'statement'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  // What is in memory is well: the file is what is asked about.
  database.statement('PRAGMA shrink_memory').all();
  const tables = database.statement<{ name: string; wr: number }>(
    "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'",
  );
  const check = database.statement<{ said: string }>('SELECT quick_check AS said FROM pragma_quick_check(?) LIMIT 1');
  const breathe = (): Promise<void> => clock.sleep('the rest of the look at the database', pause, signal);

  for (const { name, wr: isWithoutRowid } of tables.all()) {
    const isLarge = database.statement(`SELECT 1 FROM ${quoted(name)} LIMIT 1 OFFSET ${pieceRows}`).get() !== undefined;
    if (isLarge) await walk(name, isWithoutRowid === 1);
    else {
      const said = check.get(name)?.said;
      if (said !== undefined && said !== 'ok') return said;
    }
    await breathe();
  }
  return undefined;

  /** Row by row by its key, so that it can go on where it was. */
  async function walk(table: string, isWithoutRowid: boolean): Promise<void> {
    const primary = database.statement<{ name: string }>(
      'SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk',
    );
    const keys = isWithoutRowid ? primary.all(table).map((one) => quoted(one.name)) : ['rowid'];
    const key = keys.join(', ');
    const select = `SELECT ${keys.map((one, n) => `${one} AS k${n}`).join(', ')} FROM ${quoted(table)}`;
    const tail = `ORDER BY ${key} LIMIT 1 OFFSET ${pieceRows - 1}`;
    const next = database.statement<Row>(`${select} WHERE (${key}) > (${keys.map(() => '?').join(', ')}) ${tail}`);
    for (let last = database.statement<Row>(`${select} ${tail}`).get(); last; last = next.get(...Object.values(last))) {
      await breathe();
    }
  }
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
