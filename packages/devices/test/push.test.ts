// Push targets against servers on loopback: what they are sent, and that a target that is down loses nothing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { FakeClock } from '@kedge/core/testing';
import { type Clock, milliseconds, seconds } from '@kedge/core/time';
import { createHttpClient, createRandom, systemClock } from '@kedge/platform/node';
import type { DmiPushMethod } from '@kedge/wire/dmi';
import { Aedes } from 'aedes';
import { createServer as createMysqlServer } from 'mysql2';
import type { PropertySettings } from '../src/mapper-sdk/device-settings.ts';
import { createPushers } from '../src/mapper-sdk/push/index.ts';

const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

async function portOf(server: { listen(port: number, host: string): unknown; address(): unknown }): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server as never, 'listening');
  return (server.address() as AddressInfo).port;
}

interface Received {
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Answers with the statuses in turn, the last one for ever. */
async function httpSink(t: TestContext, ...statuses: number[]) {
  const received: Received[] = [];
  const server: Server = createHttpServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const status = statuses.length > 1 ? statuses.shift()! : (statuses[0] ?? 200);
      if (status < 300) received.push({ url: request.url ?? '', headers: request.headers, body });
      response.writeHead(status).end('{}');
    });
  });
  const port = await portOf(server);
  t.after(() => server.close());
  return { port, received };
}

async function until(isSo: () => boolean): Promise<void> {
  for (let n = 0; n < 1_000 && !isSo(); n++) await systemClock.sleep('a push', milliseconds(5));
  assert.ok(isSo());
}

function push(
  t: TestContext,
  method: DmiPushMethod,
  values: readonly string[],
  env: Record<string, string> = {},
  clock: Clock = systemClock,
) {
  const http = createHttpClient({});
  const pushers = createPushers(
    { http, env, load: (name) => import(name) },
    { clock, log: silentLog, metrics: createMetrics(), random: createRandom() },
  );
  const stop = new AbortController();
  const running = pushers.run(stop.signal);
  t.after(async () => {
    stop.abort(new Error('the test is over'));
    await running;
    await pushers.close();
    await http.close();
  });
  const property = { name: 'temp', type: 'FLOAT', unit: 'Celsius', push: method } as PropertySettings;
  values.forEach((value, n) =>
    pushers.push({ namespace: 'default', name: 'd-1' }, property, {
      property: 'temp',
      value,
      observedDesired: '',
      type: 'float',
      at: at + n,
    }),
  );
}

describe('values are pushed', () => {
  test('over HTTP as forms, once more when the target was down', async (t) => {
    const { port, received } = await httpSink(t, 503, 200);
    push(t, { http: { hostname: 'http://127.0.0.1', port: BigInt(port), requestpath: '/in' } }, ['21.5']);
    await until(() => received.length === 1);
    assert.equal(received[0]!.url, '/in');
    assert.equal(received[0]!.body, 'temp=21.5&time=2026-01-02%2003%3A04%3A05');
  });

  test('without those that the target will never take, and no other is held up or comes twice', async (t) => {
    const bodies: string[] = [];
    const server = createHttpServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        const isBad = /temp="(?:bad|worse)"/.test(body);
        if (!isBad) bodies.push(body);
        response.writeHead(isBad ? 400 : 204).end();
      });
    });
    const port = await portOf(server);
    t.after(() => server.close());
    const influxdb2 = {
      influxdb2ClientConfig: { url: `http://127.0.0.1:${port}`, org: 'o', bucket: 'b' },
      influxdb2DataConfig: { measurement: 'room', fieldKey: 'temp' },
    };
    push(t, { dbMethod: { influxdb2 } }, ['1', 'bad', '2', 'worse', '3']);
    await until(() => bodies.length === 3);
    assert.deepEqual(
      bodies.map((body) => /temp="(\d)"/.exec(body)?.[1]),
      ['1', '2', '3'],
    );
  });

  test('again after a target has hung for longer than it may', async (t) => {
    const received: string[] = [];
    let isHanging = true;
    const asked = Promise.withResolvers<void>();
    const server = createHttpServer((request, response) => {
      request.resume();
      asked.resolve();
      if (isHanging) return;
      received.push(request.url ?? '');
      response.end();
    });
    const port = await portOf(server);
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
    push(t, { http: { hostname: 'http://127.0.0.1', port: BigInt(port), requestpath: '/in' } }, ['21.5'], {}, clock);
    await asked.promise;
    await clock.advance(seconds(10));
    isHanging = false;
    await clock.advance(seconds(3));
    await until(() => received.length === 1);
  });

  test('to InfluxDB in line protocol, with the token', async (t) => {
    const { port, received } = await httpSink(t);
    const influxdb2 = {
      influxdb2ClientConfig: { url: `http://127.0.0.1:${port}`, org: 'o', bucket: 'b' },
      influxdb2DataConfig: { measurement: 'my room', tag: { floor: '1,5' }, fieldKey: 'temp' },
    };
    push(t, { dbMethod: { influxdb2 } }, ['21.5', 'a "b"'], { TOKEN: 'secret' });
    await until(() => received.length > 0);
    assert.equal(received[0]!.url, '/api/v2/write?org=o&bucket=b&precision=ms');
    assert.equal(received[0]!.headers['authorization'], 'Token secret');
    assert.deepEqual(received[0]!.body.split('\n'), [
      `my\\ room,floor=1\\,5 temp="21.5" ${at}`,
      `my\\ room,floor=1\\,5 temp="a \\"b\\"" ${at + 1}`,
    ]);
  });

  test('to an OpenTelemetry collector as gauges', async (t) => {
    const { port, received } = await httpSink(t);
    push(t, { otel: { endpointURL: `http://127.0.0.1:${port}` } }, ['21.5', '3']);
    await until(() => received.length > 0);
    assert.equal(received[0]!.url, '/v1/metrics');
    const [resource] = JSON.parse(received[0]!.body).resourceMetrics;
    assert.deepEqual(resource.resource.attributes, [{ key: 'device.id', value: { stringValue: 'default/d-1' } }]);
    assert.deepEqual(resource.scopeMetrics[0].metrics, [
      {
        name: 'temp',
        unit: 'Celsius',
        gauge: {
          dataPoints: [
            { timeUnixNano: `${at}000000`, asDouble: 21.5 },
            { timeUnixNano: `${at + 1}000000`, asInt: '3' },
          ],
        },
      },
    ]);
  });

  test('to TDengine in SQL, the table first', async (t) => {
    const { port, received } = await httpSink(t);
    push(t, { dbMethod: { tdengine: { tdEngineClientConfig: { addr: `127.0.0.1:${port}`, dbname: 'db' } } } }, [
      "it's",
    ]);
    await until(() => received.length === 2);
    assert.match(received[0]!.body, /^CREATE STABLE IF NOT EXISTS `default\/d_1`/);
    assert.match(
      received[1]!.body,
      /^INSERT INTO `default\/d_1\/temp` USING .* VALUES \(\d+, 'd-1', 'temp', 'it\\'s', 'float'\)$/,
    );
  });

  test('over MQTT, on one connection', async (t) => {
    const broker = await Aedes.createBroker();
    const server = createNetServer((socket) => broker.handle(socket));
    const port = await portOf(server);
    let clients = 0;
    broker.on('client', () => (clients += 1));
    const published: string[] = [];
    broker.on('publish', ({ topic, payload }) => {
      if (!topic.startsWith('$')) published.push(`${topic} ${payload.toString()}`);
    });
    t.after(() => {
      server.close();
      broker.close();
    });
    push(t, { mqtt: { address: `tcp://127.0.0.1:${port}`, topic: 'room', qos: 1 } }, ['21.5', '22']);
    await until(() => published.length === 2);
    assert.deepEqual(published, [
      'room time is 2026-01-02 03:04:05  room: 21.5',
      'room time is 2026-01-02 03:04:05  room: 22',
    ]);
    assert.equal(clients, 1);
  });

  test('to MySQL, through the driver that is installed', async (t) => {
    const queries: string[] = [];
    const server = createMysqlServer((connection) => {
      connection.serverHandshake({
        protocolVersion: 10,
        serverVersion: '8.0.0',
        connectionId: 1,
        statusFlags: 2,
        characterSet: 8,
        capabilityFlags: 0xffffff & ~0x800,
      } as never);
      connection.on('query', (sql: string) => {
        queries.push(sql);
        (connection as unknown as { writeOk(): void }).writeOk();
      });
      connection.on('error', () => undefined);
    });
    const listener = (server as unknown as { _server: Server })._server;
    const port = await portOf(listener);
    t.after(() => listener.close());
    push(
      t,
      { dbMethod: { mysql: { mysqlClientConfig: { addr: `127.0.0.1:${port}`, database: 'db', userName: 'u' } } } },
      ["it's"],
    );
    await until(() => queries.length === 4);
    assert.match(queries[0]!, /^CREATE TABLE IF NOT EXISTS `default\/d-1\/temp`/);
    assert.deepEqual([queries[1], queries[3]], ['START TRANSACTION', 'COMMIT']);
    assert.equal(queries[2], "INSERT INTO `default/d-1/temp` (ts, field) VALUES ('2026-01-02 03:04:05', 'it\\'s')");
  });

  test('to Redis, as a sorted set for each device', async (t) => {
    const commands: string[][] = [];
    const server = createNetServer((socket) => {
      let pending = '';
      socket.on('error', () => undefined);
      socket.setEncoding('utf8').on('data', (text: string) => {
        pending += text;
        for (let command = takeCommand(); command; command = takeCommand()) {
          commands.push(command);
          const name = command[0]!.toUpperCase();
          socket.write(name === 'HELLO' ? '%1\r\n+proto\r\n:3\r\n' : name === 'ZADD' ? ':1\r\n' : '+OK\r\n');
        }
      });
      const takeCommand = (): string[] | undefined => {
        const lines = pending.split('\r\n');
        const count = Number(lines[0]?.slice(1));
        if (!pending.startsWith('*') || lines.length < 2 + 2 * count) return undefined;
        pending = lines.slice(1 + 2 * count).join('\r\n');
        return lines.slice(1, 1 + 2 * count).filter((_, n) => n % 2 === 1);
      };
    });
    const port = await portOf(server);
    t.after(() => server.close());
    push(t, { dbMethod: { redis: { redisClientConfig: { addr: `127.0.0.1:${port}` } } } }, ['21.5']);
    const added = () => commands.find(([name]) => name === 'ZADD');
    await until(() => added() !== undefined);
    const [, key, score, member = ''] = added()!;
    assert.deepEqual([key, score], ['d-1', String(at)]);
    assert.deepEqual(JSON.parse(member), {
      DeviceName: 'd-1',
      PropertyName: 'temp',
      Namespace: 'default',
      Value: '21.5',
      Type: 'float',
      TimeStamp: at,
    });
  });
});
