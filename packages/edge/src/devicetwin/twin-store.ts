// Devices as this edge knows them, on disk: the twin of each property, state and conditions, what the cloud still has to
// be told of them, and the samples it is to have without a gap. Call the writing functions inside a transaction.
import type { Database } from '@kedge/core/ports';
import type { DeviceCondition, Sample, Twin } from '@kedge/model/messages';
import type { Wish } from './overlay-desired.ts';

/** What waits for the cloud; of each kind one per device, the newest. */
export type PendingKind = 'twins' | 'state' | 'conditions';

export interface Pending {
  readonly device: string;
  readonly kind: PendingKind;
  readonly seq: number;
  readonly body: string;
}

export interface SampleRun {
  readonly device: string;
  readonly property: string;
  readonly stream: string;
  readonly first: number;
  readonly samples: readonly Sample[];
}

export interface TwinStore {
  twin(device: string, property: string): Twin | undefined;
  /** By property, in the order of their names. */
  twins(device: string): Record<string, Twin>;
  putTwin(device: string, property: string, twin: Twin): void;
  removeTwin(device: string, property: string): void;
  state(device: string): { readonly state: string; readonly lastOnline: string } | undefined;
  putState(device: string, state: string, lastOnline: string): void;
  conditions(device: string): DeviceCondition[];
  putCondition(device: string, condition: DeviceCondition): void;
  /** Devices that may have something for the cloud, the longest waiting first. */
  waiting(): Iterable<string>;
  /** The oldest entry of a device. */
  next(device: string, withConditions: boolean): Pending | undefined;
  /** It has nothing more; or may have something again. */
  rest(device: string): void;
  wait(device: string): void;
  pendingOf(device: string, kind: PendingKind): string | undefined;
  putPending(device: string, kind: PendingKind, body: string): void;
  removePending(seq: number): void;
  /** Begins a stream when there is none. */
  addSample(device: string, property: string, sample: Sample, newStream: () => string): void;
  newestSample(device: string, property: string): Sample | undefined;
  /** Properties with samples that wait. */
  sampled(): { readonly device: string; readonly property: string }[];
  run(device: string, property: string, limit: number): SampleRun | undefined;
  removeSamples(device: string, property: string, upTo: number): void;
  /** Drops the oldest beyond `limit`; how many went, by property. */
  boundSamples(limit: number): { readonly device: string; readonly property: string; readonly dropped: number }[];
  wishes(): { readonly device: string; readonly property: string; readonly value: string; readonly over: string }[];
  putWish(device: string, property: string, wish: Wish): void;
  removeWish(device: string, property: string): void;
  forget(device: string): void;
  devices(): string[];
}

interface SampleRow {
  readonly sequence: number;
  readonly at: number;
  readonly value: string;
}

export function createTwinStore(db: Database): TwinStore {
  const selectTwin = db.statement<{ body: string }>('SELECT body FROM twin WHERE device = ? AND property = ?');
  const selectTwins = db.statement<{ property: string; body: string }>(
    'SELECT property, body FROM twin WHERE device = ? ORDER BY property',
  );
  const removeTwin = db.statement('DELETE FROM twin WHERE device = ? AND property = ?');
  const putTwin = db.statement('INSERT OR REPLACE INTO twin VALUES (?, ?, ?)');
  const selectState = db.statement<{ state: string; lastOnline: string }>(
    'SELECT state, last_online AS lastOnline FROM device_state WHERE device = ?',
  );
  const putState = db.statement('INSERT OR REPLACE INTO device_state VALUES (?, ?, ?)');
  const selectConditions = db.statement<{ body: string }>('SELECT body FROM device_condition WHERE device = ?');
  const putCondition = db.statement('INSERT OR REPLACE INTO device_condition VALUES (?, ?, ?)');
  const selectWaiting = db.statement<{ device: string }>(
    'SELECT device FROM device_report GROUP BY device ORDER BY min(seq)',
  );
  const selectNext = db.statement<Pending>(
    `SELECT device, kind, seq, body FROM device_report WHERE device = ? AND (kind <> 'conditions' OR ?)
     ORDER BY seq LIMIT 1`,
  );
  const selectPendingOf = db.statement<{ body: string }>(
    'SELECT body FROM device_report WHERE device = ? AND kind = ?',
  );
  const putPending = db.statement('INSERT OR REPLACE INTO device_report VALUES (?, ?, ?, ?)');
  const removePending = db.statement('DELETE FROM device_report WHERE seq = ?');
  const newestSeq = db.statement<{ seq: number | null }>('SELECT max(seq) AS seq FROM device_report');
  const selectStream = db.statement<{ stream: string; last: number }>(
    'SELECT stream, last FROM sample_stream WHERE device = ? AND property = ?',
  );
  const putStream = db.statement('INSERT OR REPLACE INTO sample_stream VALUES (?, ?, ?, ?)');
  const insertSample = db.statement(
    'INSERT INTO sample (device, property, sequence, at, value) VALUES (?, ?, ?, ?, ?)',
  );
  const newestSample = db.statement<SampleRow>(
    'SELECT sequence, at, value FROM sample WHERE device = ? AND property = ? ORDER BY sequence DESC LIMIT 1',
  );
  const selectSampled = db.statement<{ device: string; property: string }>(
    'SELECT DISTINCT device, property FROM sample',
  );
  const selectRun = db.statement<SampleRow>(
    'SELECT sequence, at, value FROM sample WHERE device = ? AND property = ? ORDER BY sequence LIMIT ?',
  );
  const removeSamples = db.statement('DELETE FROM sample WHERE device = ? AND property = ? AND sequence <= ?');
  const countSamples = db.statement<{ n: number }>('SELECT count(*) AS n FROM sample');
  const oldestSamples = db.statement<{ device: string; property: string; upTo: number; dropped: number }>(
    `SELECT device, property, max(sequence) AS upTo, count(*) AS dropped
     FROM (SELECT device, property, sequence FROM sample ORDER BY at, sequence LIMIT ?) GROUP BY device, property`,
  );
  const known = db.statement<{ device: string }>(
    `SELECT device FROM twin UNION SELECT device FROM device_state UNION SELECT device FROM device_condition
     UNION SELECT device FROM device_report UNION SELECT device FROM sample_stream
     UNION SELECT device FROM device_wish UNION SELECT device FROM history_series`,
  );
  const tables = [
    'twin',
    'device_state',
    'device_condition',
    'device_report',
    'sample_stream',
    'sample',
    'device_wish',
  ];
  const removals = tables.map((table) => db.statement(`DELETE FROM ${table} WHERE device = ?`));
  const selectWishes = db.statement<{ device: string; property: string; value: string; over: string }>(
    'SELECT device, property, value, over FROM device_wish',
  );
  const putWish = db.statement('INSERT OR REPLACE INTO device_wish VALUES (?, ?, ?, ?)');
  const removeWish = db.statement('DELETE FROM device_wish WHERE device = ? AND property = ?');
  let seq = newestSeq.get()?.seq ?? 0;
  // So that nobody has to go through all rows to find that each of them is under way.
  const waiting = new Set(selectWaiting.all().map(({ device }) => device));

  return {
    twin(device, property) {
      const row = selectTwin.get(device, property);
      return row && (JSON.parse(row.body) as Twin);
    },
    twins: (device) =>
      Object.fromEntries(selectTwins.all(device).map(({ property, body }) => [property, JSON.parse(body) as Twin])),
    removeTwin: (device, property) => void removeTwin.run(device, property),
    putTwin: (device, property, twin) => void putTwin.run(device, property, JSON.stringify(twin)),
    state: (device) => selectState.get(device),
    putState: (device, state, lastOnline) => void putState.run(device, state, lastOnline),
    conditions: (device) => selectConditions.all(device).map(({ body }) => JSON.parse(body) as DeviceCondition),
    putCondition: (device, condition) => void putCondition.run(device, condition.type, JSON.stringify(condition)),
    waiting: () => waiting,
    next: (device, withConditions) => selectNext.get(device, withConditions ? 1 : 0),
    rest: (device) => void waiting.delete(device),
    wait: (device) => void waiting.add(device),
    pendingOf: (device, kind) => selectPendingOf.get(device, kind)?.body,
    putPending(device, kind, body) {
      putPending.run(device, kind, (seq += 1), body);
      waiting.add(device);
    },
    removePending: (of) => void removePending.run(of),
    addSample(device, property, { at, value }, newStream) {
      const { stream, last } = selectStream.get(device, property) ?? { stream: newStream(), last: 0 };
      putStream.run(device, property, stream, last + 1);
      insertSample.run(device, property, last + 1, at, value);
    },
    newestSample(device, property) {
      const row = newestSample.get(device, property);
      return row && { at: row.at, value: row.value };
    },
    sampled: () => selectSampled.all(),
    run(device, property, limit) {
      const of = selectStream.get(device, property);
      const rows = selectRun.all(device, property, limit);
      const first = rows[0]?.sequence;
      if (!of || first === undefined) return undefined;
      // Without a gap: what was dropped in between ends the run.
      const unbroken = rows.filter(({ sequence }, n) => sequence === first + n);
      return { device, property, stream: of.stream, first, samples: unbroken.map(({ at, value }) => ({ at, value })) };
    },
    removeSamples: (device, property, upTo) => void removeSamples.run(device, property, upTo),
    boundSamples(limit) {
      const excess = (countSamples.get()?.n ?? 0) - limit;
      if (excess <= 0) return [];
      const oldest = oldestSamples.all(excess);
      for (const { device, property, upTo } of oldest) removeSamples.run(device, property, upTo);
      return oldest;
    },
    wishes: () => selectWishes.all(),
    putWish: (device, property, { value, over }) => void putWish.run(device, property, value, over),
    removeWish: (device, property) => void removeWish.run(device, property),
    forget: (device) => removals.forEach((removal) => removal.run(device)),
    devices: () => known.all().map(({ device }) => device),
  };
}
