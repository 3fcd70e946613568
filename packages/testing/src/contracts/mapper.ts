// What every mapper must do, against a real server of its protocol on loopback. The suite speaks to the driver as the SDK
// does, and to the mapper as edgecore does is what `tests/interop/dmi.test.ts` checks once for all.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { silentLog } from '@kedge/core/log';
import type { Random } from '@kedge/core/ports';
import { type Clock, milliseconds } from '@kedge/core/time';
import {
  type Connection,
  mapperErrors,
  type MapperDriver,
  type RawValue,
  readConfig,
  type Reading,
} from '@kedge/devices/mapper-sdk';
import type { PropertyType } from '@kedge/model/kubeedge';

type ConfigData = Readonly<Record<string, unknown>>;

export interface MapperProperty {
  readonly type: PropertyType;
  readonly visitor: ConfigData;
  /** What the server has there at first, as the driver reads it. */
  readonly value: RawValue;
}

/** One server of the protocol, and what a mapper has to be told to use it. */
export interface MapperUnderTest {
  readonly protocolConfig: ConfigData;
  /** At least two; `writable` names one that can be written. */
  readonly properties: Readonly<Record<string, MapperProperty>>;
  readonly writable: string;
  /** Another value for it. */
  readonly written: RawValue;
  /** Configuration of a property that the server does not have. */
  readonly missing: ConfigData;
  /** Configuration of a property that no driver of the protocol can use. */
  readonly unusable: ConfigData;
  /** Changes a value at the device, behind the mapper's back. */
  set(property: string, value: RawValue): Promise<void>;
  /** Cuts every connection and listens no more. */
  stop(): Promise<void>;
}

export function describeMapper<C, V>(
  what: string,
  driver: MapperDriver<C, V>,
  deps: { readonly clock: Clock; readonly random: Random },
  start: (t: TestContext) => Promise<MapperUnderTest>,
): void {
  async function place(t: TestContext) {
    const server = await start(t);
    const stop = new AbortController();
    const config = readConfig(driver.protocolConfig, server.protocolConfig, 'protocol');
    const open = async (): Promise<Connection<V>> => {
      const connection = await driver.open(config, { ...deps, log: silentLog, signal: stop.signal });
      t.after(() => connection.close().catch(() => undefined));
      return connection;
    };
    t.after(() => stop.abort(new Error('the test is over')));
    const point = (property: string, visitor?: ConfigData) => ({
      property,
      type: server.properties[property]?.type ?? 'STRING',
      access: 'ReadWrite' as const,
      visitor: readConfig(driver.visitorConfig, visitor ?? server.properties[property]!.visitor, property),
    });
    const names = Object.keys(server.properties);
    return { server, open, point, points: names.map((name) => point(name)), names, signal: stop.signal };
  }

  const valueOf = (readings: Awaited<ReturnType<Connection<V>['read']>>, property: string): RawValue | undefined => {
    const reading = readings.find((one) => one.property === property);
    if (reading && 'error' in reading) throw reading.error;
    return reading?.value;
  };

  describe(`a mapper: ${what}`, () => {
    test('reads what the device has, each property once', async (t) => {
      const { server, open, points, names, signal } = await place(t);
      const connection = await open();
      const readings = await connection.read(points, signal);
      assert.deepEqual(readings.map(({ property }) => property).sort(), [...names].sort());
      for (const name of names) assert.deepEqual(valueOf(readings, name), server.properties[name]!.value, name);
    });

    test('reads what has changed at the device', async (t) => {
      const { server, open, point, signal } = await place(t);
      const connection = await open();
      await server.set(server.writable, server.written);
      const readings = await connection.read([point(server.writable)], signal);
      assert.deepEqual(valueOf(readings, server.writable), server.written);
    });

    test('what is written can be read, also over another connection', async (t) => {
      const { server, open, point, signal } = await place(t);
      const connection = await open();
      const written = point(server.writable);
      await connection.write!(written, server.written, signal);
      assert.deepEqual(valueOf(await connection.read([written], signal), server.writable), server.written);
      assert.deepEqual(valueOf(await (await open()).read([written], signal), server.writable), server.written);
    });

    test(
      'tells of changes by itself, if it can: what there is at first, then what changes, and no more after the end',
      { timeout: 30_000 },
      async (t) => {
        const { server, open, points, names, signal } = await place(t);
        const connection = await open();
        if (!connection.subscribe) return t.skip('it is polled');
        const ended = new AbortController();
        const told: Reading[] = [];
        let wake: () => void = () => undefined;
        const onReadings = (readings: readonly Reading[]): void => {
          told.push(...readings);
          wake();
        };
        const isTold = (name: string, value: RawValue): boolean =>
          told.some((one) => one.property === name && 'value' in one && isDeepStrictEqual(one.value, value));
        const until = async (isSo: () => boolean): Promise<void> => {
          while (!isSo()) await new Promise<void>((resolve) => (wake = resolve));
        };
        const within = AbortSignal.any([signal, ended.signal]);
        const wanted = points.map((point) => ({ ...point, cycle: milliseconds(100) }));
        const polled = new Set((await connection.subscribe(wanted, onReadings, within)) ?? []);
        const subscribed = names.filter((name) => !polled.has(name));
        await until(() => subscribed.every((name) => isTold(name, server.properties[name]!.value)));
        if (subscribed.includes(server.writable)) {
          await server.set(server.writable, server.written);
          await until(() => isTold(server.writable, server.written));
        }
        ended.abort(new Error('enough'));
        told.length = 0;
        await server.set(server.writable, server.properties[server.writable]!.value);
        // A reading goes the same way, and so arrives after whatever was on its way.
        await connection.read(wanted, signal);
        assert.deepEqual(told, []);
      },
    );

    test('a property that the device does not have fails alone', async (t) => {
      const { server, open, point, points, names, signal } = await place(t);
      const connection = await open();
      const readings = await connection.read([point('missing', server.missing), ...points], signal);
      const failed = readings.find(({ property }) => property === 'missing');
      assert.ok(failed && 'error' in failed && failed.error.message.length > 0);
      for (const name of names) assert.deepEqual(valueOf(readings, name), server.properties[name]!.value, name);
    });

    test('a configuration that cannot be used is said to be, with the key', async (t) => {
      const { server } = await place(t);
      assert.throws(
        () => readConfig(driver.visitorConfig, server.unusable, 'the visitor'),
        (error: unknown) => mapperErrors.BAD_CONFIG.is(error) && error.details.problems.length > 0,
      );
    });

    test(
      'a device that goes away is noticed, and one that is not there cannot be opened',
      { timeout: 30_000 },
      async (t) => {
        const { server, open, points, signal } = await place(t);
        const connection = await open();
        await connection.read(points, signal);
        await server.stop();
        // Who would notice without being asked has to.
        await connection.lost;
        const readings = await connection.read(points, signal).catch(() => []);
        assert.ok(readings.every((reading) => 'error' in reading));
        await assert.rejects(open());
      },
    );

    test('closes more than once, and without a device', async (t) => {
      const { server, open } = await place(t);
      const connection = await open();
      await server.stop();
      await connection.close();
      await connection.close();
    });

    if (driver.discover) {
      test('a search ends when it is told to', async (t) => {
        await place(t);
        const signal = AbortSignal.abort(new Error('enough'));
        const found = driver.discover!({}, { ...deps, log: silentLog, signal });
        const all: string[] = [];
        await (async () => {
          for await (const { name } of found) all.push(name);
        })().catch(() => undefined);
        assert.deepEqual(all, []);
      });
    }
  });
}
