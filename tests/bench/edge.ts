// The edge at rest: memory, processor time and link traffic of edgecore with few and with many pods.
import { setTimeout as pause } from 'node:timers/promises';
import { type Contender, openContenders } from './contenders.ts';
import { podStarts, removePods } from './pods.ts';
import { processFigures, quantile, round } from './process-figures.ts';
import { printTable } from './table.ts';

const podCounts = [1, 11, 51, 100];
/** Long enough for a collection by the clock. */
const settleMs = 40_000;
const idleMs = 60_000;
const lookMs = 2_000;

interface Idle {
  readonly name: string;
  readonly pods: number;
  readonly rss: readonly number[];
  readonly anon: readonly number[];
  /** Percent of a core. */
  readonly cpu: number;
  /** Bytes a second. */
  readonly up: number;
  readonly down: number;
}

/** Memory is looked at often: it rises between two collections. */
async function measureIdle(contenders: readonly Contender[], pods: number): Promise<readonly Idle[]> {
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
    pods,
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

export async function benchEdge(): Promise<void> {
  const contenders = await openContenders();
  try {
    const idle: Idle[] = [];
    const filled: (string | number)[][] = [];
    let there = 0;
    for (const count of podCounts) {
      for (const contender of contenders) {
        const tookMs = await fillUp(contender, there, count);
        if (count > 11) filled.push([contender.name, there, count, round(tookMs / 1_000)]);
      }
      there = count;
      idle.push(...(await measureIdle(contenders, count)));
    }
    idle.sort((a, b) => b.name.localeCompare(a.name));
    printTable(
      `edgecore at rest, over ${idleMs / 1_000} s`,
      [
        '',
        'pods',
        'RSS MB',
        'of it anonymous',
        'highest RSS',
        'highest anonymous',
        'CPU of one core',
        'B/s up',
        'B/s down',
      ],
      idle.map(({ name, pods, rss, anon, cpu, up, down }) => [
        name,
        pods,
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
        Array.from({ length: there }, (_, n) => `idle-${n}`),
      );
  } finally {
    for (const contender of contenders) await contender.remove();
  }
}

/** Between the fewest and the most pods. */
function perPod(idle: readonly Idle[], name: string): readonly (string | number)[] {
  const mine = idle.filter((row) => row.name === name).sort((a, b) => a.pods - b.pods);
  const [least, most] = [mine[0]!, mine.at(-1)!];
  const pods = most.pods - least.pods;
  const anonKB = ((quantile(most.anon, 0.5) - quantile(least.anon, 0.5)) * 1024) / pods;
  return [name, `${round((most.cpu - least.cpu) / pods, 4)} %`, Math.round(anonKB)];
}
