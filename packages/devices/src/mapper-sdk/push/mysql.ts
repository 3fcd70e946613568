// MySQL and MariaDB. The table is that of KubeEdge's mappers, which count in seconds; text of all languages fits.
import type { SqlConnection, SqlKind } from './sql-kind.ts';
import { plainTime } from './request.ts';

interface MysqlConnection {
  query(sql: string, values?: readonly unknown[]): Promise<unknown>;
  destroy(): void;
  on(event: 'error', listener: () => void): unknown;
}
interface MysqlModule {
  createConnection(options: Readonly<Record<string, unknown>>): Promise<MysqlConnection>;
}

export const mysql: SqlKind = {
  name: 'mysql',
  port: 3306,
  longestName: 64,
  async connect(place, load): Promise<SqlConnection> {
    const { createConnection } = (await load('mysql2/promise')) as MysqlModule;
    const opened = await createConnection({ ...place, connectTimeout: 5_000, timezone: 'Z' });
    opened.on('error', () => undefined);
    return { run: (sql, values) => opened.query(sql, values), drop: () => opened.destroy() };
  },
  quote: (name) => `\`${name}\``,
  createTable: (table) =>
    `CREATE TABLE IF NOT EXISTS ${table} (id INT AUTO_INCREMENT PRIMARY KEY, ts DATETIME NOT NULL, field TEXT) CHARACTER SET utf8mb4`,
  insert: (table, samples) => [
    `INSERT INTO ${table} (ts, field) VALUES ?`,
    [samples.map(({ at, value }) => [plainTime(at), value])],
  ],
  isRefusal(error) {
    const { sqlState = '', errno } = error as { sqlState?: string; errno?: number };
    // "Incorrect string value" has no class of its own in MySQL.
    return sqlState.startsWith('22') || errno === 1366;
  },
};
