// Finds out which process holds the lock of a file, for the error that says whom to stop.
import { readFileSync, statSync } from 'node:fs';

export function lockHolder(path: string): string {
  try {
    const inode = String(statSync(path).ino);
    for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
      // 1: POSIX  ADVISORY  WRITE 1234 fd:01:9876 1073741824 1073742335
      const [, , , , pid, file] = line.trim().split(/\s+/);
      if (pid === undefined || Number(pid) <= 0 || file?.split(':')[2] !== inode) continue;
      if (Number(pid) === process.pid) return 'this process already';
      return `"${programOf(pid)}" (pid ${pid})`;
    }
  } catch {
    // No /proc, or the process has gone meanwhile.
  }
  return 'another process';
}

const programOf = (pid: string): string =>
  readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim().slice(0, 120);
