// Devices that tell of changes by themselves: what is told, what a write makes known, and when a device says that it is away.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { object, text } from '@kedge/core/config';
import { silentLog } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { FakeClock } from '@kedge/core/testing';
import { milliseconds, seconds } from '@kedge/core/time';
import { type DeviceSettings, type PropertySettings, readCycle } from './device-settings.ts';
import { DeviceRunner, type DeviceState, type StateCondition } from './device-runner.ts';
import { type Connection, defineMapper, type Point, type RawValue, type Reading, required } from './driver.ts';
import type { ReportedSample } from './sample-line.ts';
import { fault } from './sdk-errors.ts';

const property = (name: string, more: Partial<PropertySettings> = {}): PropertySettings => ({
  name,
  type: 'INT',
  access: 'ReadWrite',
  unit: '',
  description: '',
  minimum: undefined,
  maximum: undefined,
  visitor: { key: name },
  desired: '',
  reportToCloud: true,
  collectCycle: readCycle(100n),
  reportCycle: readCycle(100n),
  push: undefined,
  conversion: { scale: 1, valueOffset: 0, deadband: undefined, onChange: false, maxAge: seconds(60) },
  ...more,
});

function place(t: TestContext, properties: readonly PropertySettings[], polled: readonly string[] = []) {
  const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
  const values = new Map<string, RawValue>(properties.map(({ name }) => [name, 1]));
  const device = {
    away: undefined as Error | undefined,
    reads: [] as string[],
    written: [] as [string, RawValue][],
    subscribed: [] as readonly Point<{ key: string }>[],
    tell: (() => assert.fail('nobody listens')) as (readings: readonly Reading[]) => void,
  };
  const connection: Connection<{ key: string }> = {
    async read(points) {
      device.reads.push(...points.map(({ property: name }) => name));
      return points.map(({ property: name }) => ({ property: name, value: values.get(name)!, at: clock.now() }));
    },
    async write({ property: name }, value) {
      device.written.push([name, value]);
      values.set(name, value);
    },
    async subscribe(points, onReadings) {
      device.subscribed = points;
      device.tell = onReadings;
      return polled;
    },
    offline: () => device.away,
    close: async () => undefined,
  };
  const driver = defineMapper({
    name: 'told-mapper',
    protocol: 'told',
    version: '1',
    protocolConfig: object({}),
    visitorConfig: object({ key: required(text('')) }),
    open: async () => connection,
  });
  const settings: DeviceSettings = {
    namespace: 'default',
    name: 'd',
    model: 'm',
    protocolConfig: {},
    properties,
    methods: [],
    reportState: false,
    stateCycle: seconds(10),
  };
  const samples: ReportedSample[] = [];
  let state: DeviceState = 'offline';
  let conditions: readonly StateCondition[] = [];
  const runner = new DeviceRunner(driver, settings, {
    clock,
    log: silentLog,
    random: { next: () => 0.5 } as never,
    metrics: createMetrics(),
    sink: {
      report: (some) => void samples.push(...some),
      push: () => undefined,
      state: (now, all) => void ((state = now), (conditions = all)),
    },
  });
  const stop = new AbortController();
  const running = runner.run(stop.signal);
  t.after(async () => {
    stop.abort(new Error('the test is over'));
    await running;
  });
  const told = (): string[] => samples.map(({ property: name, value }) => `${name}=${value}`);
  const desire = (name: string, desired: string): void =>
    runner.update({
      ...runner.settings,
      properties: runner.settings.properties.map((one) => (one.name === name ? { ...one, desired } : one)),
    });
  return { clock, device, samples, told, desire, state: () => state, conditions: () => conditions };
}

describe('a device that tells', () => {
  test('is asked for what is read in cycles only where it does not tell; it hears cycle and deadband', async (t) => {
    const conversion = { scale: -0.1, valueOffset: 0, deadband: 0.5, onChange: true, maxAge: seconds(60) };
    const told = property('told', { conversion });
    const { clock, device } = place(
      t,
      [told, property('polled'), property('silent', { reportToCloud: false })],
      ['polled'],
    );
    await clock.advance(milliseconds(450));
    assert.deepEqual(
      device.subscribed.map(({ property: name, cycle, deadband }) => [name, cycle, deadband]),
      [
        ['told', 100, 5],
        ['polled', 100, undefined],
      ],
    );
    assert.deepEqual(new Set(device.reads), new Set(['polled']));
    assert.equal(device.reads.length, 5);
  });

  test('that had the desired value already says so once, because it is read', async (t) => {
    const { clock, device, samples, desire } = place(t, [property('p')]);
    await clock.advance(milliseconds(10));
    desire('p', '1');
    await clock.advance(milliseconds(10));
    assert.deepEqual(device.written, [['p', 1]]);
    assert.deepEqual(
      samples.map(({ value, observedDesired }) => [value, observedDesired]),
      [['1', '1']],
    );
    await clock.advance(seconds(5));
    assert.equal(samples.length, 1);
  });

  test('is not heard when it tells what a reading has overtaken', async (t) => {
    const { clock, device, told, desire } = place(t, [property('p')]);
    await clock.advance(milliseconds(10));
    const before = clock.now();
    device.tell([{ property: 'p', value: 1, at: before }]);
    await clock.advance(milliseconds(10));
    desire('p', '7');
    await clock.advance(milliseconds(10));
    // Late, the same once more, and then news.
    device.tell([{ property: 'p', value: 5, at: before + 1 }]);
    device.tell([{ property: 'p', value: 7, at: before + 10 }]);
    device.tell([{ property: 'p', value: 8, at: clock.now() + 1 }]);
    assert.deepEqual(told(), ['p=1', 'p=7', 'p=8']);
  });

  test('a bad reading concerns its property; the next good one ends that', async (t) => {
    const { clock, device, state, told } = place(t, [property('p'), property('q')]);
    await clock.advance(milliseconds(10));
    device.tell([
      { property: 'p', error: fault('BadNotConnected', 'no sensor') },
      { property: 'q', value: 2 },
    ]);
    assert.equal(state(), 'unhealthy');
    device.tell([{ property: 'p', value: 3 }]);
    assert.equal(state(), 'online');
    assert.deepEqual(told(), ['q=2', 'p=3']);
  });

  test('that says it is away is offline and left alone, and gets what is desired when it is back', async (t) => {
    const { clock, device, state, conditions, desire } = place(
      t,
      [property('p', { desired: '4' }), property('polled')],
      ['polled'],
    );
    await clock.advance(milliseconds(10));
    assert.deepEqual([state(), device.written.length], ['online', 1]);
    device.away = fault('Unavailable', 'its last will says so');
    device.tell([]);
    assert.equal(state(), 'offline');
    assert.equal(conditions().find(({ type }) => type === 'Communicating')?.reason, 'Unavailable');
    const reads = device.reads.length;
    desire('p', '5');
    await clock.advance(seconds(40));
    assert.deepEqual([device.written.length, device.reads.length], [1, reads]);
    device.away = undefined;
    device.tell([]);
    await clock.advance(milliseconds(10));
    assert.deepEqual(device.written, [
      ['p', 4],
      ['p', 5],
    ]);
    assert.equal(state(), 'online');
  });
});
