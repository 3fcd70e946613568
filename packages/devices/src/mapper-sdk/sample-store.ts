// Samples on disk: what waits for edgecore for too long to be trusted to the memory of a process. Its order is the order in
// which samples came; who is sure that one has been delivered, takes it out.
import type { Database, Migration } from '@kedge/core/ports';
import type { ReportedSample } from './report-queue.ts';

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
  add(samples: readonly { readonly device: string; readonly sample: ReportedSample }[]): number[] {
    const insert = this.#db.statement<{ id: number }>(
      'INSERT INTO samples (device, property, value, observed, type, at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id',
    );
    const ids = this.#db.writeNow(() =>
      samples.map(({ device, sample: { property, value, observedDesired, type, at } }) => {
        return insert.get(device, property, value, observedDesired, type, Math.round(at))!.id;
      }),
    );
    for (const { device, sample } of samples) {
      const { property, value, observedDesired } = sample;
      this.#bytes += rowBytes + device.length + property.length + value.length + observedDesired.length;
    }
    return ids;
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
    const where = 'FROM samples WHERE device = ? AND id <= ?';
    this.#db.writeNow(() => {
      this.#bytes -= this.#sum(`SELECT sum(${size}) AS bytes ${where}`, device, upTo);
      this.#db.statement(`DELETE ${where}`).run(device, upTo);
    });
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  #sum(sql: string, ...parameters: (string | number)[]): number {
    return this.#db.statement<{ bytes: number | null }>(sql).get(...parameters)?.bytes ?? 0;
  }
}
