// The embedded API: start to ready, writes per second, watch latency, and memory at 10,000 objects.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import { openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { freePortBase } from '../e2e/harness/ports.ts';
import { kedgeProgram } from '../e2e/harness/run.ts';
import { processFigures, quantile, round } from './process-figures.ts';
import { printTable } from './table.ts';

const configMaps = { group: '', version: 'v1', resource: 'configmaps' };
const objects = 10_000;

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
  const { resourceVersion } = await api.list(configMaps, { namespace: 'default', labelSelector: 'shard=0' });
  const watching = (async () => {
    for await (const change of api.watch(configMaps, { namespace: 'default' }, resourceVersion, stop.signal)) {
      if (change.type !== 'modified') continue;
      const sent = sentAt.get((change.object['data'] as { tick?: string }).tick ?? '');
      if (sent !== undefined) took.push(performance.now() - sent);
      if (took.length === count) return;
    }
  })();
  for (let n = 0; n < count; n++) {
    sentAt.set(String(n), performance.now());
    await api.patch(
      configMaps,
      { namespace: 'default', name: 'bench-0' },
      'merge',
      JSON.stringify({ data: { tick: String(n) } }),
    );
  }
  await watching;
  stop.abort();
  return took;
}

export async function benchApi(): Promise<void> {
  const parent = await mkdtemp(join(tmpdir(), 'kedge-bench-api-'));
  const port = (await freePortBase()) + 443;
  const kubeconfig = join(parent, 'kubeconfig');
  const config = { directory: join(parent, 'api'), address: '127.0.0.1', port, kubeconfigs: { admin: kubeconfig } };
  await writeFile(join(parent, 'api.json'), JSON.stringify(config));
  const start = async () => {
    const began = performance.now();
    const child = spawn(kedgeProgram, ['apiserver', '--config', join(parent, 'api.json')], { stdio: 'ignore' });
    for (;;) {
      const access = await openKubeApi(kubeconfig, 'bench', { qps: 100_000 }).catch(() => undefined);
      const ready = await access?.api.raw('/readyz').catch(() => undefined);
      if (access && ready?.status === 200) return { child, access, took: performance.now() - began };
      await access?.close();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  let running = await start();
  try {
    const { api } = running.access;
    const idle = processFigures(running.child.pid!);
    const rows: (string | number)[][] = [];
    const add = (name: string, { perSecond, took }: Awaited<ReturnType<typeof drive>>): void =>
      void rows.push([name, perSecond, round(quantile(took, 0.5), 2), round(quantile(took, 0.99), 2)]);
    add('create, 1 at once', await drive(1_000, 1, (n) => api.create(configMaps, 'default', configMapOf(n))));
    add(
      'create, 32 at once',
      await drive(objects - 1_000, 32, (n) => api.create(configMaps, 'default', configMapOf(1_000 + n))),
    );
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
    add('list of 10,000', await drive(5, 1, () => api.list(configMaps, { namespace: 'default' })));
    printTable('Embedded API, an answered write is on disk', ['', 'per second', 'p50 ms', 'p99 ms'], rows);

    const latencies = await watchLatencies(api, 500);
    printTable(
      'Watch',
      ['', 'p50 ms', 'p99 ms'],
      [['send to seen', round(quantile(latencies, 0.5), 2), round(quantile(latencies, 0.99), 2)]],
    );

    const loaded = processFigures(running.child.pid!);
    running.child.kill('SIGTERM');
    await new Promise((resolve) => running.child.once('exit', resolve));
    await running.access.close();
    running = await start();
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const again = processFigures(running.child.pid!);
    printTable(
      'Memory and start of the API with controllers and scheduler',
      ['', 'RSS MB', 'anonymous MB'],
      [
        ['empty', idle.rssMB, idle.anonMB],
        ['10,000 objects, after the load', loaded.rssMB, loaded.anonMB],
        [`10,000 objects, restarted (ready in ${Math.round(running.took)} ms)`, again.rssMB, again.anonMB],
      ],
    );
  } finally {
    running.child.kill('SIGTERM');
    await running.access.close();
    await rm(parent, { recursive: true, force: true });
  }
}
