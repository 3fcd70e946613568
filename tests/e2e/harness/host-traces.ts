// What a site could leave on the host: processes, mounts, interfaces, network namespaces, cgroups, sockets.
import { readdirSync, readFileSync } from 'node:fs';
import { must } from './run.ts';

/** Everything on this host that names `mark` (a data directory, or the id in interface and cgroup names). */
export async function tracesOf(...marks: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  const matches = (text: string): boolean => marks.some((mark) => text.includes(mark));
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (matches(command)) found.push(`process ${pid}: ${command}`);
    } catch {
      // It ended while we looked.
    }
  }
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    if (matches(line)) found.push(`mount: ${line}`);
  }
  for (const line of (await must('ip', ['-o', 'link'])).split('\n'))
    if (matches(line)) found.push(`interface: ${line}`);
  for (const line of (await must('ip', ['netns', 'list'])).split('\n'))
    if (matches(line)) found.push(`namespace: ${line}`);
  for (const line of (await must('iptables-save', []).catch(() => '')).split('\n')) {
    if (matches(line)) found.push(`iptables: ${line}`);
  }
  for (const root of ['memory', 'pids', 'cpu', 'unified', '']) {
    try {
      for (const name of readdirSync(`/sys/fs/cgroup/${root}`))
        if (matches(name)) found.push(`cgroup: ${root}/${name}`);
    } catch {
      // Not mounted here.
    }
  }
  return found;
}
