// Alarms between a real DeviceTwin and a database: rules of a model, values of a mapper, and what is told to whom.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import type { Database } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { minutes, seconds } from '@kedge/core/time';
import { type Alarms, createAlarms } from '@kedge/edge/alarms';
import { createDeviceTwin, type DeviceTwin } from '@kedge/edge/devicetwin';
import { edgeMigrations } from '@kedge/edge/metamanager';
import type { KubeObject } from '@kedge/model/k8s';
import { openDatabase } from '@kedge/platform/sqlite';

const oven = { namespace: 'default', name: 'oven' };
const hot = { name: 'too-hot', property: 'temperature', operator: '>', threshold: 80, hysteresis: 5 };
const slow = { name: 'door', property: 'door', operator: '==', threshold: 'open', for: '30s', severity: 'critical' };

const model = (rules: readonly object[]): KubeObject =>
  ({
    kind: 'DeviceModel',
    metadata: {
      name: 'm',
      namespace: 'default',
      uid: 'm',
      annotations: { 'devices.kedge.io/rules': JSON.stringify(rules) },
    },
    spec: {
      properties: [
        { name: 'temperature', type: 'FLOAT' },
        { name: 'door', type: 'STRING' },
      ],
    },
  }) as KubeObject;
const device: KubeObject = {
  kind: 'Device',
  metadata: { ...oven, uid: 'uid-oven' },
  spec: { deviceModelRef: { name: 'm' }, properties: [{ name: 'temperature' }, { name: 'door' }] },
};

interface Told {
  readonly reason: string;
  readonly type: string;
  readonly message: string;
}

async function rig(t: TestContext, rules: readonly object[] = [hot, slow]) {
  const db = openDatabase({ path: ':memory:', migrations: edgeMigrations, durability: 'normal' });
  const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
  const stored = new Map([
    ['devicemodel', model(rules)],
    ['device', device],
  ]);
  const listeners = new Map<string, { onPut(object: KubeObject): void; onDelete(last: KubeObject): void }>();
  let serial = 0;
  let isFull = false;
  const common = { clock, log: silentLog, random: { next: () => 0.5, uuid: () => `id-${(serial += 1)}` }, db };
  const events: Told[] = [];
  const news: string[] = [];
  let scope = openScope({ clock, name: 'edge' });
  let twin: DeviceTwin;
  let alarms: Alarms;
  async function start(): Promise<void> {
    twin = createDeviceTwin({
      ...common,
      objects: {
        list: (type) => [stored.get(type)].filter((one) => one !== undefined),
        listen(type, listener) {
          listeners.set(type, listener);
          return () => listeners.delete(type);
        },
      },
    });
    const outbox = { event: ({ event }: { event: KubeObject }) => void events.push(event as unknown as Told) };
    const disk: Database = {
      ...db,
      write: (work) => (isFull ? Promise.reject(new Error('disk full')) : db.write(work)),
    };
    alarms = createAlarms({ ...common, db: disk, twins: twin, events: outbox }, { node: 'edge-1' });
    alarms.watch(({ alarm }) => void news.push(`${alarm.name} ${alarm.state} ${alarm.value}`));
    await twin.start(scope);
    await alarms.start(scope);
  }
  await start();
  t.after(async () => {
    await scope.close(seconds(1));
    await db.close();
  });
  return {
    clock,
    events,
    news,
    fillDisk: (now: boolean) => void (isFull = now),
    rows: () =>
      db
        .statement<{ rule: string }>('SELECT rule FROM alarm')
        .all()
        .map(({ rule }) => rule),
    active: () => alarms.active(oven).map(({ name }) => name),
    /** The conditions that wait for the cloud. */
    async conditions() {
      for (;;) {
        const item = twin.outbox.take(() => false, true);
        if (!item) return undefined;
        if (item.send.body.kind === 'device.conditions') return item.send.body.conditions;
        await twin.outbox.settle(item, { ok: true, value: undefined });
      }
    },
    get twin() {
      return twin;
    },
    async say(property: string, value: string) {
      await twin.report(oven, [{ property, reported: value, duplicate: false }]);
      await clock.advance(seconds(1));
    },
    put(type: 'device' | 'devicemodel', object: KubeObject) {
      stored.set(type, object);
      listeners.get(type)?.onPut(object);
    },
    async remove() {
      stored.delete('device');
      listeners.get('device')?.onDelete(device);
      await clock.advance(seconds(1));
    },
    async restart() {
      await scope.close(seconds(1));
      scope = openScope({ clock, name: 'edge' });
      await start();
    },
  };
}

describe('a rule of a model', () => {
  test('raises an alarm once and tells its end: watchers, Events and a condition', async (t) => {
    const site = await rig(t);
    for (const value of ['80', '81', '85', '77', '75', '74']) await site.say('temperature', value);
    assert.deepEqual(site.news, ['too-hot raised 81', 'too-hot cleared 75']);
    assert.deepEqual(
      site.events.map(({ reason, type, message }) => [reason, type, message]),
      [
        ['AlarmRaised', 'Warning', 'warning: temperature is 81, and the rule says > 80'],
        ['AlarmCleared', 'Normal', 'alarm too-hot is over: temperature is 75'],
      ],
    );
    const [first] = site.events as unknown as { involvedObject: object; source: object; metadata: object }[];
    assert.deepEqual(first?.involvedObject, {
      kind: 'Device',
      apiVersion: 'devices.kubeedge.io/v1beta1',
      ...oven,
      uid: 'uid-oven',
    });
    assert.deepEqual(first.source, { component: 'kedge-alarms', host: 'edge-1' });
    const alarm = (await site.conditions())?.find(({ type }) => type === 'Alarm');
    assert.deepEqual([alarm?.status, alarm?.reason], ['False', 'NoAlarm']);
  });

  test('waits out its time, though no new value comes', async (t) => {
    const site = await rig(t);
    await site.say('door', 'open');
    await site.clock.advance(seconds(20));
    assert.deepEqual(site.news, []);
    await site.clock.advance(seconds(20));
    assert.deepEqual(site.news, ['door raised open']);
    assert.match(site.events[0]!.message, /^critical: door is open/);
    await site.say('door', 'shut');
    await site.say('door', 'open');
    await site.say('door', 'shut');
    await site.clock.advance(seconds(60));
    assert.deepEqual(site.news, ['door raised open', 'door cleared shut']);
  });

  test('does not raise its alarm again after a restart, and clears it then', async (t) => {
    const site = await rig(t);
    await site.say('temperature', '90');
    await site.restart();
    assert.deepEqual(site.active(), ['too-hot']);
    await site.say('temperature', '91');
    assert.deepEqual(site.news, ['too-hot raised 90']);
    await site.restart();
    await site.say('temperature', '70');
    assert.deepEqual(site.news, ['too-hot raised 90', 'too-hot cleared 70']);
    await site.restart();
    assert.deepEqual(site.active(), []);
  });

  test('is heard at once while the disk takes nothing, and is on it as soon as it does', async (t) => {
    const site = await rig(t);
    site.fillDisk(true);
    await site.say('temperature', '90');
    await site.say('temperature', '70');
    await site.say('temperature', '91');
    assert.deepEqual(site.news, ['too-hot raised 90', 'too-hot cleared 70', 'too-hot raised 91']);
    assert.deepEqual(site.rows(), []);
    await site.clock.advance(minutes(1));
    site.fillDisk(false);
    await site.clock.advance(minutes(5));
    assert.deepEqual(site.rows(), ['too-hot']);
    assert.equal(site.news.length, 3, 'nothing is heard twice');
    assert.equal((await site.conditions())?.find(({ type }) => type === 'Alarm')?.status, 'True');
    await site.restart();
    assert.deepEqual(site.active(), ['too-hot']);
  });

  test('of a device that goes while the disk takes nothing leaves nothing behind', async (t) => {
    const site = await rig(t);
    site.fillDisk(true);
    await site.say('temperature', '90');
    await site.remove();
    site.fillDisk(false);
    await site.clock.advance(minutes(10));
    assert.deepEqual(site.rows(), []);
  });

  test('counts from when it is there, and its alarm ends with it', async (t) => {
    const site = await rig(t, []);
    await site.say('temperature', '90');
    site.put('devicemodel', model([hot]));
    await site.clock.advance(seconds(1));
    assert.deepEqual(site.news, ['too-hot raised 90']);
    site.put('devicemodel', model([{ ...hot, threshold: 85 }]));
    await site.clock.advance(seconds(1));
    assert.deepEqual(site.news, ['too-hot raised 90']);
    site.put('devicemodel', model([{ ...hot, threshold: 99 }]));
    await site.clock.advance(seconds(1));
    assert.deepEqual(site.news, ['too-hot raised 90', 'too-hot cleared 90']);
    await site.say('temperature', '100');
    site.put('devicemodel', model([]));
    await site.clock.advance(seconds(1));
    assert.deepEqual(site.news.slice(2), ['too-hot raised 100', 'too-hot cleared ']);
    assert.equal(site.events.at(-1)?.message, 'alarm too-hot is over: its rule is gone');
  });

  test('forgets a device that is gone', async (t) => {
    const site = await rig(t);
    await site.say('temperature', '90');
    await site.remove();
    site.put('device', device);
    await site.restart();
    assert.deepEqual(site.active(), []);
  });

  test('that flaps floods nobody with Events', async (t) => {
    const site = await rig(t, [{ ...hot, hysteresis: 0 }]);
    for (let n = 0; n < 100; n += 1) await site.say('temperature', n % 2 === 0 ? '90' : '70');
    assert.equal(site.news.length, 100);
    assert.ok(site.events.length >= 20 && site.events.length <= 31, `${site.events.length}`);
  });
});
