// Samples on disk: what waits for edgecore for too long to be trusted to the memory of a process. Its order is the order in
// which samples came; who is sure that one has been delivered, takes it out.
import type { Database, Migration } from '@kedge/core/ports';
import type { ReportedSample } from './sample-line.ts';

export const sampleMigrations: readonly Migration[] = [
  {
    name: 'samples',
    sql: `CREATE TABLE samples (
      id INTEGER PRIMARY KEY,
      device TEXT NOT NULL,
      property TEXT NOT NULL,
      value TEXT NOT NULL,
      observed TEXT NOT NULL,
      type TEXT NOT NULL,
      at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX samples_of_device ON samples (device, id);`,
  },
];

interface KeptSample extends ReportedSample {
  readonly id: number;
}

interface NewSample {
  readonly device: string;
  readonly sample: ReportedSample;
}

interface Row {
  readonly id: number;
  readonly property: string;
  readonly value: string;
  readonly observed: string;
  readonly type: string;
  readonly at: number;
}

/** What a row takes beside its texts, about. */
const rowBytes = 64;
const size = `${rowBytes} + length(device) + length(property) + length(value) + length(observed)`;

export class SampleStore {
  readonly #db: Database;
  #bytes: number;

  constructor(db: Database) {
    this.#db = db;
    this.#bytes = this.#sum('SELECT sum(' + size + ') AS bytes FROM samples');
  }

  /** Of all rows, about; the file is somewhat larger. */
  get bytes(): number {
    return this.#bytes;
  }

  /** In one transaction; returns their ids. What it throws has left nothing behind. */
  add(samples: readonly NewSample[]): number[] {
    const ids = this.#db.writeNow(() => this.#insert(samples));
    this.#count(samples);
    return ids;
  }

  /** What is new, and what has been delivered of each device, in one transaction; returns the ids of the new ones. */
  commit(samples: readonly NewSample[], delivered: ReadonlyMap<string, number>): number[] {
    const { ids, freed } = this.#db.writeNow(() => {
      let bytes = 0;
      for (const [device, upTo] of delivered) bytes += this.#delete(device, upTo);
      return { ids: this.#insert(samples), freed: bytes };
    });
    this.#bytes -= freed;
    this.#count(samples);
    return ids;
  }

  #insert(samples: readonly NewSample[]): number[] {
    const insert = this.#db.statement<{ id: number }>(
      'INSERT INTO samples (device, property, value, observed, type, at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id',
    );
    return samples.map(({ device, sample: { property, value, observedDesired, type, at } }) => {
      return insert.get(device, property, value, observedDesired, type, Math.round(at))!.id;
    });
  }

  #count(samples: readonly NewSample[]): void {
    for (const { device, sample } of samples) {
      const { property, value, observedDesired } = sample;
      this.#bytes += rowBytes + device.length + property.length + value.length + observedDesired.length;
    }
  }

  /** The oldest ones of a device that are newer than `after`. */
  next(device: string, after: number, limit: number): KeptSample[] {
    const rows = this.#db
      .statement<Row>('SELECT * FROM samples WHERE device = ? AND id > ? ORDER BY id LIMIT ?')
      .all(device, after, limit);
    return rows.map(({ id, property, value, observed, type, at }) => {
      return { id, property, value, observedDesired: observed, type, at };
    });
  }

  devices(): readonly { readonly device: string; readonly count: number }[] {
    return this.#db
      .statement<{ device: string; count: number }>('SELECT device, count(*) AS count FROM samples GROUP BY device')
      .all();
  }

  /** All of a device up to this one. */
  remove(device: string, upTo: number): void {
    this.#bytes -= this.#db.writeNow(() => this.#delete(device, upTo));
  }

  /** How many bytes that frees. */
  #delete(device: string, upTo: number): number {
    const where = 'FROM samples WHERE device = ? AND id <= ?';
    const bytes = this.#sum(`SELECT sum(${size}) AS bytes ${where}`, device, upTo);
    this.#db.statement(`DELETE ${where}`).run(device, upTo);
    return bytes;
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  #sum(sql: string, ...parameters: (string | number)[]): number {
    return this.#db.statement<{ bytes: number | null }>(sql).get(...parameters)?.bytes ?? 0;
  }
}
