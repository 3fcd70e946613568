// Which processes a site has started: one small file each, holding the process id and the kernel's start time of it,
// so that a recycled id is never taken for ours.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface KnownProcess {
  readonly name: string;
  readonly pid: number;
  readonly startTime: string;
}

/** Field 22 of /proc/PID/stat: clock ticks after boot; undefined when there is no such process (or only its remains). */
export function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

const isAlive = ({ pid, startTime }: KnownProcess): boolean => processStartTime(pid) === startTime;

export async function writePidFile(directory: string, name: string, pid: number): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, `${name}.pid`), `${pid} ${processStartTime(pid) ?? ''}\n`);
}

export const removePidFile = (directory: string, name: string): Promise<void> =>
  rm(join(directory, `${name}.pid`), { force: true });

/** The processes of a site that are still alive. Files of dead ones are removed on the way. */
export async function liveProcesses(directory: string): Promise<readonly KnownProcess[]> {
  const names = (await readdir(directory).catch(() => [])).filter((file) => file.endsWith('.pid'));
  const live: KnownProcess[] = [];
  for (const file of names) {
    const [pid, startTime = ''] = (await readFile(join(directory, file), 'utf8')).trim().split(' ');
    const known = { name: file.replace(/\.pid$/, ''), pid: Number(pid), startTime };
    if (isAlive(known)) live.push(known);
    else await rm(join(directory, file), { force: true });
  }
  return live;
}

/** Asks a process to end and, when `graceMs` has passed, makes it. Resolves when it is gone. */
export async function stopProcess(known: KnownProcess, graceMs: number): Promise<void> {
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (isAlive(known)) process.kill(known.pid, name);
    } catch {
      // It ended between the look and the signal.
    }
  };
  signal('SIGTERM');
  const killAt = performance.now() + graceMs;
  for (let killed = false; isAlive(known);) {
    if (!killed && performance.now() > killAt) {
      signal('SIGKILL');
      killed = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
