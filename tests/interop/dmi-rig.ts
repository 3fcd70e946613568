// An edge's DMI server with a played DeviceTwin, and a protocol of boxes with registers, for tests of DMI.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import type { Module } from '@kedge/core/module';
import { milliseconds, seconds } from '@kedge/core/time';
import {
  createMapper,
  decimal,
  defineMapper,
  fault,
  integer,
  type MapperConfig,
  object,
  type RawValue,
  refused,
  required,
  text,
} from '@kedge/devices/mapper-sdk';
import { createDmiServer, type DmiServerConfig, type MapperReport } from '@kedge/edge/dmi';
import { edgeMigrations } from '@kedge/edge/metamanager';
import type { Device, DeviceModel } from '@kedge/model/kubeedge';
import type { DeviceCondition } from '@kedge/model/messages';
import { grpcServers, openGrpcChannel } from '@kedge/platform/grpc';
import { createHttpClient, createHttpServers, createRandom, systemClock } from '@kedge/platform/node';
import { openDatabase } from '@kedge/platform/sqlite';
import { temporaryDirectory } from '@kedge/testing/contracts';

export const model: DeviceModel = {
  metadata: { name: 'temp-model', namespace: 'default' },
  spec: {
    protocol: 'toy',
    properties: [
      { name: 'temperature', type: 'FLOAT', accessMode: 'ReadWrite', minimum: '0', maximum: '100' },
      { name: 'count', type: 'INT', accessMode: 'ReadOnly' },
    ],
  },
};

export const device = (name: string, desired = '', more: Record<string, unknown> = {}): Device => ({
  metadata: { name, namespace: 'default' },
  spec: {
    deviceModelRef: { name: 'temp-model' },
    nodeName: 'edge-1',
    protocol: { protocolName: 'toy', configData: { box: name, ...more } },
    properties: ['temperature', 'count'].map((property, n) => ({
      name: property,
      reportToCloud: true,
      collectCycle: 20,
      ...(property === 'temperature' && desired !== '' ? { desired: { value: desired } } : {}),
      visitors: { protocolName: 'toy', configData: { register: n, ...(n === 0 ? { scale: 0.1 } : {}) } },
    })),
    methods: [{ name: 'SetTemp', propertyNames: ['temperature'] }],
  },
});

/** Boxes of registers that stand for devices. */
function toyWorld() {
  const boxes = new Map<string, RawValue[]>();
  const opened: string[] = [];
  const losses = new Map<string, (error: Error) => void>();
  const driver = defineMapper({
    name: 'toy-mapper',
    protocol: 'toy',
    version: '1.0.0',
    protocolConfig: object({ box: required(text('')), delay: integer(0) }),
    visitorConfig: object({ register: required(integer(0, { minimum: 0 })), factor: decimal(1) }),
    async open({ box }) {
      opened.push(box);
      const registers = boxes.get(box);
      if (!registers) throw fault('Unreachable', `box ${box} is not there`);
      const lost = Promise.withResolvers<Error>();
      losses.set(box, lost.resolve);
      return {
        lost: lost.promise,
        read: async (points) =>
          points.map(({ property, visitor }) => {
            const value = registers[visitor.register];
            return value === undefined
              ? { property, error: fault('IllegalAddress', `no register ${visitor.register}`) }
              : { property, value };
          }),
        async write({ visitor }, value) {
          if (value === 666) throw refused('the number of the beast', 'superstition');
          registers[visitor.register] = value;
        },
        close: async () => undefined,
      };
    },
  });
  /** Breaks the connection to a box. */
  const lose = (box: string): void => losses.get(box)?.(fault('ConnectionLost', 'the box hung up'));
  return { boxes, opened, lose, driver };
}

interface Stored extends MapperReport {
  readonly device: string;
}

function edge(directory: string) {
  const objects = new Map<string, Device>();
  const models = new Map([['default/temp-model', model]]);
  const listeners = new Set<() => void>();
  const reports: Stored[] = [];
  const states = new Map<string, string>();
  const conditions = new Map<string, DeviceCondition>();
  const db = openDatabase({ path: join(directory, 'edge.db'), migrations: edgeMigrations, durability: 'normal' });
  const server = (more: Partial<DmiServerConfig> = {}) =>
    createDmiServer(
      {
        clock: systemClock,
        log: silentLog,
        random: createRandom(),
        metrics: createMetrics(),
        db,
        servers: grpcServers,
        openChannel: openGrpcChannel,
        devices: {
          list: () => objects.values(),
          get: ({ name }) => objects.get(name),
          model: ({ namespace, name }) => models.get(`${namespace}/${name}`),
          listen(onChange) {
            listeners.add(onChange);
            return () => void listeners.delete(onChange);
          },
        },
        twins: {
          report: async ({ name }, some) => void reports.push(...some.map((one) => ({ ...one, device: name }))),
          state: async ({ name }, state) => void states.set(name, state),
          condition: async ({ name }, condition) => void conditions.set(`${name}/${condition.type}`, condition),
        },
      },
      { socketPath: join(directory, 'dmi.sock'), ...more },
    );
  return {
    db,
    server,
    models,
    reports,
    states,
    conditions,
    put(...some: Device[]) {
      for (const one of some) objects.set(one.metadata.name!, one);
      for (const listener of listeners) listener();
    },
    remove(name: string) {
      objects.delete(name);
      for (const listener of listeners) listener();
    },
  };
}

export async function place(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const site = edge(directory);
  const world = toyWorld();
  const httpServers = createHttpServers({ log: silentLog });
  const mapper = (config: Pick<MapperConfig, 'http'> = {}) =>
    createMapper(
      world.driver,
      {
        clock: systemClock,
        log: silentLog,
        random: createRandom(),
        metrics: createMetrics(),
        servers: grpcServers,
        openChannel: openGrpcChannel,
        httpServers,
        push: { http: createHttpClient({}), env: {}, load: (name) => import(name) },
      },
      { socketPath: join(directory, 'toy.sock'), edgecoreSocket: join(directory, 'dmi.sock'), ...config },
    );
  const running = new Set<() => Promise<unknown>>();
  const run = async (module: Module) => {
    const scope = openScope({ clock: systemClock, name: module.name });
    scope.failed.then((error) => assert.fail(error));
    await module.start(scope);
    const stop = async (): Promise<void> => {
      running.delete(stop);
      assert.deepEqual(await scope.close(seconds(5)), []);
    };
    running.add(stop);
    return stop;
  };
  t.after(async () => {
    for (const stop of running) await stop();
    await site.db.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { ...site, ...world, directory, mapper, run };
}

/** Looks again until it is so. */
export async function until(what: string, isSo: () => boolean, patience = seconds(10)): Promise<void> {
  for (let n = 0; n < patience / 10; n++) {
    if (isSo()) return;
    await systemClock.sleep(what, milliseconds(10));
  }
  assert.fail(`never: ${what}`);
}
