// SQL over a driver that is loaded when the first value is there: MySQL and MariaDB through the package `mysql2`, PostgreSQL
// through `pg`. A property has a table, which is made when it is missing and named as mappers of KubeEdge name it.
import type { DmiPushMethod } from '@kedge/wire/dmi';
import { mapperErrors } from '../sdk-errors.ts';
import { keepConnection } from './kept-connection.ts';
import { mysql } from './mysql.ts';
import { postgres } from './postgres.ts';
import type { SqlConnection, SqlKind, SqlPlace } from './sql-kind.ts';
import type { PushDeps, PushedSample, PushTarget } from './target.ts';

type Databases = NonNullable<DmiPushMethod['dbMethod']>;
type Config = NonNullable<NonNullable<Databases['mysql']>['mysqlClientConfig']>;

/** `addr` is `host:port` of a MySQL, or `postgres://host:port`. */
export function sqlTarget({ addr = '', database = '', userName = '' }: Config, { load, env }: PushDeps): PushTarget {
  const kind: SqlKind = /^postgres(ql)?:\/\//i.test(addr) ? postgres : mysql;
  const { hostname, port } = new URL(`tcp://${addr.replace(/^[a-z]+:\/\//i, '')}`);
  const target = `${kind.name} ${hostname}:${port || kind.port}/${database}`;
  const place: SqlPlace = {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || kind.port),
    user: userName,
    password: env['PASSWORD'] ?? '',
    database,
  };
  const made = new Set<string>();
  const server = keepConnection(
    () => kind.connect(place, load),
    (connection) => connection.drop(),
  );

  async function insertAll(connection: SqlConnection, samples: readonly PushedSample[]): Promise<void> {
    const tables = Map.groupBy(samples, (one) => tableName(one, kind.longestName));
    for (const table of tables.keys()) {
      if (!made.has(table)) await connection.run(kind.createTable(kind.quote(table)));
      made.add(table);
    }
    // All or none: what is sent again must not be there twice.
    await connection.run('START TRANSACTION');
    try {
      for (const [table, own] of tables) await connection.run(...kind.insert(kind.quote(table), own));
      await connection.run('COMMIT');
    } catch (error) {
      if (!kind.isRefusal(error)) throw error;
      await connection.run('ROLLBACK');
      throw mapperErrors.PUSH_REFUSED({ target, reason: error instanceof Error ? error.message : '' }, error);
    }
  }

  return {
    name: target,
    async push(samples, signal) {
      try {
        await server.use(signal, (connection) => insertAll(connection, samples));
      } catch (error) {
        // Somebody may have dropped the tables.
        made.clear();
        throw error;
      }
    },
    close: server.close,
  };
}

/** A name that is too long ends in a number made of all of it. */
function tableName({ namespace, device, property }: PushedSample, longest: number): string {
  const name = `${namespace}/${device}/${property}`.replace(/[`"\0]/g, '');
  if (new TextEncoder().encode(name).length <= longest) return name;
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(name))
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  const start = name.replace(/[^\x20-\x7e]/g, '_').slice(0, longest - 17);
  return `${start}-${hash.toString(16).padStart(16, '0')}`;
}
