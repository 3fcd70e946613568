// Finds and ends processes by what /proc says of them; knows nothing of containerd.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly args: readonly string[];
  readonly cgroups: string;
}

export function listProcesses(): ProcessFacts[] {
  const found: ProcessFacts[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const facts = readProcess(Number(name));
    if (facts) found.push(facts);
  }
  return found;
}

/** Undefined when there is no such process, or only its remains. */
export function readProcess(pid: number): ProcessFacts | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name is in parentheses and may hold anything; fields count from behind it.
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') return undefined;
    return {
      pid,
      parent: Number(parent),
      args: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1),
      cgroups: readFileSync(`/proc/${pid}/cgroup`, 'utf8'),
    };
  } catch {
    return undefined;
  }
}

/** `roots` and everything below them. */
export function withDescendants(all: readonly ProcessFacts[], roots: readonly ProcessFacts[]): ProcessFacts[] {
  const chosen = new Map(roots.map((root) => [root.pid, root]));
  for (let grew = true; grew;) {
    grew = false;
    for (const facts of all) {
      if (chosen.has(facts.pid) || !chosen.has(facts.parent)) continue;
      chosen.set(facts.pid, facts);
      grew = true;
    }
  }
  return [...chosen.values()];
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone already.
  }
}

/** Polls until `isTrue`, at most `limitMs`; says whether it came true. */
export async function waitUntil(isTrue: () => boolean | Promise<boolean>, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  for (let pause = 5; ; pause = Math.min(100, pause * 2)) {
    if (await isTrue()) return true;
    if (performance.now() > end) return false;
    await sleep(pause);
  }
}
