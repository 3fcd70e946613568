// The edge at rest: memory, processor time and link traffic of edgecore with 1 and 11 pods.
import { type Contender, openContenders } from './contenders.ts';
import { podStart, removePod } from './pods.ts';
import { processFigures, quantile, round } from './process-figures.ts';
import { printTable } from './table.ts';

/** Long enough for a collection by the clock. */
const settleMs = 40_000;
const idleMs = 60_000;
const lookMs = 2_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Memory is looked at often and given as a median: it rises between two collections. */
async function measureIdle(contenders: readonly Contender[], podCount: number): Promise<(string | number)[][]> {
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
  return contenders.map(({ name, pid, link }, n) => {
    const from = before[n]!;
    const { rss, anon } = looks[n]!;
    const cpu = `${round(perSecond(processFigures(pid).cpuSeconds - from.cpu) * 100, 2)} %`;
    const traffic = [link.up - from.up, link.down - from.down].map((bytes) => Math.round(perSecond(bytes)));
    return [
      name,
      podCount,
      quantile(rss, 0.5),
      quantile(anon, 0.5),
      Math.max(...rss),
      Math.max(...anon),
      cpu,
      ...traffic,
    ];
  });
}

export async function benchEdge(): Promise<void> {
  const contenders = await openContenders();
  try {
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
      idle,
    );
    for (const { api } of contenders) for (let n = 0; n < 11; n++) await removePod(api, `idle-${n}`);
  } finally {
    for (const contender of contenders) await contender.remove();
  }
}
