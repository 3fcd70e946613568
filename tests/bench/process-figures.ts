// What the kernel says of a process: resident and private memory, processor time.
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessFigures {
  /** 1 MB = 1,048,576 bytes. */
  readonly rssMB: number;
  readonly anonMB: number;
  /** Seconds of processor time since its start. */
  readonly cpuSeconds: number;
}

export function processFigures(pid: number): ProcessFigures {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kB = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
  return { rssMB: round(kB('VmRSS') / 1024), anonMB: round(kB('RssAnon') / 1024), cpuSeconds: cpuSeconds(pid) };
}

/** In nanoseconds, of all threads that live: ticks of 10 ms are too coarse for a process that mostly waits. */
function cpuSeconds(pid: number): number {
  const perThread = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return perThread.reduce((sum, ns) => sum + ns, 0) / 1e9;
}

export const round = (n: number, digits = 1): number => Math.round(n * 10 ** digits) / 10 ** digits;

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
