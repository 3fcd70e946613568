// The edge: pod start beside the bare runtime, memory and processor time with 1 and 11 pods.
import type { KubeObject } from '@kedge/model/k8s';
import type { KubeApi } from '@kedge/engine/kube-client';
import { openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { createParts, type Parts } from '../e2e/harness/parts.ts';
import { bareCriStarts } from './bare-cri.ts';
import { processFigures, quantile, round } from './process-figures.ts';
import { printTable } from './table.ts';

const image = 'docker.io/library/busybox:1.35';
const pods = { group: '', version: 'v1', resource: 'pods' };
const starts = 12;
const settleMs = 20_000;
const idleMs = 30_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const podOf = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    containers: [{ name: 'main', image, imagePullPolicy: 'IfNotPresent', command: ['sleep', '100000'] }],
  },
});

/** Milliseconds from the create call to Running as a watcher sees it. */
async function podStart(api: KubeApi, name: string): Promise<number> {
  const stop = new AbortController();
  const { resourceVersion } = await api.list(pods, { namespace: 'default' });
  const began = performance.now();
  await api.create(pods, 'default', podOf(name));
  const selection = { namespace: 'default', fieldSelector: `metadata.name=${name}` };
  for await (const change of api.watch(pods, selection, resourceVersion, stop.signal)) {
    if (change.type !== 'modified' && change.type !== 'added') continue;
    if ((change.object['status'] as { phase?: string } | undefined)?.phase !== 'Running') continue;
    const took = performance.now() - began;
    stop.abort();
    return took;
  }
  throw new Error(`the watch on ${name} ended before it ran`);
}

async function removePod(api: KubeApi, name: string): Promise<void> {
  await api.delete(pods, { namespace: 'default', name });
  for (;;) {
    const { items } = await api.list(pods, { namespace: 'default', fieldSelector: `metadata.name=${name}` });
    if (items.length === 0) return;
    await pause(50);
  }
}

async function measureIdle(parts: Parts, podCount: number): Promise<(string | number)[]> {
  await pause(settleMs);
  const before = processFigures(parts.pid('edgecore'));
  await pause(idleMs);
  const after = processFigures(parts.pid('edgecore'));
  const cpu = ((after.cpuSeconds - before.cpuSeconds) / (idleMs / 1_000)) * 100;
  return [podCount, after.rssMB, after.anonMB, `${round(cpu, 2)} %`];
}

export async function benchEdge(): Promise<void> {
  const parts = await createParts('bench');
  try {
    await parts.startAll();
    const access = await openKubeApi(parts.kubeconfig, 'bench');
    const bare: number[] = [];
    const ours: number[] = [];
    await podStart(access.api, 'warm-up');
    await removePod(access.api, 'warm-up');
    // In turn, so that both see the same machine.
    for (let run = 0; run < starts; run++) {
      bare.push(...(await bareCriStarts(parts.runtimeSocket, image, 1)));
      ours.push(await podStart(access.api, `start-${run}`));
      await removePod(access.api, `start-${run}`);
    }
    const ratio = round(quantile(ours, 0.5) / quantile(bare, 0.5), 2);
    const rows = [
      ['bare CRI: sandbox, container, start', Math.round(quantile(bare, 0.5)), Math.round(quantile(bare, 0.9)), 1],
      ['pod: create to Running at a watcher', Math.round(quantile(ours, 0.5)), Math.round(quantile(ours, 0.9)), ratio],
    ];
    printTable(`Pod start, ${starts} each in turn`, ['', 'median ms', 'p90 ms', 'ratio of medians'], rows);

    const idle: (string | number)[][] = [];
    await podStart(access.api, 'idle-0');
    idle.push(await measureIdle(parts, 1));
    for (let n = 1; n < 11; n++) await podStart(access.api, `idle-${n}`);
    idle.push(await measureIdle(parts, 11));
    printTable('edgecore at rest', ['pods', 'RSS MB', 'of it anonymous MB', 'CPU of one core'], idle);
    for (let n = 0; n < 11; n++) await removePod(access.api, `idle-${n}`);
    await access.close();
  } finally {
    await parts.remove();
  }
}
