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
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
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

/** The same calls against either API. */
async function load({ access: { api }, kubeconfig }: RunningApi, who: string): Promise<Row[]> {
  const rows: Row[] = [];
  const push = (name: string, perSecond: number | '', took: readonly number[]): void => {
    const row = [name, who, perSecond, round(quantile(took, 0.5), 2), round(quantile(took, 0.99), 2)];
    console.error(row.join(' | '));
    rows.push(row);
  };
  const add = (name: string, { perSecond, took }: Awaited<ReturnType<typeof drive>>): void =>
    push(name, perSecond, took);
  const create = (n: number): Promise<unknown> => api.create(configMaps, 'default', configMapOf(n));
  add('create, 1 at once', await drive(1_000, 1, create));
  add('create, 32 at once', await drive(objects - 1_000, 32, (n) => create(1_000 + n)));
  add(
    'get, 32 at once',
    await drive(5_000, 32, (n) => api.get(configMaps, { namespace: 'default', name: `bench-${n}` })),
  );
  const patch = (n: number): Promise<unknown> =>
    api.patch(
      configMaps,
      { namespace: 'default', name: `bench-${n}` },
      'merge',
      JSON.stringify({ data: { n: String(n) } }),
    );
  add('merge patch, 32 at once', await drive(3_000, 32, patch));
  const update = async (n: number): Promise<unknown> => {
    const { metadata } = configMapOf(n);
    return api.update(configMaps, { ...configMapOf(n), metadata, data: { value: `updated ${n}` } });
  };
  add('update, 32 at once', await drive(3_000, 32, update));
  add('list of 10,000', await drive(5, 1, () => api.list(configMaps, { namespace: 'default' })));
  await api.create(serviceAccounts, 'default', { metadata: { name: 'default' } }).catch(() => undefined);
  add('create pods, 32 at once', await drive(objects, 32, (n) => api.create(pods, 'default', podOf(n))));
  add('list of 10,000 pods', await drive(5, 1, () => api.list(pods, { namespace: 'default' })));
  push('patch sent to seen by a watch', '', await watchLatencies(api, 500));
  for (const watchers of [1, 10, 100, 1_000]) {
    const took = await fanOut(api, kubeconfig, watchers, watchers < 1_000 ? 100 : 20);
    const total = took.reduce((sum, ms) => sum + ms, 0) / 1_000;
    push(`a change told to ${watchers}`, Math.round((watchers * took.length) / total), took);
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
  const contenders: [string, typeof startOurs][] = [['kedge', startOurs]];
  const missing = realApiMissing();
  if (missing) console.log(`(no kube-apiserver beside it: ${missing})\n`);
  else contenders.push(['kube-apiserver + etcd', startTheirs]);
  const rates: Row[] = [];
  const memory: Row[] = [];
  const watches: Row[] = [];
  for (const [who, start] of contenders) {
    const parent = await mkdtemp(join(tmpdir(), 'kedge-bench-api-'));
    const port = (await freePortBase()) + 443;
    let running = await start(parent, port);
    try {
      await pause(3_000);
      memory.push([who, 'empty', running.readyMs, ...memoryOf(running)]);
      rates.push(...(await load(running, who)));
      memory.push([who, 'after writing 20,000 objects', '', ...memoryOf(running)]);
      watches.push(await manyWatches(running, who));
      if (start === startOurs) {
        await running.stop();
        running = await start(parent, port);
        await pause(3_000);
        memory.push([who, 'restarted with 20,000 objects', running.readyMs, ...memoryOf(running)]);
      }
    } finally {
      await running.stop();
      await rm(parent, { recursive: true, force: true });
    }
  }
  const byCall = [...rates].sort((a, b) => order(a[0]!) - order(b[0]!));
  printTable('API: an answered write is on disk', ['', 'server', 'per second', 'p50 ms', 'p99 ms'], byCall);
  const head = ['server', 'state', 'ready after ms', 'RSS MB', 'anonymous MB'];
  printTable('API: start and memory (ours with controllers and scheduler, theirs without)', head, memory);
  printTable(
    'API: 10,000 open watches of one collection',
    ['server', 'opened in ms', 'a change told to all in ms', 'RSS MB before', 'RSS MB open', 'KiB each'],
    watches,
  );

  function order(call: string | number): number {
    return rates.findIndex(([name]) => name === call);
  }
}
