// A relational database in one file, as the stores need it. Implemented on SQLite by the platform package.

export type SqlValue = string | number | bigint | null | Uint8Array;

export interface Statement<Row> {
  get(...parameters: SqlValue[]): Row | undefined;
  all(...parameters: SqlValue[]): Row[];
  iterate(...parameters: SqlValue[]): IterableIterator<Row>;
  run(...parameters: SqlValue[]): { readonly changes: number };
}

export interface Database {
  readonly path: string;
  /** Prepares once, reuses for ever; keep the result. Integers come back as numbers. */
  statement<Row = Record<string, SqlValue>>(sql: string): Statement<Row>;
  /**
   * Runs `work` inside the next group commit and resolves with its result once that commit is on disk (fsync).
   * Work of one tick shares a transaction; a throw undoes that piece of work alone and rejects its promise.
   * `work` is synchronous and must not call `write` or `writeNow`.
   */
  write<T>(work: () => T): Promise<T>;
  /** As `write`, in a transaction of its own, before returning. For start-up and tests. */
  writeNow<T>(work: () => T): T;
  /** Copies the whole database to a file while it stays in use. */
  backupTo(path: string): Promise<void>;
  /** Finishes queued writes, then closes. */
  close(): Promise<void>;
}

/** One step of a schema; steps run in order, each once, inside a transaction. Never edit a step that has shipped. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

export interface OpenDatabase {
  readonly path: string;
  readonly migrations: readonly Migration[];
  /** `full`: an answered write survives a power cut. `normal`: it survives a crash of the process. */
  readonly durability: 'full' | 'normal';
  /** What is removed or replaced is overwritten in the file. */
  readonly secureDelete?: boolean;
  /** Page cache, KiB. */
  readonly cacheKiB?: number;
}
