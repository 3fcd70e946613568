// DeviceTwin on a real database: what devices report, what the cloud is told, and what is left after a crash.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { openScope } from '@kedge/core/flow';
import type { Database } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { hours, minutes, seconds } from '@kedge/core/time';
import {
  createDeviceTwin,
  type DeviceOutboxItem,
  type DeviceTwin,
  deviceTwinErrors,
  type HistoryLimits,
} from '@kedge/edge/devicetwin';
import { edgeMigrations } from '@kedge/edge/metamanager';
import { failure, type KubeObject } from '@kedge/model/k8s';
import type { QuestionBody } from '@kedge/model/messages';
import { openDatabase } from '@kedge/platform/sqlite';

const lamp = { namespace: 'default', name: 'lamp' };
const never = (): boolean => false;
const ok = { ok: true, value: undefined } as const;

const device = (name: string, annotations: Record<string, string> = {}): KubeObject =>
  ({
    apiVersion: 'devices.kubeedge.io/v1beta1',
    kind: 'Device',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, annotations },
    spec: {
      deviceModelRef: { name: 'light' },
      nodeName: 'edge-1',
      protocol: { protocolName: 'virtual' },
      properties: [{ name: 'color' }, { name: 'power' }],
    },
  }) as KubeObject;

interface Rig {
  readonly twin: DeviceTwin;
  readonly clock: FakeClock;
  put(object: KubeObject): void;
  remove(object: KubeObject): void;
  /** What is to be sent, all of it, in order; nothing is settled. */
  offered(isDense?: boolean): QuestionBody[];
  next(isDense?: boolean): DeviceOutboxItem | undefined;
  readonly db: Database;
  /** Once, right before the next write. */
  beforeWrite(run: () => void): void;
  /** The same database with a new process. */
  restart(): Promise<void>;
}

async function rig(
  t: TestContext,
  objects: KubeObject[] = [device('lamp')],
  maxSamples?: number,
  history?: HistoryLimits,
): Promise<Rig> {
  const db = openDatabase({ path: ':memory:', migrations: edgeMigrations, durability: 'normal' });
  const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
  const listeners = new Map<string, { onPut(object: KubeObject): void; onDelete(last: KubeObject): void }>();
  let serial = 0;
  let before = (): void => undefined;
  let scope = openScope({ clock, name: 'twin' });
  const start = async (): Promise<DeviceTwin> => {
    const twin = createDeviceTwin({
      clock,
      log: silentLog,
      random: { next: () => 0.5, uuid: () => `id-${(serial += 1)}` },
      db: {
        ...db,
        write(work) {
          const run = before;
          before = () => undefined;
          run();
          return db.write(work);
        },
      },
      objects: {
        list: (type) => objects.filter(({ kind }) => (kind === 'Device') === (type === 'device')),
        listen(type, listener) {
          listeners.set(type, listener);
          return () => listeners.delete(type);
        },
      },
      ...(maxSamples === undefined ? {} : { maxSamples }),
      history,
    });
    await twin.start(scope);
    return twin;
  };
  let twin = await start();
  t.after(async () => {
    await scope.close(seconds(1));
    await db.close();
  });
  return {
    get twin() {
      return twin;
    },
    clock,
    db,
    beforeWrite: (run) => void (before = run),
    put(object) {
      objects.push(object);
      listeners.get('device')?.onPut(object);
    },
    remove(object) {
      objects.splice(objects.indexOf(object), 1);
      listeners.get('device')?.onDelete(object);
    },
    next: (isDense = true) => twin.outbox.take(never, isDense),
    offered(isDense = true) {
      const busy = new Set<string>();
      const bodies: QuestionBody[] = [];
      for (;;) {
        const item = twin.outbox.take((key) => busy.has(key), isDense);
        if (!item) return bodies;
        busy.add(item.key);
        bodies.push(item.send.body);
      }
    },
    async restart() {
      await scope.close(seconds(1));
      scope = openScope({ clock, name: 'twin' });
      twin = await start();
    },
  };
}

describe('a report', () => {
  test('is kept, and reaches the cloud with the versions that each side has here', async (t) => {
    const site = await rig(t);
    await site.twin.report(lamp, [
      { property: 'color', reported: 'red', observedDesired: 'red', at: 1_000, duplicate: false },
    ]);
    await site.twin.report(lamp, [{ property: 'color', reported: 'green', at: 2_000, duplicate: false }]);
    const [body] = site.offered();
    assert.ok(body?.kind === 'twin.report');
    assert.deepEqual(body.twins, {
      color: {
        optional: true,
        metadata: { type: 'string' },
        actual: { value: 'green', metadata: { timestamp: 2_000 } },
        actual_version: { cloud: 0, edge: 2 },
        expected: { value: 'red', metadata: { timestamp: 1_000 } },
        expected_version: { cloud: 0, edge: 1 },
      },
    });
  });

  test('merges with one that waits: one row per device, each property at its newest', async (t) => {
    const site = await rig(t);
    await site.twin.report(lamp, [{ property: 'color', reported: 'red', duplicate: false }]);
    await site.twin.report(lamp, [{ property: 'power', reported: 'on', duplicate: false }]);
    await site.twin.report(lamp, [{ property: 'color', reported: 'blue', duplicate: false }]);
    const bodies = site.offered();
    assert.equal(bodies.length, 1);
    assert.ok(bodies[0]?.kind === 'twin.report');
    const values = Object.entries(bodies[0].twins).map(([property, twin]) => [property, twin?.actual?.value]);
    assert.deepEqual(values, [
      ['color', 'blue'],
      ['power', 'on'],
    ]);
  });

  test('stays until the cloud has confirmed it, over a restart too; what is newer stays then', async (t) => {
    const site = await rig(t);
    await site.twin.report(lamp, [{ property: 'color', reported: 'red', duplicate: false }]);
    const first = site.next()!;
    const unreachable = { ok: false, status: failure('ServiceUnavailable', 'later') } as const;
    assert.equal(await site.twin.outbox.settle(first, unreachable), 'later');
    await site.restart();
    const again = site.next()!;
    await site.twin.report(lamp, [{ property: 'color', reported: 'green', duplicate: false }]);
    assert.equal(await site.twin.outbox.settle(again, ok), 'done');
    const newer = site.next()!;
    assert.ok(newer.send.body.kind === 'twin.report');
    assert.equal(newer.send.body.twins['color']?.actual?.value, 'green');
    await site.twin.outbox.settle(newer, ok);
    assert.equal(site.next(), undefined);
    assert.equal(site.twin.twin(lamp, 'color')?.actual?.value, 'green');
  });

  test('of a device that is not here, or of too long a value, is refused and changes nothing', async (t) => {
    const site = await rig(t);
    const stranger = site.twin.report({ namespace: 'default', name: 'x' }, [{ property: 'color', duplicate: false }]);
    await assert.rejects(stranger, (error) => deviceTwinErrors.UNKNOWN_DEVICE.is(error));
    const long = [
      { property: 'power', reported: 'on', duplicate: false },
      { property: 'color', reported: 'ü'.repeat(2_049), duplicate: false },
    ];
    await assert.rejects(site.twin.report(lamp, long), (error) => deviceTwinErrors.VALUE_TOO_LONG.is(error));
    assert.deepEqual(site.offered(), []);
    await site.twin.report(lamp, [{ property: 'color', reported: 'ü'.repeat(2_048), duplicate: false }]);
  });

  test('that the cloud will never take is dropped', async (t) => {
    const site = await rig(t);
    await site.twin.report(lamp, [{ property: 'color', reported: 'red', duplicate: false }]);
    const gone = { ok: false, status: failure('NotFound', 'no such device') } as const;
    assert.equal(await site.twin.outbox.settle(site.next()!, gone), 'done');
    assert.equal(site.next(), undefined);
  });
});

describe('states and conditions', () => {
  test('a device that goes offline is told with the time at which it was last online', async (t) => {
    const site = await rig(t);
    await site.twin.state(lamp, 'online');
    await site.clock.advance(seconds(60));
    await site.twin.state(lamp, 'offline');
    const [body] = site.offered();
    assert.ok(body?.kind === 'device.state');
    assert.equal(body.state, 'offline');
    assert.match(body.lastOnlineTime, /^\d{4}-\d\d-\d\dT/);
    assert.ok(Date.parse(body.lastOnlineTime) < site.clock.now() - 50_000);
  });

  test('conditions that an upstream cloud did not take wait for one of ours; values go on meanwhile', async (t) => {
    const site = await rig(t);
    const condition = { type: 'Communicating', status: 'False', reason: 'Timeout', message: '', since: 1 } as const;
    await site.twin.condition(lamp, condition);
    assert.deepEqual(site.offered(false), []);
    await site.twin.report(lamp, [{ property: 'color', reported: '21', duplicate: false }]);
    assert.deepEqual(
      site.offered(false).map(({ kind }) => kind),
      ['twin.report'],
    );
    await site.twin.outbox.settle(site.next(false)!, { ok: true, value: undefined });
    assert.deepEqual(site.offered(false), []);
    assert.deepEqual(
      site.offered(true).map(({ kind }) => kind),
      ['device.conditions'],
    );
  });

  test('conditions go to our own cloud only, all of a device at once, and keep their beginning', async (t) => {
    const site = await rig(t);
    const condition = {
      type: 'Communicating',
      status: 'False',
      reason: 'Timeout',
      message: 'no answer',
      since: 5,
    } as const;
    await site.twin.condition(lamp, condition);
    await site.twin.condition(lamp, { ...condition, message: 'still no answer', since: 9 });
    await site.twin.condition(lamp, { ...condition, type: 'Configured', status: 'True', reason: 'Ok', message: '' });
    assert.deepEqual(site.offered(false), []);
    const [body] = site.offered();
    assert.ok(body?.kind === 'device.conditions');
    assert.deepEqual(
      body.conditions.map(({ type, since, message }) => [type, since, message]),
      [
        ['Communicating', 5, 'still no answer'],
        ['Configured', 5, ''],
      ],
    );
  });
});

describe('samples of a property that is marked', () => {
  const marked = () => [device('lamp', { 'devices.kedge.io/deliver-samples': 'color' })];
  const say = (site: Rig, value: string, at: number, duplicate = false): Promise<void> =>
    site.twin.report(lamp, [{ property: 'color', reported: value, at, duplicate }]);
  const samplesOf = (site: Rig, isDense = true) =>
    site.offered(isDense).flatMap((body) => (body.kind === 'samples.report' ? [body] : []));

  test('are all told, in order, without a gap, and not to an upstream cloud', async (t) => {
    const site = await rig(t, marked());
    for (let n = 1; n <= 5; n++) await say(site, String(n), n);
    await site.twin.report(lamp, [{ property: 'power', reported: 'on', duplicate: false }]);
    assert.deepEqual(samplesOf(site, false), []);
    const [run, ...others] = samplesOf(site);
    assert.equal(others.length, 0);
    assert.deepEqual(
      run?.samples.map(({ value }) => value),
      ['1', '2', '3', '4', '5'],
    );
    assert.equal(run?.firstSequence, 1);
    assert.equal(run?.replayed, undefined);
  });

  test('are told again, and said to be, when nobody knows whether they arrived', async (t) => {
    const site = await rig(t, marked());
    await say(site, 'a', 1);
    const [before] = samplesOf(site);
    await site.restart();
    await say(site, 'b', 2);
    const [again] = samplesOf(site);
    assert.deepEqual(
      again?.samples.map(({ value }) => value),
      ['a', 'b'],
    );
    assert.equal(again?.replayed, true);
    assert.equal(again?.stream, before?.stream);
    assert.equal(again?.firstSequence, 1);
  });

  test('leave when they are confirmed, and counting goes on', async (t) => {
    const site = await rig(t, marked());
    await say(site, 'a', 1);
    for (let item = site.next(); item; item = site.next()) await site.twin.outbox.settle(item, ok);
    await say(site, 'b', 2);
    const [run] = samplesOf(site);
    assert.equal(run?.firstSequence, 2);
    assert.equal(run?.replayed, undefined);
  });

  test('that a mapper says twice count once', async (t) => {
    const site = await rig(t, marked());
    await say(site, 'a', 1);
    await say(site, 'a', 1, true);
    await say(site, 'a', 2);
    assert.deepEqual(
      samplesOf(site)[0]?.samples.map(({ at }) => at),
      [1, 2],
    );
  });

  test('are bounded: the oldest go, and that is said', async (t) => {
    const site = await rig(t, marked(), 3);
    for (let n = 1; n <= 5; n++) await say(site, String(n), n);
    const bodies = site.offered();
    const run = bodies.find((body) => body.kind === 'samples.report');
    assert.ok(run?.kind === 'samples.report');
    assert.deepEqual([run.firstSequence, run.samples.length], [3, 3]);
    const told: QuestionBody[] = [];
    for (let item = site.next(); item; item = site.next()) {
      told.push(item.send.body);
      await site.twin.outbox.settle(item, ok);
    }
    const conditions = told.find((body) => body.kind === 'device.conditions');
    assert.ok(conditions?.kind === 'device.conditions');
    assert.equal(conditions.conditions[0]?.reason, 'TooManyWaiting');
  });
});

describe('devices', () => {
  test('come and go with their objects, and nothing of one that went is left', async (t) => {
    const site = await rig(t);
    let changes = 0;
    site.twin.devices.listen(() => (changes += 1));
    const fan = device('fan');
    site.put(fan);
    const name = { namespace: 'default', name: 'fan' };
    await site.twin.report(name, [{ property: 'color', reported: 'grey', duplicate: false }]);
    assert.equal(site.twin.devices.list().length, 2);
    site.remove(fan);
    await site.clock.advance(seconds(1));
    assert.equal(site.twin.twin(name, 'color'), undefined);
    assert.deepEqual(site.offered(), []);
    assert.ok(changes >= 2);
  });
});

describe('a desired value that is set at the edge', () => {
  const desired = (site: Rig): (string | undefined)[] =>
    site.twin.devices.list()[0]!.spec!.properties!.map((property) => property.desired?.value);
  const wish = (property: string, observedDesired: string) => ({
    property,
    observedDesired,
    isWish: true as const,
    duplicate: false,
  });

  test('stands in for that of the cloud, for properties that the device has and that can be set', async (t) => {
    const model: KubeObject = {
      kind: 'DeviceModel',
      metadata: { name: 'light', namespace: 'default', uid: 'm' },
      spec: { properties: [{ name: 'color' }, { name: 'power', accessMode: 'ReadOnly' }] },
    };
    const site = await rig(t, [model, device('lamp')]);
    let changes = 0;
    site.twin.devices.listen(() => (changes += 1));
    await site.twin.report(lamp, [wish('color', 'red'), wish('power', 'on'), wish('other', 'x')]);
    assert.deepEqual(desired(site), ['red', undefined]);
    await site.twin.report(lamp, [wish('color', 'red')]);
    assert.equal(changes, 1);
    await site.restart();
    assert.deepEqual(desired(site), ['red', undefined]);
    await site.twin.report(lamp, [wish('color', '')]);
    assert.deepEqual(desired(site), [undefined, undefined]);
  });

  test('is over when the twin is removed, and does not come from what a mapper says', async (t) => {
    const site = await rig(t);
    await site.twin.report(lamp, [{ property: 'color', observedDesired: 'blue', duplicate: false }]);
    assert.deepEqual(desired(site), [undefined, undefined]);
    await site.twin.report(lamp, [wish('color', 'red')]);
    await site.twin.report(lamp, [{ property: 'color', removed: true, duplicate: false }]);
    assert.deepEqual(desired(site), [undefined, undefined]);
    await site.restart();
    assert.deepEqual(desired(site), [undefined, undefined]);
  });
});

describe('the history of a device', () => {
  const limits = { maxAge: hours(1), perProperty: 100, total: 150 };
  const say = (site: Rig, property: string, value: string) =>
    site.twin.report(lamp, [{ property, reported: value, duplicate: false }]);

  test('has the last values, those that are not on disk yet included, and is there after a restart', async (t) => {
    const site = await rig(t, undefined, undefined, limits);
    for (const value of ['red', 'green']) {
      await say(site, 'color', value);
      await site.clock.advance(seconds(60));
    }
    await say(site, 'color', 'blue');
    await say(site, 'power', 'on');
    const values = (query = {}) =>
      Object.entries(site.twin.history(lamp, query)!).map(([name, samples]) => [
        name,
        samples.map(({ value }) => value).join(),
      ]);
    assert.deepEqual(values(), [
      ['color', 'red,green,blue'],
      ['power', 'on'],
    ]);
    assert.deepEqual(values({ property: 'color', limit: 2 }), [['color', 'green,blue']]);
    assert.deepEqual(values({ since: site.clock.now() }), [
      ['color', 'blue'],
      ['power', 'on'],
    ]);
    await site.restart();
    assert.deepEqual(values({ property: 'color' }), [['color', 'red,green,blue']]);
    await site.clock.advance(minutes(59));
    assert.deepEqual(values({ property: 'color' }), [['color', 'green,blue']]);
    site.remove(device('lamp'));
    await site.restart();
    assert.deepEqual(values(), []);
  });

  test('is bounded by property and altogether, the newest stay', async (t) => {
    const site = await rig(t, undefined, undefined, limits);
    for (let n = 0; n < 500; n += 1) {
      await say(site, 'color', `${n}`);
      if (n % 2 === 0) await say(site, 'power', `${n}`);
      await site.clock.advance(seconds(1));
    }
    await site.restart();
    const { color = [], power = [] } = site.twin.history(lamp, {})!;
    assert.ok(color.length <= 100 && color.length > 50, `${color.length}`);
    assert.ok(color.length + power.length <= 150, `${color.length + power.length}`);
    assert.equal(color.at(-1)?.value, '499');
    assert.equal(power.at(-1)?.value, '498');
    const numbers = color.map(({ value }) => Number(value));
    assert.deepEqual(
      numbers,
      Array.from(numbers, (_, n) => numbers[0]! + n),
    );
  });

  test('is bounded in one answer, whatever is asked for', async (t) => {
    const site = await rig(t, undefined, undefined, { ...limits, perProperty: 20_000, total: 50_000 });
    for (let n = 0; n < 12_000; n += 1) await say(site, n % 2 === 0 ? 'color' : 'power', `${n}`);
    await site.clock.advance(seconds(10));
    const counts = (query = {}): number[] =>
      Object.values(site.twin.history(lamp, query)!).map((samples) => samples.length);
    const [color = 0, power = 0] = counts();
    assert.ok(color <= 5_000 && power <= 5_000, `${color} ${power}`);
    assert.deepEqual(counts({ limit: 0 }), []);
    assert.deepEqual(counts({ limit: 1 }), [1, 1]);
  });

  test('that is on its way to the disk when the device goes leaves no series behind', async (t) => {
    const site = await rig(t, undefined, undefined, limits);
    await say(site, 'color', 'red');
    site.beforeWrite(() => site.remove(device('lamp')));
    await site.clock.advance(seconds(20));
    site.put(device('lamp'));
    assert.deepEqual(site.twin.history(lamp, {}), {});
    assert.deepEqual(site.db.statement('SELECT * FROM history_series').all(), []);
  });

  test('keeps nothing where none is wanted', async (t) => {
    const site = await rig(t);
    await say(site, 'color', 'red');
    assert.equal(site.twin.history(lamp, {}), undefined);
  });
});
