// Pod start, from the create call to Running at a watcher, of one pod and of several at once, beside what the runtime alone takes
// for the same sandboxes and containers; and the way back, from a container's end to the watcher.
import { bareCriStarts, untilNothingRuns } from './bare-cri.ts';
import { type Contender, contenders } from './contenders.ts';
import { podEnd, podImage, podStarts, removePod, removePods } from './pods.ts';
import { quantile, round } from './process-figures.ts';
import { printTable } from './table.ts';

/** How many at once, and how often. */
const bursts = [
  { size: 1, rounds: 20 },
  { size: 10, rounds: 4 },
  { size: 50, rounds: 2 },
] as const;
const ends = 20;

interface Starts {
  readonly bare: readonly number[];
  readonly pods: readonly number[];
}

/** While edgecore sleeps: KubeEdge's ends what runs and is no pod of its own. */
async function bareStarts({ pid, runtimeSocket }: Contender, size: number): Promise<readonly number[]> {
  process.kill(pid, 'SIGSTOP');
  try {
    return await bareCriStarts(runtimeSocket, podImage, size);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** Bare and pods in turn, so that both see the same machine; nothing of another contender runs meanwhile. */
async function measureBurst(contender: Contender, size: number, rounds: number): Promise<Starts> {
  const { api, runtimeSocket } = contender;
  const bare: number[] = [];
  const pods: number[] = [];
  for (let round_ = 0; round_ < rounds; round_++) {
    bare.push(...(await bareStarts(contender, size)));
    const names = Array.from({ length: size }, (_, n) => `start-${size}-${round_}-${n}`);
    pods.push(...(await podStarts(api, names)));
    await removePods(api, names);
    await untilNothingRuns(runtimeSocket);
  }
  return { bare, pods };
}

async function measureStarts(contender: Contender): Promise<(string | number)[][]> {
  await measureBurst(contender, 1, 1);
  const rows: (string | number)[][] = [];
  for (const { size, rounds } of bursts) {
    const { bare, pods } = await measureBurst(contender, size, rounds);
    const row = (name: string, values: readonly number[]): (string | number)[] => [
      name,
      size,
      Math.round(quantile(values, 0.5)),
      Math.round(quantile(values, 0.99)),
      round(quantile(values, 0.5) / quantile(bare, 0.5), 2),
    ];
    rows.push(row(`runtime alone, beside ${contender.name}`, bare), row(contender.name, pods));
  }
  return rows;
}

/** Containers that end at any time between two looks at the runtime. */
async function measureEnds({ api, runtimeSocket, name }: Contender): Promise<(string | number)[]> {
  const took: number[] = [];
  for (let n = 0; n < ends; n++) {
    took.push(await podEnd(api, runtimeSocket, `end-${n}`, 1 + n / ends));
    await removePod(api, `end-${n}`);
  }
  return [name, Math.round(quantile(took, 0.5)), Math.round(quantile(took, 0.99))];
}

export async function benchStart(): Promise<void> {
  const started: (string | number)[][] = [];
  const ended: (string | number)[][] = [];
  for (const open of contenders()) {
    const contender = await open();
    try {
      started.push(...(await measureStarts(contender)));
      ended.push(await measureEnds(contender));
    } finally {
      await contender.remove();
    }
  }
  printTable('Pod start', ['', 'at once', 'p50 ms', 'p99 ms', 'ratio of p50'], started);
  printTable(`From the end of a container to Succeeded, ${ends} each`, ['', 'p50 ms', 'p99 ms'], ended);
}
