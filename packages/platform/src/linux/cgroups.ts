// Removes cgroups that a pod has left, in every hierarchy of version 1 and in the one of version 2.
import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cgroups } from '@kedge/core/ports';

export function createCgroups(root = '/sys/fs/cgroup'): Cgroups {
  return {
    async remove(path) {
      // A pod's cgroup is never a root: a mistake here would take down cgroups of others.
      if (!/^\/[^/]/.test(path) || path.split('/').includes('..'))
        throw new Error(`"${path}" is not a cgroup of a pod`);
      const hierarchies = [root, ...(await directories(root)).map((name) => join(root, name))];
      const results = await Promise.all(hierarchies.map((hierarchy) => removeTree(join(hierarchy, path))));
      return results.every(Boolean);
    },
  };
}

async function removeTree(path: string): Promise<boolean> {
  let isEmpty = true;
  for (const name of await directories(path)) isEmpty = (await removeTree(join(path, name))) && isEmpty;
  if (!isEmpty) return false;
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

async function directories(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
