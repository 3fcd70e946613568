// The embedded API: start to ready, writes per second, watch latency, and memory at 10,000 objects.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seconds, withTimeout } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import { systemClock } from '@kedge/platform/node';
import { type KubeAccess, openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { freePortBase } from '../e2e/harness/ports.ts';
import { createRealApi, realApiMissing } from '../e2e/harness/real-api.ts';
import { kedgeProgram } from '../e2e/harness/run.ts';
import { processFigures, quantile, round } from './process-figures.ts';
import { printTable } from './table.ts';
import { openWatchers } from './watch-fan-out.ts';

const configMaps = { group: '', version: 'v1', resource: 'configmaps' };
const pods = { group: '', version: 'v1', resource: 'pods' };
const serviceAccounts = { group: '', version: 'v1', resource: 'serviceaccounts' };
const objects = 10_000;
const patience = seconds(60);

/** Held back by a gate: a scheduler has nothing to do with them. */
const podOf = (n: number): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `bench-${n}`, namespace: 'default', labels: { app: 'bench' } },
    spec: {
      schedulingGates: [{ name: 'bench' }],
      containers: [{ name: 'main', image: 'busybox:1', command: ['sleep', '3600'] }],
    },
  }) as KubeObject;

const configMapOf = (n: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: `bench-${n}`, namespace: 'default', labels: { app: 'bench', shard: String(n % 10) } },
  data: { value: 'x'.repeat(400) },
});

/** Runs `work` for 0..count-1 with so many at once; returns each call's milliseconds and calls per second. */
async function drive(count: number, atOnce: number, work: (n: number) => Promise<unknown>) {
  const took: number[] = [];
  let next = 0;
  const began = performance.now();
  const lane = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      const start = performance.now();
      await work(n);
      took.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return { perSecond: Math.round(count / ((performance.now() - began) / 1_000)), took };
}

/** Milliseconds from sending an update to a watcher holding it. */
async function watchLatencies(api: KubeApi, count: number): Promise<readonly number[]> {
  const stop = new AbortController();
  const sentAt = new Map<string, number>();
  const took: number[] = [];
  const resourceVersion = await newestVersion(api);
  const watch = async (): Promise<void> => {
    for await (const change of api.watch(configMaps, { namespace: 'default' }, resourceVersion, stop.signal)) {
      if (change.type === 'expired') break;
      if (change.type !== 'modified') continue;
      const sent = sentAt.get((change.object['data'] as { tick?: string }).tick ?? '');
      if (sent !== undefined) took.push(performance.now() - sent);
      if (took.length === count) return;
    }
    throw new Error(`the watch ended after ${took.length} of ${count} changes`);
  };
  const write = async (): Promise<void> => {
    for (let n = 0; n < count; n++) {
      sentAt.set(String(n), performance.now());
      const document = JSON.stringify({ data: { tick: String(n) } });
      await api.patch(configMaps, { namespace: 'default', name: 'bench-0' }, 'merge', document);
    }
  };
  const late = (): Error => new Error(`a watcher has seen ${took.length} of ${count} changes`);
  try {
    await withTimeout(systemClock, 'a watcher', patience, Promise.all([watch(), write()]), late);
  } finally {
    stop.abort();
  }
  return took;
}

/** Of the whole server, not of an object: an object's own may be too old to watch from. */
async function newestVersion(api: KubeApi): Promise<string> {
  const { body } = await api.raw('/api/v1/namespaces/default/configmaps?limit=1');
  return (JSON.parse(body) as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
}

/** Milliseconds until all of `watchers` hold a change, over `changes` changes one after the other. */
async function fanOut(api: KubeApi, kubeconfig: string, watchers: number, changes: number): Promise<readonly number[]> {
  const resourceVersion = await newestVersion(api);
  const path = `/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=${resourceVersion}`;
  const opened = await openWatchers(kubeconfig, path, watchers);
  const took: number[] = [];
  try {
    for (let n = 0; n < changes; n++) {
      const began = performance.now();
      const document = JSON.stringify({ data: { fan: `${watchers}-${n}` } });
      const patched = api.patch(configMaps, { namespace: 'default', name: 'bench-1' }, 'merge', document);
      await Promise.all([opened.seen(1), patched]);
      took.push(performance.now() - began);
    }
  } finally {
    opened.close();
  }
  return took;
}

interface RunningApi {
  readonly access: KubeAccess;
  readonly kubeconfig: string;
  /** All processes that make up the API. */
  readonly pids: readonly number[];
  readonly readyMs: number;
  stop(): Promise<void>;
}

async function startOurs(parent: string, port: number): Promise<RunningApi> {
  const kubeconfig = join(parent, 'kubeconfig');
  const config = { directory: join(parent, 'api'), address: '127.0.0.1', port, kubeconfigs: { admin: kubeconfig } };
  await writeFile(join(parent, 'api.json'), JSON.stringify(config));
  const began = performance.now();
  const child = spawn(kedgeProgram, ['apiserver', '--config', join(parent, 'api.json')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const access = await untilReady(kubeconfig);
  return {
    access,
    kubeconfig,
    pids: [child.pid!],
    readyMs: Math.round(performance.now() - began),
    async stop() {
      await access.close();
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const late = (): Error => new Error('the API server did not end on SIGTERM');
      await withTimeout(systemClock, 'the API server to end', patience, ended, late);
    },
  };
}

async function startTheirs(parent: string, port: number): Promise<RunningApi> {
  const kubeconfig = join(parent, 'kubeconfig');
  const api = createRealApi({ directory: join(parent, 'real'), port, kubeconfigs: [kubeconfig] });
  const began = performance.now();
  await api.start();
  const readyMs = Math.round(performance.now() - began);
  const access = await untilReady(kubeconfig);
  return {
    access,
    kubeconfig,
    pids: api.pids(),
    readyMs,
    async stop() {
      await access.close();
      await api.end('SIGTERM');
    },
  };
}

async function untilReady(kubeconfig: string): Promise<KubeAccess> {
  const end = performance.now() + patience;
  while (performance.now() < end) {
    const access = await openKubeApi(kubeconfig, 'bench', { qps: 100_000 }).catch(() => undefined);
    const ready = await access?.api.raw('/readyz').catch(() => undefined);
    if (access && ready?.status === 200) return access;
    await access?.close();
    await pause(10);
  }
  throw new Error('the API was not ready in time');
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function memoryOf({ pids }: RunningApi): readonly [rssMB: number, anonMB: number] {
  const all = pids.map(processFigures);
  return [round(all.reduce((sum, one) => sum + one.rssMB, 0)), round(all.reduce((sum, one) => sum + one.anonMB, 0))];
}

type Row = (string | number)[];

interface Figures {
  readonly perSecond: number | '';
  readonly took: readonly number[];
}

interface Contender {
  readonly who: string;
  readonly parent: string;
  running: RunningApi;
}

type Step = readonly [name: string, run: (running: RunningApi) => Promise<Figures>];

const everything = `/api/v1/namespaces/default/pods`;

async function told({ access, kubeconfig }: RunningApi, watchers: number): Promise<Figures> {
  const took = await fanOut(access.api, kubeconfig, watchers, watchers < 1_000 ? 100 : 30);
  const total = took.reduce((sum, ms) => sum + ms, 0) / 1_000;
  return { perSecond: Math.round((watchers * took.length) / total), took };
}

/** In this order, each with every server in turn: what else the machine does meets them alike. */
const steps: readonly Step[] = [
  [
    'create, 1 at once',
    ({ access: { api } }) => drive(1_000, 1, (n) => api.create(configMaps, 'default', configMapOf(n))),
  ],
  [
    'create, 32 at once',
    ({ access: { api } }) =>
      drive(objects - 1_000, 32, (n) => api.create(configMaps, 'default', configMapOf(1_000 + n))),
  ],
  [
    'get, 32 at once',
    ({ access: { api } }) => drive(5_000, 32, (n) => api.get(configMaps, { namespace: 'default', name: `bench-${n}` })),
  ],
  [
    'merge patch, 32 at once',
    ({ access: { api } }) =>
      drive(3_000, 32, (n) => {
        const document = JSON.stringify({ data: { n: String(n) } });
        return api.patch(configMaps, { namespace: 'default', name: `bench-${n}` }, 'merge', document);
      }),
  ],
  [
    'update, 32 at once',
    ({ access: { api } }) =>
      drive(3_000, 32, (n) => api.update(configMaps, { ...configMapOf(n), data: { value: `updated ${n}` } })),
  ],
  [
    'create pods, 32 at once',
    async ({ access: { api } }) => {
      await api.create(serviceAccounts, 'default', { metadata: { name: 'default' } }).catch(() => undefined);
      return drive(objects, 32, (n) => api.create(pods, 'default', podOf(n)));
    },
  ],
  ['list of 10,000', ({ access: { api } }) => drive(5, 1, () => api.list(configMaps, { namespace: 'default' }))],
  ['list of 10,000 pods', ({ access: { api } }) => drive(5, 1, () => api.list(pods, { namespace: 'default' }))],
  ['list of 10,000 pods, in one piece and not parsed', ({ access: { api } }) => drive(5, 1, () => api.raw(everything))],
  [
    'list of 10,000 pods, none of them on the node asked for',
    ({ access: { api } }) => drive(5, 1, () => api.raw(`${everything}?fieldSelector=spec.nodeName%3Dedge`)),
  ],
  [
    'patch sent to seen by a watch',
    async ({ access: { api } }) => ({ perSecond: '', took: await watchLatencies(api, 500) }),
  ],
  ['a change told to 1', (running) => told(running, 1)],
  ['a change told to 10', (running) => told(running, 10)],
  ['a change told to 100', (running) => told(running, 100)],
  ['a change told to 1000', (running) => told(running, 1_000)],
];

async function load(contenders: readonly Contender[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, run] of steps) {
    for (const { who, running } of contenders) {
      const { perSecond, took } = await run(running);
      const row = [name, who, perSecond, round(quantile(took, 0.5), 2), round(quantile(took, 0.99), 2)];
      console.error(row.join(' | '));
      rows.push(row);
    }
  }
  return rows;
}

/** Ten thousand open watches, and one change told to all of them. */
async function manyWatches(running: RunningApi, who: string): Promise<Row> {
  const { api } = running.access;
  const before = memoryOf(running)[0];
  const resourceVersion = await newestVersion(api);
  const path = `/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=${resourceVersion}`;
  const began = performance.now();
  const opened = await openWatchers(running.kubeconfig, path, 10_000);
  const openMs = Math.round(performance.now() - began);
  const open = memoryOf(running)[0];
  const sent = performance.now();
  const patched = api.patch(configMaps, { namespace: 'default', name: 'bench-1' }, 'merge', '{"data":{"to":"all"}}');
  await Promise.all([opened.seen(1), patched]).finally(() => opened.close());
  const toldMs = Math.round(performance.now() - sent);
  return [who, openMs, toldMs, before, open, round(((open - before) * 1_024) / 10_000, 1)];
}

export async function benchApi(): Promise<void> {
  const starters: [string, typeof startOurs][] = [['kedge', startOurs]];
  const missing = realApiMissing();
  if (missing) console.log(`(no kube-apiserver beside it: ${missing})\n`);
  else starters.push(['kube-apiserver + etcd', startTheirs]);
  const memory: Row[] = [];
  const watches: Row[] = [];
  const contenders: Contender[] = [];
  try {
    for (const [who, start] of starters) {
      const parent = await mkdtemp(join(tmpdir(), 'kedge-bench-api-'));
      const running = await start(parent, (await freePortBase()) + 443);
      contenders.push({ who, parent, running });
      await pause(10_000);
      memory.push([who, 'empty', running.readyMs, ...memoryOf(running)]);
    }
    const rates = await load(contenders);
    for (const { who, running } of contenders)
      memory.push([who, 'after writing 20,000 objects', '', ...memoryOf(running)]);
    for (const { who, running } of contenders) watches.push(await manyWatches(running, who));
    await pause(90_000);
    for (const { who, running } of contenders) memory.push([who, 'a minute later', '', ...memoryOf(running)]);
    const [ours] = contenders;
    await ours!.running.stop();
    ours!.running = await startOurs(ours!.parent, (await freePortBase()) + 443);
    await pause(3_000);
    memory.push([ours!.who, 'restarted with 20,000 objects', ours!.running.readyMs, ...memoryOf(ours!.running)]);
    print(rates, memory, watches);
  } finally {
    for (const { running, parent } of contenders) {
      await running.stop();
      await rm(parent, { recursive: true, force: true });
    }
  }
}

function print(rates: Row[], memory: Row[], watches: Row[]): void {
  printTable('API: an answered write is on disk', ['', 'server', 'per second', 'p50 ms', 'p99 ms'], rates);
  const head = ['server', 'state', 'ready after ms', 'RSS MB', 'anonymous MB'];
  printTable('API: start and memory (ours with controllers and scheduler, theirs without)', head, memory);
  const columns = ['server', 'opened in ms', 'a change told to all in ms', 'RSS MB before', 'RSS MB open', 'KiB each'];
  printTable('API: 10,000 open watches of one collection', columns, watches);
}
