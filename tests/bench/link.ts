// The link: bytes per second of an idle node each way, counted on the wire with TLS included.
import { openContenders } from './contenders.ts';
import { round } from './process-figures.ts';
import { printTable } from './table.ts';

const settleMs = 30_000;
/** Several of the longest interval at which an idle node says something. */
const idleMs = 180_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function benchLink(): Promise<void> {
  const contenders = await openContenders();
  try {
    await pause(settleMs);
    const before = contenders.map(({ link: { up, down } }) => ({ up, down }));
    await pause(idleMs);
    const perSecond = (bytes: number): number => round(bytes / (idleMs / 1_000), 1);
    const rows = contenders.map(({ name, link: { up, down } }, n) => {
      const from = before[n]!;
      return [`${name} edge, our cloud`, perSecond(up - from.up), perSecond(down - from.down)];
    });
    printTable(`Idle node without pods over ${idleMs / 1_000} s`, ['', 'B/s up', 'B/s down'], rows);
  } finally {
    for (const contender of contenders) await contender.remove();
  }
}
