// The edge at rest: memory, processor time and link traffic of edgecore with few and with many pods, and with devices that report
// every second.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Contender, openContenders } from './contenders.ts';
import { createDevice, createModel, startMapper } from './made-up-devices.ts';
import { podStarts, removePods } from './pods.ts';
import { processFigures, quantile, round } from './process-figures.ts';
import { printTable } from './table.ts';

/** Devices come before the step and stay. */
const steps = [
  { pods: 1, devices: 0 },
  { pods: 11, devices: 0 },
  { pods: 11, devices: 10 },
  { pods: 51, devices: 10 },
  { pods: 100, devices: 10 },
] as const;
const propertiesEach = 3;
/** Long enough for a collection by the clock. */
const settleMs = 40_000;
const idleMs = 60_000;
const lookMs = 2_000;

interface Idle {
  readonly name: string;
  readonly pods: number;
  readonly devices: number;
  readonly rss: readonly number[];
  readonly anon: readonly number[];
  /** Percent of a core. */
  readonly cpu: number;
  /** Bytes a second. */
  readonly up: number;
  readonly down: number;
}

/** Memory is looked at often: it rises between two collections. */
async function measureIdle(contenders: readonly Contender[], step: (typeof steps)[number]): Promise<readonly Idle[]> {
  await pause(settleMs);
  const before = contenders.map(({ pid, link }) => ({
    cpu: processFigures(pid).cpuSeconds,
    up: link.up,
    down: link.down,
  }));
  const looks = contenders.map(() => ({ rss: [] as number[], anon: [] as number[] }));
  for (let look = 0; look < idleMs / lookMs; look++) {
    await pause(lookMs);
    contenders.forEach(({ pid }, n) => {
      const { rssMB, anonMB } = processFigures(pid);
      looks[n]!.rss.push(rssMB);
      looks[n]!.anon.push(anonMB);
    });
  }
  const perSecond = (amount: number): number => amount / (idleMs / 1_000);
  return contenders.map(({ name, pid, link }, n) => ({
    name,
    ...step,
    ...looks[n]!,
    cpu: perSecond(processFigures(pid).cpuSeconds - before[n]!.cpu) * 100,
    up: perSecond(link.up - before[n]!.up),
    down: perSecond(link.down - before[n]!.down),
  }));
}

/** The pods of a step that are not there yet, all at once; milliseconds until the last of them runs. */
async function fillUp({ api }: Contender, from: number, to: number): Promise<number> {
  const names = Array.from({ length: to - from }, (_, n) => `idle-${from + n}`);
  return Math.max(...(await podStarts(api, names)));
}

/** Each tells edgecore of its properties once a second, through a mapper in this process. */
async function addDevices({ api, node, dmiSocket }: Contender, count: number): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'kedge-bench-'));
  const protocol = 'made-up';
  await createModel(api, protocol, protocol, propertiesEach);
  for (let n = 0; n < count; n++) {
    const made = { name: `made-up-${n}`, model: protocol, protocol, count: propertiesEach, how: 'polled' } as const;
    await createDevice(api, node, made);
  }
  const stop = await startMapper({ directory, dmiSocket }, protocol, { onWrite: () => undefined, tell: new Map() });
  return async () => {
    await stop();
    await rm(directory, { recursive: true, force: true });
  };
}

export async function benchEdge(): Promise<void> {
  const contenders = await openContenders();
  const mappers: (() => Promise<void>)[] = [];
  try {
    const idle: Idle[] = [];
    const filled: (string | number)[][] = [];
    let pods = 0;
    for (const step of steps) {
      if (step.devices > 0 && mappers.length === 0)
        for (const contender of contenders) mappers.push(await addDevices(contender, step.devices));
      if (step.pods > pods) {
        for (const contender of contenders) {
          const tookMs = await fillUp(contender, pods, step.pods);
          if (step.pods > 11) filled.push([contender.name, pods, step.pods, round(tookMs / 1_000)]);
        }
        pods = step.pods;
      }
      idle.push(...(await measureIdle(contenders, step)));
    }
    idle.sort((a, b) => b.name.localeCompare(a.name));
    printTable(
      `edgecore at rest, over ${idleMs / 1_000} s`,
      [
        '',
        'pods',
        'devices',
        'RSS MB',
        'of it anonymous',
        'highest RSS',
        'highest anonymous',
        'CPU of one core',
        'B/s up',
        'B/s down',
      ],
      idle.map(({ name, pods, devices, rss, anon, cpu, up, down }) => [
        name,
        pods,
        devices,
        quantile(rss, 0.5),
        quantile(anon, 0.5),
        Math.max(...rss),
        Math.max(...anon),
        `${round(cpu, 2)} %`,
        Math.round(up),
        Math.round(down),
      ]),
    );
    printTable(
      'What a pod at rest adds',
      ['', 'CPU of one core', 'anonymous KB'],
      contenders.map(({ name }) => perPod(idle, name)),
    );
    printTable('Many at once on a node that has some', ['', 'had', 'then', 'all run after s'], filled);
    for (const { api } of contenders)
      await removePods(
        api,
        Array.from({ length: pods }, (_, n) => `idle-${n}`),
      );
  } finally {
    for (const stop of mappers) await stop();
    for (const contender of contenders) await contender.remove();
  }
}

/** Between the fewest and the most pods of those steps that have devices. */
function perPod(idle: readonly Idle[], name: string): readonly (string | number)[] {
  const mine = idle.filter((row) => row.name === name && row.devices > 0).sort((a, b) => a.pods - b.pods);
  const [least, most] = [mine[0]!, mine.at(-1)!];
  const pods = most.pods - least.pods;
  const anonKB = ((quantile(most.anon, 0.5) - quantile(least.anon, 0.5)) * 1024) / pods;
  return [name, `${round((most.cpu - least.cpu) / pods, 4)} %`, Math.round(anonKB)];
}
