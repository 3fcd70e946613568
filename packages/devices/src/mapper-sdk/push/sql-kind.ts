// What one kind of SQL database does and says otherwise than another.
import type { PushDeps, PushedSample } from './target.ts';

export interface SqlConnection {
  run(sql: string, values?: readonly unknown[]): Promise<unknown>;
  drop(): Promise<unknown> | void;
}

export interface SqlKind {
  readonly name: string;
  readonly port: number;
  /** Letters or bytes, of ASCII. */
  readonly longestName: number;
  connect(where: SqlPlace, load: PushDeps['load']): Promise<SqlConnection>;
  quote(name: string): string;
  createTable(quotedName: string): string;
  insert(quotedName: string, samples: readonly PushedSample[]): readonly [sql: string, values: readonly unknown[]];
  /** The database says no to a value, and always will. */
  isRefusal(error: unknown): boolean;
}

export interface SqlPlace {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}
