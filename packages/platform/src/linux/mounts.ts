// Mounts through the programs mount and umount; what is mounted is read from the kernel.
import { readFile } from 'node:fs/promises';
import { defineErrors } from '@kedge/core/errors';
import type { Mounts, Processes } from '@kedge/core/ports';

export const mountErrors = defineErrors('MOUNT', {
  FAILED: { retry: 'backoff', say: (d: { path: string; reason: string }) => `cannot mount ${d.path}: ${d.reason}` },
  BUSY: { retry: 'backoff', say: (d: { path: string; reason: string }) => `cannot unmount ${d.path}: ${d.reason}` },
});

export function createMounts(processes: Processes): Mounts {
  const below = async (path: string): Promise<string[]> =>
    parseMountPoints(await readFile('/proc/self/mountinfo', 'utf8'), path);
  async function mount(type: string, path: string, options: readonly string[]): Promise<void> {
    if ((await below(path)).includes(path)) return;
    const { code, stderr } = await processes.run('mount', ['-t', type, ...options, type, path]);
    if (code !== 0) throw mountErrors.FAILED({ path, reason: stderr.trim() });
  }
  return {
    below,
    mountMemory: (path, { sizeBytes }) =>
      mount('tmpfs', path, sizeBytes === undefined ? [] : ['-o', `size=${sizeBytes}`]),
    mountHugePages: (path, { pageBytes }) => mount('hugetlbfs', path, ['-o', `pagesize=${pageBytes}`]),
    async unmount(path) {
      if (!(await below(path)).includes(path)) return;
      const { code, stderr } = await processes.run('umount', [path]);
      if (code !== 0) throw mountErrors.BUSY({ path, reason: stderr.trim() });
    },
  };
}

/** Mount points at or below `path`, deepest first. Blanks and the like are written as octal numbers. */
export function parseMountPoints(mountInfo: string, path: string): string[] {
  return mountInfo
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))),
    )
    .filter((point) => point === path || point.startsWith(`${path}/`))
    .reverse();
}
