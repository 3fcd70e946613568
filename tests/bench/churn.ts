// Whether edgecore grows: pods come and go for an hour, on each of its runtimes, and its memory is looked at.
import { edgeRuntimes } from '../../apps/kedge/src/edge-runtime.ts';
import { type Contender, ourEdge } from './contenders.ts';
import { podStart, removePod } from './pods.ts';
import { processFigures, quantile, round } from './process-figures.ts';
import { printTable } from './table.ts';

const minutes = Number(process.env['CHURN_MINUTES'] ?? 60);
const rows = 6;
const pauseMs = 4_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts and removes pods until `until`, looking between. */
async function churn({ api, pid, name }: Contender, until: number): Promise<(string | number)[]> {
  const rss: number[] = [];
  const anon: number[] = [];
  const cpuBefore = processFigures(pid).cpuSeconds;
  let pods = 0;
  while (performance.now() < until) {
    await podStart(api, `churn-${pods}`);
    await pause(pauseMs / 2);
    await removePod(api, `churn-${pods}`);
    await pause(pauseMs / 2);
    pods++;
    const figures = processFigures(pid);
    rss.push(figures.rssMB);
    anon.push(figures.anonMB);
  }
  const cpuMs = Math.round(((processFigures(pid).cpuSeconds - cpuBefore) / pods) * 1_000);
  return [name, pods, ...[rss, anon].flatMap((mb) => [quantile(mb, 0.5), round(Math.max(...mb))]), cpuMs];
}

export async function benchChurn(): Promise<void> {
  const contenders: Contender[] = [];
  try {
    for (const runtime of edgeRuntimes) contenders.push(await ourEdge(runtime));
    const began = performance.now();
    const table: (string | number)[][] = [];
    for (let row = 1; row <= rows; row++) {
      const until = began + (minutes * 60_000 * row) / rows;
      const measured = await Promise.all(contenders.map((contender) => churn(contender, until)));
      table.push(...measured.map(([name = '', ...figures]) => [name, round((minutes * row) / rows), ...figures]));
      process.stderr.write(`${measured.map((figures) => figures.join(' ')).join('; ')}\n`);
    }
    table.sort(([a], [b]) => String(a).localeCompare(String(b)));
    printTable(
      `edgecore while pods come and go, in ${rows} parts of ${minutes} minutes`,
      ['', 'minute', 'pods', 'RSS MB', 'highest', 'anonymous MB', 'highest', 'CPU ms per pod'],
      table,
    );
  } finally {
    for (const contender of contenders) await contender.remove();
  }
}
