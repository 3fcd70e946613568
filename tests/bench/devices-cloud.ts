// The cloud's half of devices: reports per second through one cloudcore, back to back and steadily, through 500 edges and
// through one; what is lost or stale at the end; and the API writes that a few devices at 1 Hz cause.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import { type Device, type DeviceStatus, deviceModels, devices, deviceStatuses } from '@kedge/model/kubeedge';
import { openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { cloudcoreConfig } from '../../apps/kedge/src/site/config-files.ts';
import { siteLayout, sitePorts } from '../../apps/kedge/src/site/layout.ts';
import { freePortBase } from '../e2e/harness/ports.ts';
import { eventually, kedgeProgram } from '../e2e/harness/run.ts';
import { findPeer, startGoCloudCore } from '../interop/peers/go-cloudcore.ts';
import { type HollowEdge, openHollowEdges } from './hollow-edges.ts';
import { processFigures, quantile, round } from './process-figures.ts';
import { printTable } from './table.ts';

const edgeCount = 500;
const updates = 5;
const steadySeconds = 20;
const patience = 60_000;
const nodes = { group: '', version: 'v1', resource: 'nodes' };

interface Rig {
  readonly name: string;
  readonly isOurs: boolean;
  readonly kube: KubeApi;
  readonly hub: number;
  /** Seconds of processor time so far. */
  spent(): Spent;
  remove(): Promise<void>;
}

interface Spent {
  readonly api: number;
  readonly cloudcore: number;
  /** This process: all edges, and who watches. */
  readonly edges: number;
}

async function openRig(goCloud: string | undefined): Promise<Rig> {
  const parent = await mkdtemp(join(tmpdir(), 'kedge-bench-devices-'));
  const layout = siteLayout(join(parent, 'site'));
  const ports = sitePorts(await freePortBase());
  for (const directory of [layout.logs, layout.api.directory]) await mkdir(directory, { recursive: true });
  const kubeconfigs = { admin: layout.kubeconfig, cloudcore: layout.cloudcore.kubeconfig };
  const api = { directory: layout.api.directory, address: '127.0.0.1', port: ports.api, kubeconfigs };
  await writeFile(layout.api.config, JSON.stringify(api));
  await writeFile(layout.cloudcore.config, cloudcoreConfig(layout, ports));
  const children: ChildProcess[] = [];
  const launch = (part: string, config: string): void => {
    const log = openSync(join(layout.logs, `${part}.log`), 'a');
    children.push(spawn(kedgeProgram, [part, '--config', config], { stdio: ['ignore', log, log] }));
    closeSync(log);
  };
  const end = async (child: ChildProcess): Promise<void> => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  launch('apiserver', layout.api.config);
  const access = await eventually('a kubeconfig', () => openKubeApi(layout.kubeconfig, 'bench', { qps: 5_000 }));
  await eventually('the API', async () => (await access.api.raw('/readyz')).status === 200);
  // Ours installs the definitions that the Go one expects to find.
  launch('cloudcore', layout.cloudcore.config);
  const isInstalled = () => access.api.list(deviceModels).then(() => true);
  await eventually('the definitions', isInstalled);
  await eventually('the hub', async () =>
    access.api.get({ group: '', version: 'v1', resource: 'secrets' }, { namespace: 'kubeedge', name: 'tokensecret' }),
  );
  let go: Awaited<ReturnType<typeof startGoCloudCore>> | undefined;
  if (goCloud !== undefined) {
    await end(children.pop()!);
    for (const name of ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations']) {
      const collection = { group: 'admissionregistration.k8s.io', version: 'v1', resource: name };
      for (const { metadata } of (await access.api.list(collection)).items) {
        await access.api.delete(collection, { name: metadata.name ?? '' });
      }
    }
    go = await startGoCloudCore(goCloud, layout.kubeconfig, undefined, { devices: true });
    const { hubPort, log } = go;
    await eventually(
      `the hub of the Go cloudcore (${log().slice(-500)})`,
      () => openHollowEdges(access.api, hubPort, ['first']).then(([edge]) => (edge!.close(), true)),
      120_000,
    );
  }
  return {
    name: go ? 'KubeEdge v1.22.2' : 'kedge',
    isOurs: go === undefined,
    kube: access.api,
    hub: go?.hubPort ?? ports.hub,
    spent() {
      const [api, cloudcore] = [...children.map(({ pid }) => pid!), ...(go ? [go.pid] : [])].map(
        (pid) => processFigures(pid).cpuSeconds,
      );
      const { user, system } = process.cpuUsage();
      return { api: api!, cloudcore: cloudcore!, edges: (user + system) / 1e6 };
    },
    async remove() {
      await go?.stop();
      await access.close();
      for (const child of children) await end(child);
      await rm(parent, { recursive: true, force: true });
    },
  };
}

const properties = ['temperature', 'pressure', 'humidity'];

async function createDevices(
  kube: KubeApi,
  named: readonly (readonly [device: string, node: string])[],
): Promise<void> {
  await ignoreExisting(
    kube.create(deviceModels, 'default', {
      apiVersion: 'devices.kubeedge.io/v1beta1',
      kind: 'DeviceModel',
      metadata: { name: 'bench', namespace: 'default' },
      spec: {
        protocol: 'virtual',
        properties: properties.map((name) => ({ name, type: 'INT', accessMode: 'ReadOnly' })),
      },
    }),
  );
  for (const [name, nodeName] of named) {
    await kube.create(devices, 'default', {
      apiVersion: 'devices.kubeedge.io/v1beta1',
      kind: 'Device',
      metadata: { name, namespace: 'default' },
      spec: {
        deviceModelRef: { name: 'bench' },
        nodeName,
        protocol: { protocolName: 'virtual' },
        properties: properties.map((property) => ({ name: property })),
      },
    });
  }
}

const createNode = (kube: KubeApi, name: string): Promise<unknown> =>
  kube.create(nodes, undefined, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'node-role.kubernetes.io/edge': '' } },
  });

async function ignoreExisting(made: Promise<KubeObject>): Promise<void> {
  await made.catch((error: unknown) => {
    if (!isStatus(error, 'AlreadyExists')) throw error;
  });
}

const versions = new Map<string, number>();
function twin(device: string, property: string, value: number): object {
  const key = `${device}/${property}`;
  const edge = (versions.get(key) ?? 0) + 1;
  versions.set(key, edge);
  return {
    [property]: {
      actual: { value: String(value), metadata: { timestamp: Date.now() } },
      optional: true,
      metadata: { type: 'int' },
      actual_version: { cloud: 0, edge },
    },
  };
}

/** By device, the value that the API shows. */
async function stored(kube: KubeApi, property: string): Promise<Map<string, string | undefined>> {
  const found = new Map<string, string | undefined>();
  for (const collection of [devices, deviceStatuses]) {
    for (const { metadata, status } of (await kube.list(collection)).items as (Device | DeviceStatus)[]) {
      const reported = status?.twins?.find((one) => one.propertyName === property)?.reported;
      if (reported) found.set(metadata.name ?? '', reported.value);
    }
  }
  return found;
}

interface Confirmed {
  readonly took: number;
  /** Since the beginning, milliseconds. */
  readonly at: number;
}

interface Outcome {
  readonly perSecond: number;
  /** When each was confirmed, milliseconds since the beginning. */
  readonly at: readonly number[];
  /** Until the edge was told that it is in the API. */
  readonly took: readonly number[];
  readonly unconfirmed: number;
  /** Until a watcher of the API saw the value, or a newer one of the same property. */
  readonly seen: readonly number[];
  /** Seconds of processor time per 1,000 reports. */
  readonly cost: Spent;
}

interface Seen {
  /** Resolves with the milliseconds until the property of the device has this value or a newer one at the watcher. */
  until(device: string, property: string, value: number): Promise<number>;
  close(): void;
}

/** One watch on all devices, as an application would have it; values only grow here. */
async function watchDevices(kube: KubeApi): Promise<Seen> {
  const waiting = new Map<string, { value: number; began: number; resolve: (took: number) => void }[]>();
  const stop = new AbortController();
  const see = ({ metadata, status }: Device | DeviceStatus): void => {
    for (const { propertyName, reported } of status?.twins ?? []) {
      const waits = waiting.get(`${metadata.name}/${propertyName}`);
      const value = Number(reported?.value);
      while (waits?.length && waits[0]!.value <= value) {
        const { began, resolve } = waits.shift()!;
        resolve(performance.now() - began);
      }
    }
  };
  /** A watch that ends, on a machine too busy to keep up with it, is taken up again with a list. */
  const follow = async (collection: typeof devices, isOpen: () => void): Promise<void> => {
    const { items, resourceVersion } = await kube.list(collection, {}, { signal: stop.signal });
    for (const item of items) see(item as Device);
    isOpen();
    for await (const change of kube.watch(collection, { namespace: 'default' }, resourceVersion, stop.signal)) {
      if (change.type === 'added' || change.type === 'modified') see(change.object as Device);
    }
  };
  const keepFollowing = async (collection: typeof devices, isOpen: () => void): Promise<void> => {
    while (!stop.signal.aborted) await follow(collection, isOpen).catch(() => pause(200));
  };
  for (const collection of [devices, deviceStatuses]) {
    await new Promise<void>((resolve) => void keepFollowing(collection, resolve));
  }
  return {
    until(device, property, value) {
      const key = `${device}/${property}`;
      const waits = waiting.get(key) ?? [];
      waiting.set(key, waits);
      return new Promise((resolve) => waits.push({ value, began: performance.now(), resolve }));
    },
    close: () => stop.abort(),
  };
}

interface Sent {
  readonly confirmed: Promise<Confirmed>;
  readonly seen: Promise<number>;
}

/** Sends what `send` sends and waits for all of it; what has not come by then counts as lost. */
async function measured(
  rig: Rig,
  send: (report: (edge: HollowEdge, device: string, property: string, value: number) => void) => Promise<void>,
): Promise<Outcome> {
  const watcher = await watchDevices(rig.kube);
  const before = rig.spent();
  const began = performance.now();
  const sent: Sent[] = [];
  await send((edge, device, property, value) => {
    const seen = watcher.until(device, property, value);
    const confirmed = edge
      .report(device, twin(device, property, value))
      .then((took) => ({ took, at: performance.now() - began }));
    sent.push({ confirmed, seen });
  });
  const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), patience).unref());
  const orLate = <T>(one: Promise<T>): Promise<T | undefined> => Promise.race([one.catch(() => undefined), late]);
  const settled = await Promise.all(sent.map(({ confirmed }) => orLate(confirmed)));
  const seen = await Promise.all(sent.map((one) => orLate(one.seen)));
  const after = rig.spent();
  watcher.close();
  const confirmed = settled.filter((one) => one !== undefined);
  const seconds = Math.max(...confirmed.map(({ at }) => at)) / 1_000;
  const per1000 = (part: keyof Spent): number => ((after[part] - before[part]) / sent.length) * 1_000;
  return {
    perSecond: Math.round(confirmed.length / seconds),
    at: confirmed.map(({ at }) => at),
    took: confirmed.map(({ took }) => took),
    unconfirmed: settled.length - confirmed.length,
    seen: seen.filter((one) => one !== undefined),
    cost: { api: per1000('api'), cloudcore: per1000('cloudcore'), edges: per1000('edges') },
  };
}

const backToBack = (rig: Rig, edges: readonly HollowEdge[], deviceOf: (edge: HollowEdge) => string): Promise<Outcome> =>
  measured(rig, async (report) => {
    for (let value = 1; value <= updates; value++) {
      for (const edge of edges) report(edge, deviceOf(edge), 'temperature', value);
    }
  });

const warmUp = 2;

/**
 * So many reports a second, spread over the devices, each with a value that the device had not before. What is confirmed in a
 * second is counted while they are sent, without the first two seconds: what comes after the last one was sent is no rate.
 */
async function steady(
  rig: Rig,
  perSecond: number,
  seconds: number,
  named: readonly { readonly edge: HollowEdge; readonly device: string; readonly property: string }[],
): Promise<Outcome & { readonly last: ReadonlyMap<string, number> }> {
  const last = new Map<string, number>();
  const total = perSecond * seconds;
  const outcome = await measured(rig, async (report) => {
    const began = performance.now();
    for (let n = 0; n < total; n++) {
      const { edge, device, property } = named[n % named.length]!;
      const value = 100 + n;
      if (property === 'temperature') last.set(device, value);
      report(edge, device, property, value);
      const early = began + ((n + 1) / perSecond) * 1_000 - performance.now();
      if (early > 2) await pause(early);
    }
  });
  const inWindow = outcome.at.filter((at) => at > warmUp * 1_000 && at <= seconds * 1_000);
  return { ...outcome, perSecond: Math.round(inWindow.length / (seconds - warmUp)), last };
}

const row = (
  name: string,
  what: string,
  { perSecond, took, unconfirmed, seen, cost }: Outcome,
  stale: number,
): (string | number)[] => [
  name,
  what,
  perSecond,
  ...[seen, took].flatMap((times) => [round(quantile(times, 0.5), 0), round(quantile(times, 0.99), 0)]),
  unconfirmed,
  stale,
  ...[cost.api, cost.cloudcore, cost.edges].map((seconds) => round(seconds, 2)),
];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** How many devices do not show what they reported last. */
async function staleOf(kube: KubeApi, last: ReadonlyMap<string, number>): Promise<number> {
  await pause(3_000);
  const shown = await stored(kube, 'temperature');
  return [...last].filter(([device, value]) => shown.get(device) !== String(value)).length;
}

async function measureFew(rig: Rig): Promise<(string | number)[]> {
  const { kube, name, hub } = rig;
  await createNode(kube, 'few');
  const few = Array.from({ length: 30 }, (_, i) => `few-${i}`);
  await createDevices(
    kube,
    few.map((device) => [device, 'few'] as const),
  );
  const [edge] = await openHollowEdges(kube, hub, ['few']);
  await pause(10_000);
  const trio = few.flatMap((device) => properties.map((property) => ({ edge: edge!, device, property })));
  await steady(rig, 90, 5, trio);
  const before = await revision(kube);
  const began = performance.now();
  const { took, unconfirmed } = await steady(rig, 90, 30, trio);
  const perSecond = ((await revision(kube)) - before) / ((performance.now() - began) / 1_000);
  edge!.close();
  return [name, round(perSecond, 1), round(quantile(took, 0.5), 0), round(quantile(took, 0.99), 0), unconfirmed];
}

const times = 30;

/** From a report to a watcher that sees it, and from a changed desired value to the edge that has it; milliseconds. */
async function measureLatency({ kube, name, hub }: Rig, count: number): Promise<(string | number)[]> {
  const device = `wide-${count}`;
  const node = `node-${device}`;
  await createNode(kube, node);
  await createDevices(kube, []);
  const names = Array.from({ length: count }, (_, i) => `p${i}`);
  const wanted = (value: string): object[] => names.map((property) => ({ name: property, desired: { value } }));
  await kube.create(devices, 'default', {
    apiVersion: 'devices.kubeedge.io/v1beta1',
    kind: 'Device',
    metadata: { name: device, namespace: 'default' },
    spec: { deviceModelRef: { name: 'bench' }, nodeName: node, properties: wanted('0') },
  });
  const [edge] = await openHollowEdges(kube, hub, [node]);
  await pause(5_000);
  const stop = new AbortController();
  let seen: ((value: string | undefined) => void) | undefined;
  const { resourceVersion } = await kube.list(devices);
  const watching = (async () => {
    for (const collection of [devices, deviceStatuses]) {
      void (async () => {
        for await (const change of kube.watch(collection, { namespace: 'default' }, resourceVersion, stop.signal)) {
          if (change.type !== 'modified' || change.object.metadata.name !== device) continue;
          seen?.((change.object as Device).status?.twins?.at(-1)?.reported?.value);
        }
      })().catch(() => undefined);
    }
  })();
  await watching;
  const up: number[] = [];
  const down: number[] = [];
  for (let n = 1; n <= times; n++) {
    const began = performance.now();
    const isSeen = new Promise<void>((resolve) => (seen = (value) => value === String(n) && resolve()));
    const twins = Object.assign({}, ...names.map((property) => twin(device, property, n))) as object;
    const confirmed = edge!.report(device, twins);
    await Promise.race([isSeen, pause(3_000)]);
    up.push(performance.now() - began);
    await confirmed;
    const sent = performance.now();
    const has = new Promise<void>((resolve) => {
      edge!.onPush = ({ spec }) => (spec as Device['spec'])?.properties?.[0]?.desired?.value === String(n) && resolve();
    });
    const spec = JSON.stringify({ spec: { properties: wanted(String(n)) } });
    await kube.patch(devices, { namespace: 'default', name: device }, 'merge', spec);
    await Promise.race([has, pause(3_000)]);
    down.push(performance.now() - sent);
    await pause(1_100);
  }
  stop.abort();
  edge!.close();
  const figures = [up, down].flatMap((took) => [round(quantile(took, 0.5), 0), round(quantile(took, 0.99), 0)]);
  return [name, count, ...figures];
}

async function measureMany(rig: Rig): Promise<(string | number)[][]> {
  const { kube, name, hub, isOurs } = rig;
  const names = Array.from({ length: edgeCount }, (_, i) => `hollow-${i}`);
  const deviceOf = ({ node }: HollowEdge): string => `of-${node}`;
  for (const node of names) await createNode(kube, node);
  await createDevices(
    kube,
    names.map((node) => [`of-${node}`, node] as const),
  );
  const edges = await openHollowEdges(kube, hub, names);
  await pause(15_000);
  const burst = await backToBack(rig, edges, deviceOf);
  const newest = new Map(names.map((node) => [`of-${node}`, updates] as const));
  const rows = [row(name, `${edgeCount} edges × ${updates} back to back`, burst, await staleOf(kube, newest))];
  // The Go one works off 1,000 a second long after they were sent.
  if (!isOurs) return rows;
  const constant = await steady(
    rig,
    1_000,
    steadySeconds,
    edges.map((edge) => ({ edge, device: deviceOf(edge), property: 'temperature' })),
  );
  const steadily = `1,000/s for ${steadySeconds} s`;
  rows.push(row(name, `${edgeCount} edges, ${steadily}`, constant, await staleOf(kube, constant.last)));
  for (const edge of edges) edge.close();

  await createNode(kube, 'single');
  const many = Array.from({ length: 500 }, (_, i) => `many-${i}`);
  await createDevices(
    kube,
    many.map((device) => [device, 'single'] as const),
  );
  const [single] = await openHollowEdges(kube, hub, ['single']);
  await pause(15_000);
  const alone = await steady(
    rig,
    1_000,
    steadySeconds,
    many.map((device) => ({ edge: single!, device, property: 'temperature' })),
  );
  rows.push(row(name, `one edge with 500 devices, ${steadily}`, alone, await staleOf(kube, alone.last)));
  single!.close();
  return rows;
}

/** The embedded API counts every write of any object. */
const revision = async (kube: KubeApi): Promise<number> => Number((await kube.list(nodes)).resourceVersion);

export async function benchDevicesCloud(): Promise<void> {
  const peer = findPeer('cloudcore-v1.22.2');
  const rigs = [() => openRig(undefined), ...('path' in peer ? [() => openRig(peer.path)] : [])];
  if ('missing' in peer) console.log(`No baseline: ${peer.missing}.\n`);
  const reports: (string | number)[][] = [];
  const writes: (string | number)[][] = [];
  const latencies: (string | number)[][] = [];
  for (const open of rigs) {
    const rig = await open();
    try {
      for (const count of [1, 1_000]) latencies.push(await measureLatency(rig, count));
      writes.push(await measureFew(rig));
      reports.push(...(await measureMany(rig)));
    } catch (error) {
      console.log(`${rig.name}: ${error instanceof Error ? error.message : String(error)}\n`);
    } finally {
      await rig.remove();
    }
  }
  const head = [
    'cloudcore',
    'reports',
    'confirmed/s',
    'at a watcher, p50 ms',
    'p99 ms',
    'confirmed, p50 ms',
    'p99 ms',
    'unconfirmed',
    'devices with an old value',
    'CPU s per 1,000: API',
    'cloudcore',
    'edges and watcher',
  ];
  printTable('Reports of devices through one cloudcore, on the embedded API', head, reports);
  const figures = ['reported to watcher, p50 ms', 'p99 ms', 'desired to edge, p50 ms', 'p99 ms'];
  printTable('One device, its values and its desired values', ['cloudcore', 'properties', ...figures], latencies);
  const columns = ['cloudcore', 'API writes/s, all told', 'p50 ms', 'p99 ms', 'unconfirmed'];
  printTable('30 devices × 3 properties × 1 Hz', columns, writes);
}
