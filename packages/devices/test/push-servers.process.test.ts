// Push targets against the real databases and a real broker: what arrives there, and that neither a server that goes away or
// hangs, nor a value that one will not have, costs anything else.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, test, type TestContext } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { type Clock, milliseconds } from '@kedge/core/time';
import { createMqtt } from '@kedge/platform/mqtt';
import { createHttpClient, createRandom, systemClock } from '@kedge/platform/node';
import { missing, startInfluxdb, startMariadb, startPostgres, startRedis } from '@kedge/testing/databases';
import { hasMosquitto, startMosquitto } from '@kedge/testing/mosquitto';
import type { OwnServer } from '@kedge/testing/server-process';
import type { DmiPushMethod } from '@kedge/wire/dmi';
import type { PropertySettings } from '../src/mapper-sdk/device-settings.ts';
import { createPushers } from '../src/mapper-sdk/push/index.ts';

const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const load = async (name: string): Promise<unknown> => createRequire(import.meta.url)(name) as unknown;

/** A tenth of what the SDK waits: time-outs and back-off are seconds there. */
const quickClock: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic(),
  sleep: (name, howLong, signal) => systemClock.sleep(name, milliseconds(howLong / 10), signal),
};

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (let n = 0; n < 600; n++) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    await systemClock.sleep('what was pushed', milliseconds(25));
  }
  throw new Error('it has not arrived');
}

/** Undefined until there are as many as wanted. */
const enough = <T>(rows: readonly T[], count: number): readonly T[] | undefined =>
  rows.length >= count ? rows : undefined;

interface Pusher {
  push(value: string, property?: string, device?: string): void;
  outcomes(): Readonly<Record<string, number>>;
}

function pusher(t: TestContext, method: DmiPushMethod, env: Record<string, string> = {}): Pusher {
  const http = createHttpClient({});
  const metrics = createMetrics();
  const pushers = createPushers(
    { http, env, load },
    { clock: quickClock, log: silentLog, metrics, random: createRandom() },
  );
  const stop = new AbortController();
  const running = pushers.run(stop.signal);
  t.after(async () => {
    stop.abort(new Error('the test is over'));
    await running;
    await pushers.close();
    await http.close();
  });
  let n = 0;
  return {
    push(value, name = 'temp', device = 'd-1') {
      const property = { name, type: 'STRING', unit: '', push: method } as PropertySettings;
      const sample = { property: name, value, observedDesired: '', type: 'string', at: at + n++ * 1_000 };
      pushers.push({ namespace: 'default', name: device }, property, sample);
    },
    outcomes: () =>
      Object.fromEntries(
        [...metrics.format().matchAll(/^kedge_mapper_pushed_total\{outcome="(\w+)"\} (\d+)$/gm)].map(
          ([, outcome, count]) => [outcome!, Number(count)],
        ),
      ),
  };
}

/** What every target has to stand: its server is killed, is started again, hangs, goes on. Each value is there once. */
async function standTrouble(server: OwnServer, to: Pusher, read: () => Promise<readonly string[]>): Promise<void> {
  to.push('1');
  await until(async () => enough(await read(), 1));
  await server.stop();
  to.push('2');
  to.push('3');
  await server.start();
  await until(async () => enough(await read(), 3));
  server.hold();
  to.push('4');
  // Longer than a push may take, so that its end is noticed.
  await systemClock.sleep('a push to be given up', milliseconds(1_500));
  server.resume();
  to.push('5');
  assert.deepEqual([...(await until(async () => enough(await read(), 5)))].sort(), ['1', '2', '3', '4', '5']);
}

describe('values in Redis', { skip: missing.redis }, () => {
  interface Client {
    connect(): Promise<unknown>;
    zRangeWithScores(key: string, from: number, to: number): Promise<{ value: string; score: number }[]>;
    set(key: string, value: string): Promise<unknown>;
    destroy(): void;
    on(event: 'error', listener: () => void): unknown;
  }
  async function place(t: TestContext, password?: string) {
    const server = await startRedis(t, password === undefined ? {} : { password });
    const { createClient } = (await load('redis')) as { createClient(options: object): Client };
    const withClient = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
      const client = createClient({
        url: `redis://127.0.0.1:${server.port}/3`,
        socket: { reconnectStrategy: false },
        ...(password && { password }),
      });
      client.on('error', () => undefined);
      try {
        await client.connect();
        return await work(client);
      } finally {
        client.destroy();
      }
    };
    const to = pusher(
      t,
      { dbMethod: { redis: { redisClientConfig: { addr: `127.0.0.1:${server.port}`, db: 3 } } } },
      password === undefined ? {} : { PASSWORD: password },
    );
    return { server, to, withClient, members: (key: string) => withClient((c) => c.zRangeWithScores(key, 0, -1)) };
  }

  test('are a sorted set of their device, by time', async (t) => {
    const { to, members } = await place(t, 'secret');
    to.push('21.5 °C');
    to.push('22', 'other');
    const found = await until(async () => enough(await members('d-1'), 2));
    assert.deepEqual(
      found.map(({ score, value }) => [score, JSON.parse(value).PropertyName, JSON.parse(value).Value]),
      [
        [at, 'temp', '21.5 °C'],
        [at + 1_000, 'other', '22'],
      ],
    );
  });

  test('outlive what happens to the server', async (t) => {
    const { server, to, members } = await place(t);
    let before: string[] = [];
    // This Redis keeps nothing over its end.
    const stop = server.stop.bind(server);
    const values = async () => (await members('d-1')).map(({ value }) => JSON.parse(value).Value as string);
    const mortal = {
      ...server,
      async stop() {
        before = await values();
        await stop();
      },
    };
    await standTrouble(mortal, to, async () => [...before, ...(await values())]);
  });

  test('are not held up by a key that is something else', async (t) => {
    const { to, members, withClient } = await place(t);
    await withClient((client) => client.set('d-2', 'mine'));
    for (const device of ['d-1', 'd-2', 'd-1', 'd-2', 'd-1']) to.push('1', 'temp', device);
    await until(async () => enough(await members('d-1'), 3));
    await until(async () => (to.outcomes()['refused'] === 2 ? true : undefined));
  });
});

/** The two kinds of SQL, through what a test needs of their drivers. */
const databases = [
  {
    name: 'MariaDB',
    skip: missing.mariadb,
    start: startMariadb,
    config: (port: number) => ({ addr: `127.0.0.1:${port}`, database: 'test', userName: 'mapper' }),
    tooMuch: 'x'.repeat(70_000),
    quote: (name: string) => `\`${name}\``,
    async query(port: number, sql: string): Promise<Record<string, unknown>[]> {
      const { createConnection } = (await load('mysql2/promise')) as {
        createConnection(options: object): Promise<{
          query(sql: string): Promise<[Record<string, unknown>[]]>;
          destroy(): void;
        }>;
      };
      const where = { host: '127.0.0.1', port, user: 'mapper', password: 'secret', database: 'test', timezone: 'Z' };
      const connection = await createConnection(where);
      try {
        return (await connection.query(sql))[0];
      } finally {
        connection.destroy();
      }
    },
    tables: 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = database()',
    precision: 1_000,
  },
  {
    name: 'PostgreSQL',
    skip: missing.postgres,
    start: startPostgres,
    config: (port: number) => ({ addr: `postgres://127.0.0.1:${port}`, database: 'postgres', userName: 'mapper' }),
    tooMuch: 'no \0 in text',
    quote: (name: string) => `"${name}"`,
    async query(port: number, sql: string): Promise<Record<string, unknown>[]> {
      const { Client } = (await load('pg')) as {
        Client: new (options: object) => {
          connect(): Promise<void>;
          query(sql: string): Promise<{ rows: Record<string, unknown>[] }>;
          end(): Promise<void>;
        };
      };
      const client = new Client({ host: '127.0.0.1', port, user: 'mapper', password: 'secret', database: 'postgres' });
      await client.connect();
      try {
        return (await client.query(sql)).rows;
      } finally {
        await client.end();
      }
    },
    tables: "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'",
    precision: 1,
  },
];

for (const { name, skip, start, config, tooMuch, quote, query, tables, precision } of databases) {
  describe(`values in ${name}`, { skip }, () => {
    async function place(t: TestContext) {
      const server = await start(t);
      const to = pusher(t, { dbMethod: { mysql: { mysqlClientConfig: config(server.port) } } }, { PASSWORD: 'secret' });
      const rows = (table: string) => query(server.port, `SELECT ts, field FROM ${quote(table)} ORDER BY id`);
      return {
        server,
        to,
        rows,
        values: async (table: string) => (await rows(table)).map((row) => String(row['field'])),
      };
    }

    test('have a table for each property, in the words that came', async (t) => {
      const { server, to, rows } = await place(t);
      const texts = [`it's "21.5" \\ °C`, '温度 🌡', ''];
      for (const text of texts) to.push(text);
      const found = await until(async () => enough(await rows('default/d-1/temp'), 3));
      assert.deepEqual(
        found.map(({ field }) => field),
        texts,
      );
      assert.equal((found[0]!['ts'] as Date).getTime(), Math.floor(at / precision) * precision);
      // Names that the database would cut off are kept apart.
      const long = 'd'.repeat(60);
      to.push('1', 'first-property', long);
      to.push('2', 'second-property', long);
      const [one, two] = await until(async () => {
        const names = (await query(server.port, tables)).map((row) => String(row['name']));
        return enough(
          names.filter((table) => table.startsWith('default/ddd')),
          2,
        );
      });
      const both = [...(await rows(one!)), ...(await rows(two!))].map(({ field }) => field);
      assert.deepEqual(both.sort(), ['1', '2']);
    });

    test('outlive what happens to the server', async (t) => {
      const { server, to, values } = await place(t);
      await standTrouble(server, to, () => values('default/d-1/temp'));
    });

    test('are not held up by one that the database will not have', async (t) => {
      const { to, values } = await place(t);
      for (const value of ['1', tooMuch, '2']) to.push(value);
      to.push('3', 'other');
      await until(async () => enough(await values('default/d-1/other'), 1));
      assert.deepEqual(await values('default/d-1/temp'), ['1', '2']);
      assert.equal(to.outcomes()['refused'], 1);
    });

    test('get their table back when somebody has dropped it', async (t) => {
      const { server, to, values } = await place(t);
      to.push('1');
      await until(async () => enough(await values('default/d-1/temp'), 1));
      await query(server.port, `DROP TABLE ${quote('default/d-1/temp')}`);
      to.push('2');
      await until(async () => enough(await values('default/d-1/temp'), 1));
    });
  });
}

describe('values in InfluxDB', { skip: missing.influxdb }, () => {
  async function place(t: TestContext, data: { tag?: Record<string, string>; fieldKey?: string } = {}) {
    const server = await startInfluxdb(t);
    const ask = async (q: string): Promise<unknown> => {
      const url = `http://127.0.0.1:${server.port}/query?${new URLSearchParams({ db: 'b', epoch: 'ms', q }).toString()}`;
      const signal = AbortSignal.timeout(2_000);
      return ((await (await fetch(url, { method: 'POST', signal })).json()) as { results: unknown[] }).results[0];
    };
    await ask('CREATE DATABASE b');
    const to = pusher(t, {
      dbMethod: {
        influxdb2: {
          influxdb2ClientConfig: { url: `http://127.0.0.1:${server.port}`, org: 'o', bucket: 'b' },
          influxdb2DataConfig: { measurement: 'my room', ...data },
        },
      },
    });
    const rows = async (): Promise<unknown[][]> =>
      ((await ask('SELECT * FROM /.*/')) as { series?: { values: unknown[][] }[] }).series?.flatMap(
        (one) => one.values,
      ) ?? [];
    return { server, to, ask, rows };
  }

  test('are points with their tags, whatever letters those have', async (t) => {
    const tag = { floor: '1,5 = one\\', empty: '', path: 'C:\\a', 'two words': 'ö' };
    const { to, ask, rows } = await place(t, { tag, fieldKey: 'temp' });
    to.push('a "b" \\ c\nd');
    await until(async () => enough(await rows(), 1));
    assert.deepEqual(await ask('SELECT floor, path, "two words", temp FROM "my room"'), {
      statement_id: 0,
      series: [
        {
          name: 'my room',
          columns: ['time', 'floor', 'path', 'two words', 'temp'],
          values: [[at, '1,5 = one', 'C:\\a', 'ö', 'a "b" \\ c\nd']],
        },
      ],
    });
  });

  test('outlive what happens to the server', async (t) => {
    const { server, to, rows } = await place(t, { fieldKey: 'temp' });
    await standTrouble(server, to, async () => (await rows()).map((row) => String(row[1])));
  });

  test('are not held up by a field that is a number already', async (t) => {
    const { server, to, rows } = await place(t);
    const body = `my\\ room number=5 ${at - 1}`;
    await fetch(`http://127.0.0.1:${server.port}/write?db=b&precision=ms`, { method: 'POST', body });
    for (const property of ['temp', 'number', 'temp']) to.push('1', property);
    await until(async () => enough(await rows(), 3));
    await until(async () => (to.outcomes()['refused'] === 1 ? true : undefined));
  });
});

describe('values on a broker', { skip: !hasMosquitto && 'mosquitto is not installed' }, () => {
  test('outlive what happens to it', async (t) => {
    const broker = await startMosquitto(t);
    const heard: string[] = [];
    const listen = async () => {
      const client = await createMqtt().connect({
        url: `tcp://127.0.0.1:${broker.port}`,
        clientId: `listener-${heard.length}`,
        timeoutMs: 5_000,
        onMessage: async ({ payload }) => void heard.push(new TextDecoder().decode(payload)),
      });
      await client.subscribe(['room'], 1);
      return client;
    };
    let listener = await listen();
    t.after(() => listener.close());
    const start = async (): Promise<void> => {
      await broker.start();
      listener = await listen();
    };
    const to = pusher(t, { mqtt: { address: `tcp://127.0.0.1:${broker.port}`, topic: 'room', qos: 1 } });
    // One whose fate is unknown comes twice, which QoS 1 allows.
    await standTrouble({ ...broker, start }, to, async () => [
      ...new Set(heard.map((payload) => payload.replace(/^.*: /, ''))),
    ]);
    assert.match(heard[0]!, /^time is 2026-01-02 03:04:05 {2}room: 1$/);
  });
});
