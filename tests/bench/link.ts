// The link: bytes per second of an idle node each way, counted on the wire with TLS and TCP payload included.
import { createParts } from '../e2e/harness/parts.ts';
import { startCountingProxy } from './counting-proxy.ts';
import { round } from './process-figures.ts';
import { printTable } from './table.ts';

const settleMs = 20_000;
const idleMs = 120_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function benchLink(): Promise<void> {
  const parts = await createParts('link');
  const proxy = await startCountingProxy(parts.hubPort);
  try {
    parts.routeEdgeThrough(proxy.port);
    await parts.startAll();
    await pause(settleMs);
    const before = { up: proxy.up, down: proxy.down };
    await pause(idleMs);
    const perSecond = (bytes: number): number => round(bytes / (idleMs / 1_000), 1);
    const rows = [['our edge, our cloud', perSecond(proxy.up - before.up), perSecond(proxy.down - before.down)]];
    printTable(`Idle node over ${idleMs / 1_000} s`, ['', 'B/s up', 'B/s down'], rows);
  } finally {
    await parts.remove();
    await proxy.close();
  }
}
