// The edge: pod start beside the bare runtime, memory and processor time with 1 and 11 pods.
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import { bareCriStarts, untilNothingRuns } from './bare-cri.ts';
import { type Contender, openContenders } from './contenders.ts';
import { processFigures, quantile, round } from './process-figures.ts';
import { printTable } from './table.ts';

const image = 'docker.io/library/busybox:1.35';
const pods = { group: '', version: 'v1', resource: 'pods' };
const starts = 15;
/** Long enough for the first collection by the clock. */
const settleMs = 75_000;
const idleMs = 60_000;

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
  const selection = { namespace: 'default', fieldSelector: `metadata.name=${name}` };
  const changes = api.watch(pods, selection, resourceVersion, stop.signal);
  const began = performance.now();
  await api.create(pods, 'default', podOf(name));
  for await (const change of changes) {
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

/** One pod started and ended, so that it costs the next one nothing. */
async function startOnce({ api, runtimeSocket }: Contender, name: string): Promise<number> {
  const took = await podStart(api, name);
  await removePod(api, name);
  await untilNothingRuns(runtimeSocket);
  return took;
}

async function measureStarts(contenders: readonly Contender[]): Promise<void> {
  const bare: number[] = [];
  const took = new Map(contenders.map((contender) => [contender, [] as number[]]));
  for (const contender of contenders) await startOnce(contender, 'warm-up');
  // In turn, so that all see the same machine.
  for (let run = 0; run < starts; run++) {
    bare.push(...(await bareCriStarts(contenders[0]!.runtimeSocket, image, 1)));
    for (const contender of contenders) took.get(contender)!.push(await startOnce(contender, `start-${run}`));
  }
  const row = (name: string, values: readonly number[]): (string | number)[] => [
    name,
    Math.round(quantile(values, 0.5)),
    Math.round(quantile(values, 0.9)),
    round(quantile(values, 0.5) / quantile(bare, 0.5), 2),
  ];
  printTable(
    `Pod start, ${starts} each in turn`,
    ['', 'median ms', 'p90 ms', 'ratio of medians'],
    [
      row('bare CRI: sandbox, container, start', bare),
      ...contenders.map((contender) => row(`${contender.name}: create to Running at a watcher`, took.get(contender)!)),
    ],
  );
}

async function measureIdle(contenders: readonly Contender[], podCount: number): Promise<(string | number)[][]> {
  await pause(settleMs);
  const before = contenders.map(({ pid, link }) => ({
    cpu: processFigures(pid).cpuSeconds,
    up: link.up,
    down: link.down,
  }));
  await pause(idleMs);
  const perSecond = (amount: number): number => amount / (idleMs / 1_000);
  return contenders.map(({ name, pid, link }, n) => {
    const { rssMB, anonMB, cpuSeconds } = processFigures(pid);
    const from = before[n]!;
    const cpu = `${round(perSecond(cpuSeconds - from.cpu) * 100, 2)} %`;
    return [
      name,
      podCount,
      rssMB,
      anonMB,
      cpu,
      Math.round(perSecond(link.up - from.up)),
      Math.round(perSecond(link.down - from.down)),
    ];
  });
}

export async function benchEdge(): Promise<void> {
  const contenders = await openContenders();
  try {
    await measureStarts(contenders);
    const idle: (string | number)[][] = [];
    const run = async (n: number): Promise<void> => {
      for (const { api } of contenders) await podStart(api, `idle-${n}`);
    };
    await run(0);
    idle.push(...(await measureIdle(contenders, 1)));
    for (let n = 1; n < 11; n++) await run(n);
    idle.push(...(await measureIdle(contenders, 11)));
    idle.sort(([a], [b]) => String(b).localeCompare(String(a)));
    printTable(
      `edgecore at rest, over ${idleMs / 1_000} s`,
      ['', 'pods', 'RSS MB', 'of it anonymous MB', 'CPU of one core', 'B/s up', 'B/s down'],
      idle,
    );
    for (const { api } of contenders) for (let n = 0; n < 11; n++) await removePod(api, `idle-${n}`);
  } finally {
    for (const contender of contenders) await contender.remove();
  }
}
