// The broker inside and what it has on disk: what was accepted is there after edgecore was killed, once, in order and within bounds.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createLog, type LogRecord } from '@kedge/core/log';
import type { MqttBrokerLimits, MqttBrokerMemory } from '@kedge/core/ports';
import { edgeMigrations } from '@kedge/edge/metamanager';
import { systemClock } from '@kedge/platform/node';
import { createMqttBrokers } from '@kedge/platform/mqtt-broker';
import { openDatabase } from '@kedge/platform/sqlite';
import { temporaryDirectory } from '@kedge/testing/contracts';
import { connect, type MqttClient } from 'mqtt';
import { createBrokerMemory } from '../src/eventbus/broker-memory.ts';

const limits: MqttBrokerLimits = {
  clients: 20,
  packetBytes: 1 << 16,
  subscriptionsPerClient: 10,
  queuedPerSession: 5,
  queuedBytes: 100_000,
  queuedFor: 60_000,
  retained: 10,
  retainedBytes: 100_000,
};

interface Options {
  readonly limits?: Partial<MqttBrokerLimits>;
  readonly now?: () => number;
  readonly wrap?: (memory: MqttBrokerMemory) => MqttBrokerMemory;
}

async function place(t: TestContext, options: Options = {}) {
  const directory = await temporaryDirectory(t);
  const clients: MqttClient[] = [];
  const logged: LogRecord[] = [];
  const log = createLog({ now: () => systemClock.now(), level: 'info', write: (record) => logged.push(record) });
  let path = join(directory, '0.db');
  let serial = 0;

  async function begin() {
    const db = openDatabase({ path, migrations: edgeMigrations, durability: 'normal' });
    const kept = createBrokerMemory({ db, clock: systemClock, log });
    const broker = await createMqttBrokers({ log, now: options.now ?? (() => systemClock.now()) }).open({
      address: '127.0.0.1',
      port: 0,
      limits: { ...limits, ...options.limits },
      memory: options.wrap?.(kept) ?? kept,
    });
    let ended: Promise<void> | undefined;
    const end = (): Promise<void> =>
      (ended ??= (async () => {
        await broker.close();
        await kept.flush();
        await db.close();
      })());
    t.after(end);
    return { broker, db, kept, end };
  }
  let run = await begin();
  return {
    logged,
    rows: (table: string) => run.db.statement<{ n: number }>(`SELECT count(*) AS n FROM ${table}`).get()!.n,
    flush: () => run.kept.flush(),
    publishInside: async (topic: string, payload: string) => {
      const options = { url: run.broker.url, clientId: 'inside', timeoutMs: 1_000, onMessage: async () => undefined };
      const connection = await run.broker.connect(options);
      await connection.publish({ topic, payload, qos: 1 });
      await connection.close();
    },
    /** What is on disk at this moment is all that the next one has. */
    async kill() {
      path = join(directory, `${(serial += 1)}.db`);
      await run.db.backupTo(path);
      const before = run;
      run = await begin();
      for (const client of clients.splice(0)) await client.endAsync(true);
      await before.end();
      await rm(before.db.path);
    },
    async join(clientId: string, more: { clean?: boolean; will?: object } = {}) {
      const client = connect({
        host: '127.0.0.1',
        port: run.broker.port,
        clientId,
        clean: false,
        protocolVersion: 4,
        reconnectPeriod: 0,
        ...more,
      } as object);
      clients.push(client);
      t.after(() => client.endAsync(true));
      const got: string[] = [];
      const sent: object[] = [];
      let wake = (): void => undefined;
      client.on('message', (topic, payload) => {
        got.push(`${topic} ${payload.toString()}`);
        wake();
      });
      client.on('packetreceive', (packet) => void sent.push(packet));
      const present = await new Promise<boolean>((resolve) =>
        client.once('connect', ({ sessionPresent }) => resolve(sessionPresent)),
      );
      const until = async (last: string): Promise<string[]> => {
        while (got.at(-1) !== last) await new Promise<void>((resolve) => (wake = resolve));
        return got;
      };
      return { client, got, sent, present, until };
    },
  };
}

/** A session that is away. */
async function leave(
  site: Awaited<ReturnType<typeof place>>,
  clientId: string,
  filters: Record<string, { qos: 0 | 1 | 2 }>,
) {
  const { client } = await site.join(clientId);
  await client.subscribeAsync(filters);
  await client.endAsync();
}

describe('what the broker inside has accepted', () => {
  for (const qos of [1, 2] as const) {
    test(`with QoS ${qos} for a client that is away is delivered after a kill, in order and once`, async (t) => {
      const site = await place(t);
      await leave(site, 'sleeper', { 'n/#': { qos } });
      const { client } = await site.join('writer');
      for (const n of [1, 2, 3]) await client.publishAsync('n/x', `${n}`, { qos });
      await client.publishAsync('other', 'not asked for', { qos });
      await site.kill();
      const later = await site.join('writer');
      await later.client.publishAsync('n/x', '4', { qos });
      const { until, present, client: sleeper } = await site.join('sleeper');
      assert.ok(present);
      assert.deepEqual(await until('n/x 4'), ['n/x 1', 'n/x 2', 'n/x 3', 'n/x 4']);
      await sleeper.endAsync();
      await site.flush();
      assert.equal(site.rows('mqtt_waiting'), 0);
      await site.kill();
      const again = await site.join('sleeper');
      await (await site.join('writer')).client.publishAsync('n/x', '5', { qos });
      assert.deepEqual(await again.until('n/x 5'), ['n/x 5']);
    });
  }

  test('retained, and lasting subscriptions, are there after a kill', async (t) => {
    const site = await place(t);
    await leave(site, 's', { a: { qos: 1 }, b: { qos: 1 } });
    const { client } = await site.join('s');
    await client.unsubscribeAsync('b');
    await client.publishAsync('kept', 'here', { qos: 1, retain: true });
    await client.endAsync();
    await site.flush();
    await site.kill();
    const writer = await site.join('writer');
    await writer.client.publishAsync('a', 'while away', { qos: 1 });
    await writer.client.publishAsync('b', 'not asked for', { qos: 1 });
    await writer.client.subscribeAsync('kept', { qos: 1 });
    assert.deepEqual(await writer.until('kept here'), ['kept here']);
    assert.deepEqual(await (await site.join('s')).until('a while away'), ['a while away']);
    // Who begins afresh has left nothing behind.
    const fresh = await site.join('s', { clean: true });
    await fresh.client.endAsync();
    await site.flush();
    assert.equal(site.rows("mqtt_session WHERE client = 's'"), 0);
  });

  test('is acknowledged when it is on disk, and not before', async (t) => {
    let letGo = (): void => undefined;
    let isHeld = false;
    const wrap = (memory: MqttBrokerMemory): MqttBrokerMemory => ({
      ...memory,
      settled: () =>
        isHeld ? new Promise((resolve) => (letGo = () => void memory.settled().then(resolve))) : memory.settled(),
    });
    const site = await place(t, { wrap });
    await leave(site, 'sleeper', { n: { qos: 1 } });
    const { client } = await site.join('writer');
    const reader = await site.join('reader', { clean: true });
    await reader.client.subscribeAsync('m', { qos: 1 });
    isHeld = true;
    const acknowledged: string[] = [];
    const first = client.publishAsync('n', '1', { qos: 1 }).then(() => acknowledged.push('n'));
    // What nobody has to wait for is not held up by it, except by its own sender.
    await (await site.join('other', { clean: true })).client.publishAsync('m', '2', { qos: 1 });
    assert.deepEqual(await reader.until('m 2'), ['m 2']);
    assert.deepEqual(acknowledged, []);
    letGo();
    await first;
    assert.equal(site.rows('mqtt_waiting'), 1);
  });

  test('from within is on disk a moment later', async (t) => {
    const site = await place(t);
    await leave(site, 'sleeper', { n: { qos: 1 } });
    await site.publishInside('n', 'own');
    await site.flush();
    await site.kill();
    assert.deepEqual(await (await site.join('sleeper')).until('n own'), ['n own']);
  });

  test('is bounded by number and by room, the newest stay, and a log line says so once', async (t) => {
    const site = await place(t, { limits: { queuedBytes: 300 } });
    await leave(site, 'a', { n: { qos: 1 } });
    await leave(site, 'b', { n: { qos: 1 }, m: { qos: 1 } });
    const { client } = await site.join('writer');
    for (let n = 0; n < 12; n += 1) await client.publishAsync('n', `${n}`, { qos: 1 });
    const room = 'x'.repeat(140);
    await client.publishAsync('m', room, { qos: 1 });
    await client.publishAsync('m', `${room}2`, { qos: 1 });
    await site.flush();
    await site.kill();
    const a = await site.join('a');
    assert.deepEqual(await a.until('n 11'), a.got);
    assert.ok(a.got.length <= 5 && a.got.length > 0, `${a.got.length}`);
    const b = await site.join('b');
    await b.until(`m ${room}2`);
    assert.ok(b.got.length <= 5, `${b.got.length}`);
    const told = site.logged.filter(({ sentence }) =>
      sentence.startsWith('messages that wait for an MQTT client are dropped'),
    );
    // Once for each, and once more where the next process had to go on with it.
    assert.ok(told.length <= 4, `${told.length}`);
    assert.deepEqual([...new Set(told.map(({ fields }) => fields['name']))].toSorted(), ['a', 'b']);
  });

  test('goes when it has waited too long', async (t) => {
    let time = 1_000_000;
    const site = await place(t, { now: () => time });
    await leave(site, 'sleeper', { n: { qos: 1 } });
    const { client } = await site.join('writer');
    await client.publishAsync('n', 'old', { qos: 1 });
    await site.kill();
    time += 61_000;
    await (await site.join('writer')).client.publishAsync('n', 'new', { qos: 1 });
    assert.deepEqual(await (await site.join('sleeper')).until('n new'), ['n new']);
  });

  test('as the will of a client that was there at the kill is told afterwards, once', async (t) => {
    const site = await place(t);
    await leave(site, 'sleeper', { gone: { qos: 1 } });
    await site.join('mortal', {
      clean: true,
      will: { topic: 'gone', payload: Buffer.from('mortal'), qos: 1, retain: true },
    });
    const polite = await site.join('polite', { will: { topic: 'gone', payload: Buffer.from('polite'), qos: 1 } });
    await polite.client.endAsync();
    await site.flush();
    await site.kill();
    const sleeper = await site.join('sleeper');
    assert.deepEqual(await sleeper.until('gone mortal'), ['gone mortal']);
    await sleeper.client.endAsync();
    const late = await site.join('late', { clean: true });
    await late.client.subscribeAsync('gone', { qos: 1 });
    assert.deepEqual(await late.until('gone mortal'), ['gone mortal'], 'it was to be retained');
    await site.flush();
    assert.equal(site.rows('mqtt_will'), 0);
  });

  test('costs the disk nothing where no session lasts', async (t) => {
    const site = await place(t);
    const reader = await site.join('reader', { clean: true });
    await reader.client.subscribeAsync('n', { qos: 2 });
    const writer = await site.join('writer', { clean: true });
    for (let n = 0; n < 20; n += 1) await writer.client.publishAsync('n', `${n}`, { qos: n % 2 === 0 ? 1 : 2 });
    await reader.until('n 19');
    await site.flush();
    for (const table of ['mqtt_waiting', 'mqtt_unreleased', 'mqtt_session', 'mqtt_retained']) {
      assert.equal(site.rows(table), 0, table);
    }
  });
});
