// Every sample of the properties that are marked for it, as edges deliver them: on disk before the edge is told so, each
// sequence number of a stream once, in order. Bounded per property by number and age, and by the number of properties.
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Database, Migration } from '@kedge/core/ports';
import { type Clock, type Duration, minutes } from '@kedge/core/time';
import { fail } from '@kedge/model/k8s';
import type { DeviceName, Sample, Upstream } from '@kedge/model/messages';

type Report = Extract<Upstream, { kind: 'samples.report' }>;

export interface SampleLimits {
  readonly perProperty: number;
  readonly age: Duration;
  /** Properties, with their streams. */
  readonly series: number;
}

export interface SampleStoreDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Opened with `sampleMigrations`. */
  readonly db: Database;
  readonly limits: SampleLimits;
}

/** Where to go on reading: after this sample. */
export interface SampleCursor {
  readonly series: number;
  readonly sequence: number;
}

export interface StoredSample extends Sample {
  readonly stream: string;
  readonly sequence: number;
  readonly cursor: SampleCursor;
}

export interface SampleQuery {
  readonly device: DeviceName;
  readonly property: string;
  /** Unix milliseconds. */
  readonly from?: number | undefined;
  readonly after?: SampleCursor | undefined;
  readonly limit: number;
}

export interface SampleStore {
  /** Resolves when they are on disk. */
  append(report: Report): Promise<void>;
  /** Streams in the order in which they began, their samples by sequence. */
  read(query: SampleQuery): StoredSample[];
  /** Everything, as a file of its own; for a backup. */
  copyTo(path: string): Promise<void>;
  start(scope: Scope): void;
}

export const sampleMigrations: readonly Migration[] = [
  {
    name: '0001 samples',
    sql: `
      CREATE TABLE series (
        id INTEGER PRIMARY KEY AUTOINCREMENT, namespace TEXT NOT NULL, device TEXT NOT NULL, property TEXT NOT NULL,
        stream TEXT NOT NULL, UNIQUE (namespace, device, property, stream)
      );
      CREATE TABLE sample (
        series INTEGER NOT NULL, sequence INTEGER NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (series, sequence)
      ) WITHOUT ROWID;`,
  },
];

const pruneEvery = minutes(1);

export function createSampleStore({ clock, log, db, limits }: SampleStoreDeps): SampleStore {
  const find = db.statement<{ id: number }>(
    'SELECT id FROM series WHERE namespace = ? AND device = ? AND property = ? AND stream = ?',
  );
  const begin = db.statement('INSERT INTO series (namespace, device, property, stream) VALUES (?, ?, ?, ?)');
  const count = db.statement<{ n: number }>('SELECT count(*) AS n FROM series');
  const insert = db.statement('INSERT OR IGNORE INTO sample (series, sequence, at, value) VALUES (?, ?, ?, ?)');
  const ofProperty = db.statement<{ id: number; stream: string }>(
    'SELECT id, stream FROM series WHERE namespace = ? AND device = ? AND property = ? AND id >= ? ORDER BY id',
  );
  const select = db.statement<{ sequence: number; at: number; value: string }>(
    'SELECT sequence, at, value FROM sample WHERE series = ? AND sequence > ? AND at >= ? ORDER BY sequence LIMIT ?',
  );
  const allSeries = db.statement<{ id: number }>('SELECT id FROM series');
  const keepNewest = db.statement(
    'DELETE FROM sample WHERE series = ?1 AND sequence <= (SELECT max(sequence) FROM sample WHERE series = ?1) - ?2',
  );
  const dropOld = db.statement('DELETE FROM sample WHERE series = ? AND at < ?');
  const dropSeries = db.statement(
    'DELETE FROM series WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM sample WHERE series = ?1)',
  );

  function seriesOf({ device: { namespace, name }, property, stream }: Report): number {
    const known = find.get(namespace, name, property, stream);
    if (known) return known.id;
    if (count.get()!.n >= limits.series) {
      // It stays at the edge, and comes again.
      throw fail('TooManyRequests', `samples of ${limits.series} properties are kept already`);
    }
    begin.run(namespace, name, property, stream);
    return find.get(namespace, name, property, stream)!.id;
  }

  async function prune(): Promise<void> {
    const oldest = clock.now() - limits.age;
    for (const { id } of allSeries.all()) {
      await db.write(() => {
        keepNewest.run(id, limits.perProperty);
        dropOld.run(id, oldest);
        dropSeries.run(id);
      });
    }
  }

  return {
    append: (report) =>
      db.write(() => {
        const series = seriesOf(report);
        const { firstSequence, samples } = report;
        samples.forEach(({ at, value }, i) => insert.run(series, firstSequence + i, at, value));
      }),
    read({ device: { namespace, name }, property, from = 0, after, limit }) {
      const found: StoredSample[] = [];
      for (const { id, stream } of ofProperty.all(namespace, name, property, after?.series ?? 0)) {
        const last = after?.series === id ? after.sequence : 0;
        for (const { sequence, at, value } of select.all(id, last, from, limit - found.length)) {
          found.push({ stream, sequence, at, value, cursor: { series: id, sequence } });
        }
        if (found.length >= limit) break;
      }
      return found;
    },
    copyTo: (path) => db.backupTo(path),
    start(scope) {
      scope.defer('samples', () => db.close());
      scope.spawn('samples to be pruned', async (signal) => {
        for (;;) {
          await prune().catch((error: unknown) => log.warn('old samples could not be dropped', { err: error }));
          await clock.sleep('samples to be pruned', pruneEvery, signal);
        }
      });
    },
  };
}
