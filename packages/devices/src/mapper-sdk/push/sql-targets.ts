// SQL: MySQL through the package `mysql2`, TDengine through its own REST interface. Tables are made when they are missing
// and named as mappers of KubeEdge name them.
import type { DmiPushMethod } from '@kedge/wire/dmi';
import { mapperErrors } from '../sdk-errors.ts';
import type { PushDeps, PushTarget } from './target.ts';
import { plainTime, request } from './request.ts';

interface MysqlConnection {
  query(sql: string, values?: readonly unknown[]): Promise<unknown>;
  destroy(): void;
  on(event: 'error', listener: () => void): unknown;
}
interface MysqlModule {
  createConnection(options: Readonly<Record<string, unknown>>): Promise<MysqlConnection>;
}

type Databases = NonNullable<DmiPushMethod['dbMethod']>;
type MysqlConfig = NonNullable<NonNullable<Databases['mysql']>['mysqlClientConfig']>;
type TdengineConfig = NonNullable<NonNullable<Databases['tdengine']>['tdEngineClientConfig']>;

export function mysqlTarget(
  { addr = '', database = '', userName = '' }: MysqlConfig,
  { load, env }: PushDeps,
): PushTarget {
  const [host = '', port = '3306'] = addr.split(':');
  const made = new Set<string>();
  let connection: MysqlConnection | undefined;
  const connect = async (): Promise<MysqlConnection> => {
    const { createConnection } = (await load('mysql2/promise')) as MysqlModule;
    const opened = await createConnection({
      host,
      port: Number(port),
      user: userName,
      password: env['PASSWORD'] ?? '',
      database,
      connectTimeout: 5_000,
      timezone: 'Z',
    });
    opened.on('error', () => undefined);
    return opened;
  };
  return {
    name: `mysql ${addr}/${database}`,
    async push(samples) {
      connection ??= await connect();
      try {
        for (const [table, own] of Map.groupBy(samples, (s) => `${s.namespace}/${s.device}/${s.property}`)) {
          const name = `\`${table.replaceAll('`', '')}\``;
          if (!made.has(table)) {
            await connection.query(
              `CREATE TABLE IF NOT EXISTS ${name} (id INT AUTO_INCREMENT PRIMARY KEY, ts DATETIME NOT NULL, field TEXT)`,
            );
            made.add(table);
          }
          await connection.query(`INSERT INTO ${name} (ts, field) VALUES ?`, [
            own.map(({ at, value }) => [plainTime(at), value]),
          ]);
        }
      } catch (error) {
        connection.destroy();
        connection = undefined;
        throw error;
      }
    },
    async close() {
      connection?.destroy();
    },
  };
}

export function tdengineTarget({ addr = '', dbname = '' }: TdengineConfig, deps: PushDeps): PushTarget {
  const url = `${/^https?:/.test(addr) ? addr : `http://${addr}`}/rest/sql/${encodeURIComponent(dbname)}`;
  const made = new Set<string>();
  async function run(sql: string, signal: AbortSignal): Promise<void> {
    const { USERNAME: user = 'root', PASSWORD: password = '' } = deps.env;
    const text = await request(deps, `tdengine ${addr}`, {
      method: 'POST',
      url,
      headers: { authorization: `Basic ${btoa(`${user}:${password}`)}` },
      body: sql,
      signal,
    });
    const { code = 0, desc = '' } = JSON.parse(text) as { code?: number; desc?: string };
    if (code !== 0) throw mapperErrors.PUSH_FAILED({ target: `tdengine ${addr}`, reason: desc });
  }
  return {
    name: `tdengine ${addr}/${dbname}`,
    async push(samples, signal) {
      for (const { namespace, device, property, value, type, at } of samples) {
        const stable = identifier(`${namespace}/${device}`);
        const table = identifier(`${namespace}/${device}/${property}`);
        if (!made.has(stable)) {
          await run(
            `CREATE STABLE IF NOT EXISTS ${stable} (ts timestamp, deviceid binary(64), propertyname binary(64), data binary(64), type binary(64)) TAGS (location binary(64))`,
            signal,
          );
          made.add(stable);
        }
        const values = [device, property, value.slice(0, 64), type].map(quoted).join(', ');
        await run(`INSERT INTO ${table} USING ${stable} TAGS (${quoted(property)}) VALUES (${at}, ${values})`, signal);
      }
    },
    close: async () => undefined,
  };
}

const identifier = (name: string): string => `\`${name.replace(/[`]/g, '').replaceAll('-', '_')}\``;
const quoted = (text: string): string => `'${text.replace(/['\\]/g, (c) => `\\${c}`)}'`;
