// Mounts through the programs mount and umount; what is mounted is read from the kernel.
import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { defineErrors } from '@kedge/core/errors';
import type { Mounts, Processes } from '@kedge/core/ports';

export const mountErrors = defineErrors('MOUNT', {
  FAILED: { retry: 'backoff', say: (d: { path: string; reason: string }) => `cannot mount ${d.path}: ${d.reason}` },
  LINK_INSIDE: {
    retry: 'backoff',
    say: (d: { path: string }) =>
      `${d.path} is a link, and was none a moment ago: whoever writes there must not make it one`,
  },
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
  async function unmount(path: string): Promise<void> {
    if (!(await below(path)).includes(path)) return;
    const { code, stderr } = await processes.run('umount', [path]);
    if (code !== 0) throw mountErrors.BUSY({ path, reason: stderr.trim() });
  }
  return {
    below,
    async bindBelow(root, path, target) {
      await unmount(target);
      const source = await openBelow(root, path);
      try {
        await makeTarget(target, (await source.stat()).isDirectory());
        // By what is open, not by its name, which may be another's by now: so the name must not be made canonical either.
        const opened = `/proc/${process.pid}/fd/${source.fd}`;
        const { code, stderr } = await processes.run('mount', ['--no-canonicalize', '--bind', opened, target]);
        if (code !== 0) throw mountErrors.FAILED({ path: target, reason: stderr.trim() });
      } finally {
        await source.close();
      }
    },
    unmount,
    mountMemory: (path, { sizeBytes }) =>
      mount('tmpfs', path, sizeBytes === undefined ? [] : ['-o', `size=${sizeBytes}`]),
    mountHugePages: (path, { pageBytes }) => mount('hugetlbfs', path, ['-o', `pagesize=${pageBytes}`]),
  };
}

/** O_PATH of open(2), which Node has no name for: a place in the file system, whatever may be read there. */
const placeOnly = 0o10000000;

/** Part by part, each looked up in the directory that is open. */
async function openBelow(root: string, path: readonly string[]): Promise<FileHandle> {
  let at = await open(root, placeOnly | constants.O_DIRECTORY);
  try {
    const mode = (await at.stat()).mode & 0o7777;
    for (const part of path) {
      const next = await openPart(`/proc/self/fd/${at.fd}/${part}`, mode);
      await at.close();
      at = next;
      if ((await at.stat()).isSymbolicLink()) throw mountErrors.LINK_INSIDE({ path: [root, ...path].join('/') });
    }
    return at;
  } catch (error) {
    await at.close();
    throw error;
  }
}

/** A directory with that mode where there is nothing. */
async function openPart(path: string, mode: number): Promise<FileHandle> {
  try {
    return await open(path, placeOnly | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await mkdir(path);
  const made = await open(path, placeOnly | constants.O_NOFOLLOW | constants.O_DIRECTORY);
  await chmod(`/proc/self/fd/${made.fd}`, mode);
  return made;
}

async function makeTarget(target: string, isDirectory: boolean): Promise<void> {
  await rm(target, { recursive: false, force: true }).catch(() => undefined);
  if (isDirectory) {
    await mkdir(target, { recursive: true, mode: 0o750 });
    return;
  }
  await mkdir(dirname(target), { recursive: true, mode: 0o750 });
  await rmdir(target).catch(() => undefined);
  await writeFile(target, '', { mode: 0o640 });
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
