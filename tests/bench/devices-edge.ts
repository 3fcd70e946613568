// The edge's half of devices, through a real site on one machine: from a desired value to the device and from the device to
// whoever watches the API, with 1 and with 1,000 properties; how many reports a second one edge takes and delivers; and what
// devices cost edgecore in memory. The mapper is our SDK, in this process, with devices that are made up.
import type { KubeApi } from '@kedge/engine/kube-client';
import { type Device, devices, type DeviceStatus, deviceStatuses } from '@kedge/model/kubeedge';
import { openGrpcChannel } from '@kedge/platform/grpc';
import { createDeviceManager } from '@kedge/wire/dmi';
import { openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { createParts, type Parts } from '../e2e/harness/parts.ts';
import { eventually } from '../e2e/harness/run.ts';
import { createDevice, createModel, type Made, propertyNames, startMapper, type World } from './made-up-devices.ts';
import { processFigures, quantile, round } from './process-figures.ts';
import { printTable } from './table.ts';

const rounds = { 1: 15, 1_000: 6 } as const;
/** cloudcore writes a device once a second at most: each round waits until that is over. */
const betweenMs = 1_300;
const floodSeconds = 10;
const memoryDevices = 100;
const settleMs = 20_000;
const lookMs = 1_000;
const looks = 15;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Calls with every status of a device that the API tells of. */
async function watchStatus(
  kube: KubeApi,
  name: string,
  signal: AbortSignal,
  onStatus: (twins: ReadonlyMap<string, string>) => void,
): Promise<void> {
  for (const collection of [devices, deviceStatuses]) {
    const { resourceVersion } = await kube.list(collection);
    void (async () => {
      for await (const change of kube.watch(collection, { namespace: 'default' }, resourceVersion, signal)) {
        if (!('object' in change) || change.object.metadata.name !== name) continue;
        const twins = (change.object as Device | DeviceStatus).status?.twins ?? [];
        onStatus(new Map(twins.map(({ propertyName = '', reported }) => [propertyName, reported?.value ?? ''])));
      }
    })().catch(() => undefined);
  }
}

async function measureLatency(
  parts: Parts,
  kube: KubeApi,
  world: World,
  count: 1 | 1_000,
): Promise<(string | number)[]> {
  const name = `wide-${count}`;
  await createModel(kube, name, 'wide', count);
  await createDevice(kube, parts.node, { name, model: name, protocol: 'wide', count });
  await eventually('the device at its mapper', async () => world.tell.has(name), 60_000);
  const stop = new AbortController();
  let shown: ReadonlyMap<string, string> = new Map();
  let onShown = (): void => undefined;
  await watchStatus(kube, name, stop.signal, (twins) => {
    if (twins.size === 0) return;
    shown = twins;
    onShown();
  });
  const names = propertyNames(count);
  const up: number[] = [];
  const down: number[] = [];
  try {
    // The first round is not counted: everything is new then.
    for (let round_ = 0; round_ <= rounds[count]; round_++) {
      const value = 1_000 + round_;
      await pause(betweenMs);
      const reported = new Promise<void>((resolve) => {
        onShown = () => {
          if (names.every((property) => shown.get(property) === String(value))) resolve();
        };
      });
      const began = performance.now();
      world.tell.get(name)!(names.map((property) => ({ property, value })));
      await within(60_000, `values of ${name} in the API`, reported);
      if (round_ > 0) up.push(performance.now() - began);

      await pause(betweenMs);
      const wanted = String(2_000 + round_);
      const missing = new Set(names);
      const written = new Promise<void>((resolve) => {
        world.onWrite = (device, property, its) => {
          if (device !== name || its !== wanted) return;
          missing.delete(property);
          if (missing.size === 0) resolve();
        };
      });
      const patch = { spec: { properties: await wantedProperties(kube, name, wanted) } };
      const asked = performance.now();
      await kube.patch(devices, { namespace: 'default', name }, 'merge', JSON.stringify(patch));
      await within(60_000, `desired values of ${name} at the device`, written);
      if (round_ > 0) down.push(performance.now() - asked);
    }
  } finally {
    stop.abort();
    await kube.delete(devices, { namespace: 'default', name });
  }
  const both = [up, down].flatMap((took) => [round(quantile(took, 0.5), 0), round(quantile(took, 0.99), 0)]);
  return [count, rounds[count], ...both];
}

async function wantedProperties(kube: KubeApi, name: string, value: string): Promise<object[]> {
  const { spec } = (await kube.get(devices, { namespace: 'default', name })) as Device;
  return (spec?.properties ?? []).map((property) => ({ ...property, desired: { value } }));
}

async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`never: ${what}`)), ms).unref();
  });
  return Promise.race([work, late]);
}

/** As many reports as one edge takes, each of a value of its own; then whether the newest ones arrive. */
async function measureFlood(parts: Parts, kube: KubeApi, twinsEach: number): Promise<(string | number)[]> {
  const protocol = `flood-${twinsEach}`;
  const named = Array.from({ length: 100 }, (_, n) => `${protocol}-${n}`);
  await createModel(kube, protocol, protocol, twinsEach);
  for (const name of named) await createDevice(kube, parts.node, { name, model: protocol, protocol, count: twinsEach });
  const channel = openGrpcChannel({ socketPath: parts.layout.edge.dmiSocket });
  const manager = createDeviceManager(channel);
  const names = propertyNames(twinsEach);
  const last = new Map<string, string>();
  const took: number[] = [];
  let refused = 0;
  let value = 0;
  const report = async (deviceName: string): Promise<boolean> => {
    const text_ = String((value += 1));
    const twins = names.map((propertyName) => ({ propertyName, reported: { value: text_ } }));
    const began = performance.now();
    try {
      await manager.reportDeviceStatus({ deviceName, deviceNamespace: 'default', reportedDevice: { twins } });
    } catch {
      refused += 1;
      return false;
    }
    took.push(performance.now() - began);
    last.set(deviceName, text_);
    return true;
  };
  await eventually('the devices at the edge', () => report(named.at(-1)!), 60_000);
  took.length = refused = 0;
  const before = processFigures(parts.pid('edgecore')).cpuSeconds;
  const began = performance.now();
  // Each device by one caller, so that its reports have an order.
  await Promise.all(
    Array.from({ length: 20 }, async (_, caller) => {
      const mine = named.filter((__, n) => n % 20 === caller);
      for (let n = 0; performance.now() - began < floodSeconds * 1_000; n++) await report(mine[n % mine.length]!);
    }),
  );
  const lasted = (performance.now() - began) / 1_000;
  const cpu = processFigures(parts.pid('edgecore')).cpuSeconds - before;
  const confirmedAfter = performance.now();
  const stale = async (): Promise<number> => {
    const shown = new Map<string, string | undefined>();
    for (const collection of [devices, deviceStatuses]) {
      for (const { metadata, status } of (await kube.list(collection)).items as (Device | DeviceStatus)[]) {
        if (status?.twins?.length) shown.set(metadata.name ?? '', status.twins.at(-1)?.reported?.value);
      }
    }
    return [...last].filter(([name, newest]) => shown.get(name) !== newest).length;
  };
  const arrived = await eventually('the newest values in the API', async () => (await stale()) === 0, 60_000).then(
    () => true,
    () => false,
  );
  const caughtUp = performance.now() - confirmedAfter;
  channel.close();
  for (const name of named) await kube.delete(devices, { namespace: 'default', name });
  return [
    twinsEach,
    Math.round(took.length / lasted),
    Math.round((took.length * twinsEach) / lasted),
    round(quantile(took, 0.5)),
    round(quantile(took, 0.99)),
    refused,
    `${Math.round((cpu / lasted) * 100)} %`,
    arrived ? `none, after ${round(caughtUp / 1_000)} s` : `${await stale()} of ${last.size}`,
  ];
}

async function measureMemory(parts: Parts, what: string): Promise<(string | number)[]> {
  await parts.end('edgecore', 'SIGTERM');
  await parts.start('edgecore');
  await parts.waitReady();
  await pause(settleMs);
  const rss: number[] = [];
  const anon: number[] = [];
  const before = processFigures(parts.pid('edgecore')).cpuSeconds;
  for (let n = 0; n < looks; n++) {
    await pause(lookMs);
    const { rssMB, anonMB } = processFigures(parts.pid('edgecore'));
    rss.push(rssMB);
    anon.push(anonMB);
  }
  const cpu = (processFigures(parts.pid('edgecore')).cpuSeconds - before) / ((looks * lookMs) / 1_000);
  return [what, quantile(rss, 0.5), quantile(anon, 0.5), Math.max(...rss), Math.max(...anon), `${round(cpu * 100)} %`];
}

export async function benchDevicesEdge(): Promise<void> {
  const parts = await createParts('bench-devices');
  const world: World = { onWrite: () => undefined, tell: new Map() };
  const stops: (() => Promise<unknown>)[] = [];
  try {
    await parts.startAll();
    const access = await openKubeApi(parts.kubeconfig, 'bench', { qps: 5_000 });
    stops.push(() => access.close());
    const kube = access.api;
    const mapperAt = { directory: parts.layout.run, dmiSocket: parts.layout.edge.dmiSocket };
    const memory = [await measureMemory(parts, 'without devices')];

    stops.push(await startMapper(mapperAt, 'wide', world));
    const latencies = [await measureLatency(parts, kube, world, 1), await measureLatency(parts, kube, world, 1_000)];
    const figures = ['device to watcher, p50 ms', 'p99 ms', 'desired to device, p50 ms', 'p99 ms'];
    printTable('One device, through edgecore and a mapper', ['properties', 'rounds', ...figures], latencies);
    const floods = [await measureFlood(parts, kube, 1), await measureFlood(parts, kube, 20)];

    printTable(
      `Reports through one edge, 100 devices, 20 at once, ${floodSeconds} s`,
      ['twins each', 'reports/s', 'twins/s', 'p50 ms', 'p99 ms', 'refused', 'CPU of edgecore', 'stale in the API'],
      floods,
    );

    await createModel(kube, 'cycle', 'cycle', 3);
    for (let n = 0; n < memoryDevices; n++) {
      const made: Made = { name: `cycle-${n}`, model: 'cycle', protocol: 'cycle', count: 3, how: 'polled' };
      await createDevice(kube, parts.node, made);
    }
    stops.push(await startMapper(mapperAt, 'cycle', world));
    memory.push(await measureMemory(parts, `${memoryDevices} devices × 3 properties × 1 Hz`));

    const columns = ['edgecore', 'RSS MB', 'of it anonymous', 'highest RSS', 'highest anonymous', 'CPU of one core'];
    printTable(`Memory, over ${(looks * lookMs) / 1_000} s`, columns, memory);
  } finally {
    for (const stop of stops.reverse()) await stop();
    await parts.remove();
  }
}
