// The last values of each property, for whoever asks at the edge: a ring bounded by age and number, in tables of its own.
// Values gather in memory and are written together, so that the disk sees one write for many; what gathered since the last
// one is lost with the process. What has to reach the cloud does not depend on it.
import { Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Database } from '@kedge/core/ports';
import { type Clock, type Duration, minutes, seconds } from '@kedge/core/time';

export interface HistoryLimits {
  readonly maxAge: Duration;
  readonly perProperty: number;
  /** Of all devices together. */
  readonly total: number;
}

export interface HistoryQuery {
  /** Absent: every property. */
  readonly property?: string | undefined;
  /** Unix milliseconds. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** The newest so many of each property. */
  readonly limit?: number | undefined;
}

export interface HistorySample {
  readonly at: number;
  readonly value: string;
}

export interface History {
  add(device: string, property: string, sample: HistorySample): void;
  /** By property, the oldest first; at most `mostPerQuery` altogether, of each property the newest. */
  query(device: string, query: HistoryQuery): Record<string, HistorySample[]>;
  /** The device is gone. */
  forget(device: string): void;
  /** Writes until aborted, and then what is left. */
  run(signal: AbortSignal): Promise<void>;
}

const gatherFor = seconds(5);
/** So many are written at once, however young. */
const manyGathered = 2_000;
const sweepEvery = minutes(5);
/** Samples of all properties of a device in one answer. */
export const mostPerQuery = 10_000;

interface Gathered extends HistorySample {
  readonly device: string;
  readonly property: string;
}

export function createHistory(
  { db, clock, log }: { readonly db: Database; readonly clock: Clock; readonly log: Log },
  { maxAge, perProperty, total }: HistoryLimits,
): History {
  let statements: ReturnType<typeof prepare> | undefined;
  // An edge without devices prepares nothing.
  const sql = () => (statements ??= prepare(db));
  let gathered: Gathered[] = [];
  /** On their way to the disk. */
  let written: readonly Gathered[] = [];
  /** Samples on disk by series, counted when first needed. */
  let counts: Map<number, number> | undefined;
  let sweptAt = clock.monotonic();
  const full = new Wakeup();
  const begun = new Wakeup();

  function seriesOf(device: string, property: string): number {
    const known = sql().series.get(device, property)?.id;
    if (known !== undefined) return known;
    sql().addSeries.run(device, property);
    return sql().series.get(device, property)!.id;
  }
  const counted = (): Map<number, number> =>
    (counts ??= new Map(
      sql()
        .counts.all()
        .map(({ series, n }) => [series, n]),
    ));
  const removeOldest = (series: number, count: number): void => {
    const { changes } = sql().removeOldest.run(series, series, count);
    counted().set(series, Math.max(0, (counted().get(series) ?? 0) - changes));
  };

  /** Runs inside a transaction. */
  function store(samples: readonly Gathered[]): void {
    // Before anything is added, or what is added would count twice.
    const of = counted();
    for (const { device, property, at, value } of samples) {
      const series = seriesOf(device, property);
      // Two values of one millisecond: the later one counts.
      const { changes } = sql().insert.run(series, at, value);
      if (changes === 0) sql().replace.run(value, series, at);
      of.set(series, (of.get(series) ?? 0) + changes);
      const excess = of.get(series)! - perProperty;
      // A little late, so that not every sample removes one.
      if (excess > perProperty / 20) removeOldest(series, excess);
    }
    let sum = [...of.values()].reduce((a, b) => a + b, 0);
    while (sum > total) {
      const [longest, length] = [...of].reduce((a, b) => (b[1] > a[1] ? b : a));
      const share = Math.min(length, Math.max(sum - total, Math.ceil(length / 10)));
      removeOldest(longest, share);
      sum -= share;
    }
  }

  /** Runs inside a transaction. */
  function sweep(): void {
    const before = clock.now() - maxAge;
    for (const { id } of sql().all.all()) {
      const { changes } = sql().removeBefore.run(id, before);
      if (changes > 0) counted().set(id, (counted().get(id) ?? 0) - changes);
    }
  }

  async function write(): Promise<void> {
    const isDue = clock.monotonic() - sweptAt >= sweepEvery;
    if (gathered.length === 0 && !isDue) return;
    [written, gathered] = [gathered, []];
    if (isDue) sweptAt = clock.monotonic();
    const count = written.length;
    await db
      .write(() => {
        // Without those of devices that went meanwhile.
        store(written);
        written = [];
        if (isDue) sweep();
      })
      .catch((error: unknown) => {
        [counts, written] = [undefined, []];
        log.warn('the history of devices has a gap: it cannot be written', { count, err: error });
      });
  }

  return {
    add(device, property, { at, value }) {
      if (gathered.length === 0) begun.wake();
      gathered.push({ device, property, at, value });
      if (gathered.length >= manyGathered) full.wake();
      // The disk does not take them: the newest are worth more.
      if (gathered.length > 2 * manyGathered) gathered.shift();
    },
    query(device, { property, since = 0, until = Number.MAX_SAFE_INTEGER, limit = mostPerQuery }) {
      const from = Math.max(since, clock.now() - maxAge);
      const isAsked = (name: string): boolean => property === undefined || name === property;
      const recent = [...written, ...gathered].filter(
        (one) => one.device === device && isAsked(one.property) && one.at >= from && one.at <= until,
      );
      const series = sql()
        .seriesOfDevice.all(device)
        .filter(({ name }) => isAsked(name));
      const properties = new Set([...series, ...recent.map((one) => ({ name: one.property }))].map(({ name }) => name));
      // Each has its share of what fits into one answer.
      const share = Math.floor(mostPerQuery / Math.max(1, properties.size));
      const most = Math.max(0, Math.min(limit, share, perProperty));
      const found = new Map<string, HistorySample[]>();
      for (const { id, name } of series) found.set(name, sql().select.all(id, from, until, most).toReversed());
      for (const one of recent) {
        const of = found.get(one.property) ?? [];
        found.set(one.property, of);
        of.push({ at: one.at, value: one.value });
      }
      return Object.fromEntries(
        [...found]
          .map(([name, samples]) => [name, newest(samples, most)] as const)
          .filter(([, samples]) => samples.length > 0),
      );
    },
    forget(device) {
      gathered = gathered.filter((one) => one.device !== device);
      written = written.filter((one) => one.device !== device);
      for (const { id } of sql().seriesOfDevice.all(device)) counts?.delete(id);
      sql().forgetSamples.run(device);
      sql().forgetSeries.run(device);
    },
    async run(signal) {
      while (!signal.aborted) {
        const stop = new AbortController();
        const either = AbortSignal.any([signal, stop.signal]);
        // Nobody reports: nothing to do, and no timer that wakes the machine.
        if (gathered.length === 0) await begun.wait(signal).catch(() => undefined);
        await Promise.race([full.wait(either), clock.sleep('values of devices to gather', gatherFor, either)]).catch(
          () => undefined,
        );
        stop.abort(new Error('enough has gathered'));
        await write();
      }
      await write();
    },
  };
}

const newest = (samples: readonly HistorySample[], most: number): HistorySample[] =>
  samples.toSorted((a, b) => a.at - b.at).slice(Math.max(0, samples.length - most));

function prepare(db: Database) {
  return {
    series: db.statement<{ id: number }>('SELECT id FROM history_series WHERE device = ? AND property = ?'),
    addSeries: db.statement('INSERT INTO history_series (device, property) VALUES (?, ?)'),
    all: db.statement<{ id: number }>('SELECT id FROM history_series'),
    seriesOfDevice: db.statement<{ id: number; name: string }>(
      'SELECT id, property AS name FROM history_series WHERE device = ? ORDER BY property',
    ),
    counts: db.statement<{ series: number; n: number }>('SELECT series, count(*) AS n FROM history GROUP BY series'),
    insert: db.statement('INSERT OR IGNORE INTO history VALUES (?, ?, ?)'),
    replace: db.statement('UPDATE history SET value = ? WHERE series = ? AND at = ?'),
    select: db.statement<HistorySample>(
      'SELECT at, value FROM history WHERE series = ? AND at >= ? AND at <= ? ORDER BY at DESC LIMIT ?',
    ),
    removeOldest: db.statement(
      `DELETE FROM history WHERE series = ? AND at IN
       (SELECT at FROM history WHERE series = ? ORDER BY at LIMIT ?)`,
    ),
    removeBefore: db.statement('DELETE FROM history WHERE series = ? AND at < ?'),
    forgetSamples: db.statement('DELETE FROM history WHERE series IN (SELECT id FROM history_series WHERE device = ?)'),
    forgetSeries: db.statement('DELETE FROM history_series WHERE device = ?'),
  };
}
