// The file system behind the Files port. "There is none" is a value; everything else that goes wrong is a FILES_ error.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { abortError } from '@kedge/core/flow';
import { type FileInfo, type Files, filesErrors } from '@kedge/core/ports';
import { removeTree } from './remove-tree.ts';

export function createFiles(): Files {
  return {
    readText: (path) => orAbsent('read', path, () => fs.readFile(path, 'utf8')),
    readBytes: (path) => orAbsent<Uint8Array>('read', path, () => fs.readFile(path)),
    readPart: (path, start, length) => orAbsent('read', path, () => readPart(path, start, length)),
    writeAtomically(path, content, { mode = 0o644 } = {}) {
      // Not to be guessed, and never left over from an earlier run under the same process id.
      const beside = `${path}.tmp-${randomBytes(6).toString('hex')}`;
      return attempt('write', path, () => replaceFile(path, beside, content, mode));
    },
    append: (path, content) => attempt('append to', path, () => fs.appendFile(path, content)),
    async makeDirectory(path, { mode } = {}) {
      await attempt('create', path, async () => {
        await fs.mkdir(path, { recursive: true });
        // The mode of mkdir is cut by the umask and is not for directories that exist.
        if (mode !== undefined) await fs.chmod(path, mode);
      });
    },
    // Node.js gives them in order, Bun as the disk has them.
    list: (path) => orAbsent('list', path, async () => (await fs.readdir(path)).sort()),
    info: (path) => orAbsent('look at', path, async () => toInfo(await fs.lstat(path))),
    remove: (path) => attempt('remove', path, () => removeTree(path)),
    rename: (from, to) => attempt('rename', from, () => fs.rename(from, to)),
    symlink: (target, path) => attempt('link', path, () => fs.symlink(target, path)),
    readLink: (path) => orAbsent('read', path, () => fs.readlink(path)),
    chmod: (path, mode) => attempt('change the mode of', path, () => fs.chmod(path, mode)),
    chown: (path, uid, gid) => attempt('change the owner of', path, () => fs.lchown(path, uid, gid)),
    async usedBytes(path, signal) {
      const bytes = await attempt('measure', path, () => usedBytes(path, signal));
      if (signal?.aborted) throw abortError(signal);
      return bytes;
    },
    async space(path) {
      const { bsize, blocks, bavail, files, ffree } = await attempt('measure', path, () => fs.statfs(path));
      return { totalBytes: bsize * blocks, freeBytes: bsize * bavail, totalInodes: files, freeInodes: ffree };
    },
  };
}

/** Directory by directory, entry by entry: a tree may be larger than what memory there is for its names. Stops on abort. */
async function usedBytes(root: string, signal: AbortSignal | undefined): Promise<number> {
  const top = await fs.lstat(root).catch(() => undefined);
  if (!top) return 0;
  let bytes = top.blocks * blockBytes;
  const counted = new Set<number>();
  const open = top.isDirectory() ? [root] : [];
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    // What goes away while it is counted takes nothing.
    const entries = await fs.opendir(directory).catch(() => undefined);
    for await (const { name } of entries ?? []) {
      if (signal?.aborted) return bytes;
      const path = `${directory}/${name}`;
      const info = await fs.lstat(path).catch(() => undefined);
      if (!info || info.dev !== top.dev) continue;
      if (info.nlink > 1 && !info.isDirectory()) {
        if (counted.has(info.ino)) continue;
        counted.add(info.ino);
      }
      bytes += info.blocks * blockBytes;
      if (info.isDirectory()) open.push(path);
    }
  }
  return bytes;
}
const blockBytes = 512;

async function readPart(path: string, start: number, length: number): Promise<Uint8Array> {
  const file = await fs.open(path, constants.O_RDONLY);
  try {
    const position = start < 0 ? Math.max(0, (await file.stat()).size + start) : start;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function replaceFile(path: string, beside: string, content: string | Uint8Array, mode: number): Promise<void> {
  try {
    const file = await fs.open(beside, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
    try {
      await file.chmod(mode);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(beside, path);
  } catch (error) {
    await fs.rm(beside, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** A rename is only on disk once its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function toInfo(stats: Awaited<ReturnType<typeof fs.lstat>>): FileInfo {
  return {
    kind: kindOf(stats),
    size: Number(stats.size),
    mode: Number(stats.mode) & 0o7777,
    modifiedMs: Number(stats.mtimeMs),
    device: Number(stats.dev),
  };
}

function kindOf(stats: Awaited<ReturnType<typeof fs.lstat>>): FileInfo['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isSocket()) return 'socket';
  if (stats.isBlockDevice()) return 'block';
  if (stats.isCharacterDevice()) return 'character';
  return 'other';
}

const absent = new Set(['ENOENT', 'ENOTDIR']);

async function orAbsent<T>(doing: string, path: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (absent.has(errnoOf(error))) return undefined;
    throw toFilesError(doing, path, error);
  }
}

async function attempt<T>(doing: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toFilesError(doing, path, error);
  }
}

const errnoOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

function toFilesError(doing: string, path: string, error: unknown): unknown {
  switch (errnoOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return filesErrors.DISK_FULL({ doing, path }, error);
    case 'EACCES':
    case 'EPERM':
      return filesErrors.NOT_PERMITTED({ doing, path }, error);
    case 'EROFS':
      return filesErrors.READ_ONLY({ doing, path }, error);
    default:
      return filesErrors.MOUNTED.is(error)
        ? error
        : filesErrors.FAILED({ doing, path, reason: error instanceof Error ? error.message : String(error) });
  }
}
