// Pod start, from the create call to Running at a watcher, beside what the runtime alone takes for the same sandbox and
// container.
import { bareCriStarts, untilNothingRuns } from './bare-cri.ts';
import { type Contender, contenders } from './contenders.ts';
import { podImage, podStart, removePod } from './pods.ts';
import { quantile, round } from './process-figures.ts';
import { printTable } from './table.ts';

const starts = 20;

/** One pod started and ended, so that it costs the next one nothing. */
async function startOnce({ api, runtimeSocket }: Contender, name: string): Promise<number> {
  const took = await podStart(api, name);
  await removePod(api, name);
  await untilNothingRuns(runtimeSocket);
  return took;
}

/** Bare and pod in turn, so that both see the same machine; nothing of another contender runs meanwhile. */
async function measureStarts(contender: Contender): Promise<(string | number)[][]> {
  const bare: number[] = [];
  const took: number[] = [];
  await startOnce(contender, 'warm-up');
  for (let run = 0; run < starts; run++) {
    bare.push(...(await bareCriStarts(contender.runtimeSocket, podImage, 1)));
    took.push(await startOnce(contender, `start-${run}`));
  }
  const row = (name: string, values: readonly number[]): (string | number)[] => [
    name,
    Math.round(quantile(values, 0.5)),
    Math.round(quantile(values, 0.9)),
    round(quantile(values, 0.5) / quantile(bare, 0.5), 2),
  ];
  return [row(`runtime alone, beside ${contender.name}`, bare), row(contender.name, took)];
}

export async function benchStart(): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const open of contenders()) {
    const contender = await open();
    try {
      rows.push(...(await measureStarts(contender)));
    } finally {
      await contender.remove();
    }
  }
  printTable(`Pod start, ${starts} each`, ['', 'median ms', 'p90 ms', 'ratio of medians'], rows);
}
