// What the kernel says of a process: resident and private memory, processor time.
import { readFileSync } from 'node:fs';

export interface ProcessFigures {
  /** MB (10^6 bytes are not used here: 1 MB = 1,048,576 bytes). */
  readonly rssMB: number;
  readonly anonMB: number;
  /** Seconds of processor time since its start. */
  readonly cpuSeconds: number;
}

export function processFigures(pid: number): ProcessFigures {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kB = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { rssMB: round(kB('VmRSS') / 1024), anonMB: round(kB('RssAnon') / 1024), cpuSeconds: ticks / 100 };
}

export const round = (n: number, digits = 1): number => Math.round(n * 10 ** digits) / 10 ** digits;

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
