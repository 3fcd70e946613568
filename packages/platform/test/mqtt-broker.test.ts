// The broker inside the process: both of its ways in pass the contract, and its bounds hold.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createLog, type LogRecord, secret } from '@kedge/core/log';
import type { MqttBroker, MqttBrokerOptions } from '@kedge/core/ports';
import { systemClock } from '@kedge/platform/node';
import { createMqtt } from '@kedge/platform/mqtt';
import { createMqttBrokers } from '@kedge/platform/mqtt-broker';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { describeMqtt, withCode } from '@kedge/testing/contracts';
import { connect as connectRaw } from 'mqtt';

const limits = {
  clients: 20,
  packetBytes: 4_096,
  subscriptionsPerClient: 3,
  queuedPerSession: 5,
  queuedBytes: 10_000,
  queuedFor: 60_000,
  retained: 3,
  retainedBytes: 2_000,
};
const mqtt = createMqtt();

async function start(t: TestContext, options: Partial<MqttBrokerOptions> = {}) {
  const logged: LogRecord[] = [];
  const log = createLog({ now: () => systemClock.now(), level: 'info', write: (record) => logged.push(record) });
  const broker = await createMqttBrokers({ log, now: () => systemClock.now() }).open({
    address: '127.0.0.1',
    port: 0,
    limits,
    ...options,
  });
  t.after(() => broker.close());
  return { broker, logged };
}
const roomy = { ...limits, subscriptionsPerClient: 100, packetBytes: 1 << 20 };
const withUser = (user: { username: string; password: string } | undefined) => ({
  limits: roomy,
  ...(user ? { credentials: { username: user.username, password: secret(user.password) } } : {}),
});

describeMqtt('the broker inside, from within', async (t, { user }) => {
  const { broker } = await start(t, withUser(user));
  return { mqtt: broker, url: broker.url, stop: () => broker.close() };
});

describeMqtt('the broker inside, over the network', async (t, { user }) => {
  const { broker } = await start(t, withUser(user));
  return { mqtt, url: `tcp://127.0.0.1:${broker.port}`, stop: () => broker.close() };
});

async function join(t: TestContext, broker: MqttBroker, clientId: string) {
  const got: string[] = [];
  let more = (): void => undefined;
  const connection = await mqtt.connect({
    url: `tcp://127.0.0.1:${broker.port}`,
    clientId,
    timeoutMs: 5_000,
    async onMessage({ topic, payload }) {
      got.push(`${topic} ${new TextDecoder().decode(payload)}`);
      more();
    },
  });
  t.after(() => connection.close());
  const until = async (last: string): Promise<string[]> => {
    while (got.at(-1) !== last) await new Promise<void>((resolve) => (more = resolve));
    return got;
  };
  return { connection, got, until };
}

describe('the bounds of the broker inside', () => {
  test('a packet over the limit ends its connection, and nobody else’s', async (t) => {
    const { broker } = await start(t);
    const [big, other] = [await join(t, broker, 'big'), await join(t, broker, 'other')];
    await other.connection.subscribe(['a'], 1);
    await assert.rejects(
      big.connection.publish({ topic: 'a', payload: 'x'.repeat(5_000), qos: 1 }),
      withCode('MQTT_CONNECTION_LOST'),
    );
    await other.connection.publish({ topic: 'a', payload: 'still here', qos: 1 });
    assert.deepEqual(await other.until('a still here'), ['a still here']);
  });

  test('one subscription too many is refused, and one given up makes room', async (t) => {
    const { broker } = await start(t);
    const { connection } = await join(t, broker, 'greedy');
    await connection.subscribe(['a', 'b', 'c'], 1);
    await assert.rejects(connection.subscribe(['d'], 1), withCode('MQTT_SUBSCRIPTION_REFUSED'));
    await connection.unsubscribe(['a']);
    await connection.subscribe(['d'], 1);
  });

  test('of too many clients the last are refused', async (t) => {
    const { broker, logged } = await start(t, { limits: { ...limits, clients: 2 } });
    await join(t, broker, 'one');
    await join(t, broker, 'two');
    await assert.rejects(join(t, broker, 'three'), withCode('MQTT_REFUSED'));
    assert.equal(logged.at(-1)?.fields['reason'], 'too many clients are connected');
    // Taking over one's own id takes no place.
    await join(t, broker, 'two');
  });

  test('messages over the bound are passed on, but not retained', async (t) => {
    const { broker } = await start(t);
    const { connection } = await join(t, broker, 'writer');
    for (const topic of ['r/1', 'r/2', 'r/3', 'r/4']) {
      await connection.publish({ topic, payload: 'kept', qos: 1, retain: true });
    }
    await connection.publish({ topic: 'r/1', payload: '', qos: 1, retain: true });
    await connection.publish({ topic: 'r/5', payload: 'kept', qos: 1, retain: true });
    await connection.publish({ topic: 'r/2', payload: 'x'.repeat(2_000), qos: 1, retain: true });
    const reader = await join(t, broker, 'reader');
    await reader.connection.subscribe(['r/#'], 1);
    assert.deepEqual((await reader.until('r/5 kept')).toSorted(), ['r/2 kept', 'r/3 kept', 'r/5 kept']);
  });

  test('a session keeps the newest messages of the time when nobody was there', async (t) => {
    const { broker } = await start(t);
    const session = () =>
      connectRaw({
        port: broker.port,
        host: '127.0.0.1',
        clientId: 'sleeper',
        clean: false,
        protocolVersion: 4,
        reconnectPeriod: 0,
      });
    const first = session();
    await new Promise<void>((resolve) => first.subscribe('n', { qos: 1 }, () => resolve()));
    await first.endAsync();
    const { connection } = await join(t, broker, 'writer');
    for (let n = 0; n < 12; n += 1) await connection.publish({ topic: 'n', payload: String(n), qos: 1 });
    const again = session();
    t.after(() => again.endAsync(true));
    const got: string[] = [];
    await new Promise<void>((resolve) =>
      again.on('message', (_, payload) => {
        got.push(payload.toString());
        if (got.at(-1) === '11') resolve();
      }),
    );
    assert.deepEqual(got, ['7', '8', '9', '10', '11']);
  });

  test('what is not MQTT ends its connection alone', async (t) => {
    const { broker } = await start(t);
    const { connection } = await join(t, broker, 'good');
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\x10\xff\xff\xff\xff', '\x30\x05\x00\x01a']) {
      const { connect } = await import('node:net');
      const socket = connect(broker.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.end(bytes);
      await new Promise<void>((resolve) => socket.on('close', () => resolve()));
    }
    await connection.publish({ topic: 'a', payload: 'b', qos: 1 });
  });
});

describe('the broker inside', () => {
  test('loses nothing when both qualities of service mix, and keeps each in order', async (t) => {
    const { broker } = await start(t, { limits: roomy });
    const [reader, writer] = [await join(t, broker, 'reader'), await join(t, broker, 'writer')];
    await reader.connection.subscribe(['n/+'], 1);
    const numbers = Array.from({ length: 200 }, (_, n) => n);
    await Promise.all(
      numbers.map((n) =>
        writer.connection.publish({
          topic: `n/${n % 2}`,
          payload: String(n),
          qos: n % 2 === 0 ? 1 : 0,
          retain: n % 3 === 0,
        }),
      ),
    );
    await writer.connection.publish({ topic: 'n/last', payload: '', qos: 1 });
    const got = await reader.until('n/last ');
    for (const kind of [0, 1]) {
      assert.deepEqual(
        got.filter((one) => one.startsWith(`n/${kind}`)),
        numbers.filter((n) => n % 2 === kind).map((n) => `n/${kind} ${n}`),
      );
    }
  });

  test('speaks TLS, asks for certificates of its CA, and takes renewed ones of both', async (t) => {
    const authorities = createCertificateAuthorities();
    const [notBefore, notAfter] = [Date.now() - 60_000, Date.now() + 3_600_000];
    const validity = { notBefore, notAfter };
    const authority = await authorities.createAuthority({
      subject: { commonName: 'CA', organizations: [] },
      ...validity,
    });
    const issue = async (usage: 'serverAuth' | 'clientAuth') => {
      const subject = { commonName: 'x', organizations: [] };
      const issued = await authority.issueWithKey({ ...validity, subject, usages: [usage], addresses: ['127.0.0.1'] });
      return { certificate: issued.certificatePem, key: issued.key.reveal() };
    };
    const ca = authority.certificatePem;
    const { broker } = await start(t, { tls: { ...(await issue('serverAuth')), clientCa: ca } });
    const options = {
      url: `ssl://127.0.0.1:${broker.port}`,
      clientId: 'x',
      timeoutMs: 5_000,
      onMessage: async () => undefined,
    };
    const own = await issue('clientAuth');
    const connection = await mqtt.connect({ ...options, tls: { ca, ...own } });
    await connection.subscribe(['a'], 1);
    await connection.close();
    await assert.rejects(mqtt.connect({ ...options, tls: { ca } }));
    broker.renew(await issue('serverAuth'));
    await (await mqtt.connect({ ...options, tls: { ca, ...own } })).close();
    const otherCa = await authorities.createAuthority({
      subject: { commonName: 'other CA', organizations: [] },
      ...validity,
    });
    broker.renew({ ...(await issue('serverAuth')), clientCa: otherCa.certificatePem });
    await assert.rejects(mqtt.connect({ ...options, tls: { ca, ...own } }));
    assert.throws(() => broker.renew({ certificate: 'none', key: 'none' }), withCode('MQTT_BAD_TLS'));
    await assert.rejects(start(t, { tls: { certificate: 'none', key: 'none' } }), withCode('MQTT_BAD_TLS'));
    await assert.rejects(start(t, { port: broker.port }), withCode('MQTT_LISTEN_FAILED'));
  });
});
