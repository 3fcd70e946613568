// PostgreSQL: the same table, with times to the millisecond.
import type { SqlConnection, SqlKind } from './sql-kind.ts';

interface PostgresClient {
  connect(): Promise<unknown>;
  query(sql: string, values?: readonly unknown[]): Promise<unknown>;
  end(): Promise<void>;
  on(event: 'error', listener: () => void): unknown;
}
interface PostgresModule {
  Client: new (options: Readonly<Record<string, unknown>>) => PostgresClient;
}

export const postgres: SqlKind = {
  name: 'postgres',
  port: 5432,
  longestName: 63,
  async connect(place, load): Promise<SqlConnection> {
    const { Client } = (await load('pg')) as PostgresModule;
    const client = new Client({ ...place, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    await client.connect();
    return { run: (sql, values) => client.query(sql, values), drop: () => client.end() };
  },
  quote: (name) => `"${name}"`,
  createTable: (table) =>
    `CREATE TABLE IF NOT EXISTS ${table} (id BIGSERIAL PRIMARY KEY, ts TIMESTAMPTZ NOT NULL, field TEXT)`,
  insert: (table, samples) => [
    `INSERT INTO ${table} (ts, field) SELECT * FROM unnest($1::timestamptz[], $2::text[])`,
    [samples.map(({ at }) => new Date(at).toISOString()), samples.map(({ value }) => value)],
  ],
  isRefusal: (error) => String((error as { code?: unknown }).code).startsWith('22'),
};
