// Removes a directory tree without ever leaving its file system: what is mounted inside a pod's directory belongs to
// somebody else, so the removal stops there and says so.
import * as fs from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { filesErrors } from '@kedge/core/ports';
import { parseMountPoints } from '../linux/mounts.ts';

/** Silent when there is nothing. Looks for mounts first, so that a refusal leaves the tree as it was. */
export async function removeTree(path: string): Promise<void> {
  const target = resolve(path);
  const found = await fs.lstat(target).catch(ifAbsent);
  if (!found) return;
  if (!found.isDirectory()) return fs.rm(target, { force: true });
  const parent = await fs.stat(dirname(target));
  if (parent.dev !== found.dev) throw filesErrors.MOUNTED({ path, mount: target });
  const mount = await findMount(target, found.dev);
  if (mount !== undefined) throw filesErrors.MOUNTED({ path, mount });
  await removeInside(target, found.dev, path);
}

/** A bind mount of the same file system has the same device number: only the mount table shows it. */
async function findMount(target: string, device: number): Promise<string | undefined> {
  const table = await fs.readFile('/proc/self/mountinfo', 'utf8').catch(() => undefined);
  if (table === undefined) return findOtherDevice(target, device);
  return parseMountPoints(table, await fs.realpath(target))[0];
}

async function findOtherDevice(directory: string, device: number): Promise<string | undefined> {
  for (const entry of await fs.readdir(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = join(directory, entry.name);
    if ((await fs.lstat(path)).dev !== device) return path;
    const below = await findOtherDevice(path, device);
    if (below !== undefined) return below;
  }
  return undefined;
}

async function removeInside(directory: string, device: number, asked: string): Promise<void> {
  for (const entry of await fs.readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (!entry.isDirectory()) {
      await fs.rm(path, { force: true });
      continue;
    }
    const found = await fs.lstat(path).catch(ifAbsent);
    if (!found) continue;
    // Something may have been mounted since the look at the table.
    if (found.dev !== device) throw filesErrors.MOUNTED({ path: asked, mount: path });
    await removeInside(path, device, asked);
  }
  await fs.rmdir(directory);
}

function ifAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}
