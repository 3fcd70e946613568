// Cgroups of pods: limits for what all containers of a pod use together, in the hierarchies of version 1 or the one of
// version 2, or through systemd where it keeps the tree; and their removal.
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { defineErrors, explain } from '@kedge/core/errors';
import type { CgroupLimits, Cgroups, Processes } from '@kedge/core/ports';

export const cgroupErrors = defineErrors('CGROUP', {
  REFUSED: {
    retry: 'backoff',
    say: (d: { path: string; reason: string }) => `the limits of cgroup ${d.path} cannot be set: ${d.reason}`,
  },
});

const isSlice = (path: string): boolean => path.endsWith('.slice');
const period = 100_000;

export function createCgroups(processes: Pick<Processes, 'run'>, root = '/sys/fs/cgroup'): Cgroups {
  const isUnified = (): Promise<boolean> =>
    readFile(join(root, 'cgroup.controllers')).then(
      () => true,
      () => false,
    );

  async function systemctl(...args: string[]): Promise<void> {
    const { code, stderr } = await processes.run('systemctl', args);
    if (code !== 0) throw new Error(stderr.trim());
  }

  return {
    async set(path, limits) {
      checkPath(path);
      try {
        if (isSlice(path)) await systemctl('set-property', '--runtime', path, ...sliceProperties(limits));
        else if (await isUnified()) await setUnified(root, path, limits);
        else await setSeparate(root, path, limits);
      } catch (cause) {
        throw cgroupErrors.REFUSED({ path, reason: explain(cause) }, cause);
      }
    },
    async remove(path) {
      checkPath(path);
      if (isSlice(path)) {
        // It goes by itself with the last that runs in it; this is for one that was made and never used.
        await systemctl('stop', path).catch(() => undefined);
        return true;
      }
      const hierarchies = [root, ...(await directories(root)).map((name) => join(root, name))];
      const results = await Promise.all(hierarchies.map((hierarchy) => removeTree(join(hierarchy, path))));
      return results.every(Boolean);
    },
  };
}

/** A pod's cgroup is never a root: a mistake here would limit or take down what others have. */
function checkPath(path: string): void {
  const isOurs = isSlice(path) ? /^[\w.-]+$/.test(path) : /^\/[^/]/.test(path) && !path.split('/').includes('..');
  if (!isOurs) throw new Error(`"${path}" is not a cgroup of pods`);
}

/** One hierarchy a controller; those that the kernel does not have are left out. */
async function setSeparate(root: string, path: string, limits: CgroupLimits): Promise<void> {
  const { cpuShares, cpuQuota, memoryBytes, processes, hugePages = new Map<string, number>() } = limits;
  const has = new Set(await directories(root));
  const write = async (controller: string, name: string, value: number): Promise<void> => {
    if (!has.has(controller)) return;
    const place = join(root, controller, path);
    await mkdir(place, { recursive: true });
    await writeFile(join(place, name), String(value));
  };
  if (cpuShares !== undefined) await write('cpu', 'cpu.shares', cpuShares);
  if (cpuQuota !== undefined) {
    await write('cpu', 'cpu.cfs_period_us', period);
    await write('cpu', 'cpu.cfs_quota_us', cpuQuota);
  }
  if (memoryBytes !== undefined) await write('memory', 'memory.limit_in_bytes', memoryBytes);
  if (processes !== undefined) await write('pids', 'pids.max', processes);
  for (const [size, bytes] of hugePages) await write('hugetlb', `hugetlb.${size}.limit_in_bytes`, bytes);
}

async function setUnified(root: string, path: string, limits: CgroupLimits): Promise<void> {
  const { cpuShares, cpuQuota, memoryBytes, processes, hugePages = new Map<string, number>() } = limits;
  const place = join(root, path);
  await mkdir(place, { recursive: true });
  const has = (await readFile(join(root, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  const wanted = ['cpu', 'memory', 'pids', 'hugetlb', 'cpuset', 'io'].filter((name) => has.includes(name));
  // A controller works in a cgroup only when every one above it passes it on.
  const above: string[] = [];
  for (let at = dirname(path); at !== '/' && at !== '.'; at = dirname(at)) above.unshift(at);
  for (const at of ['/', ...above]) {
    await writeFile(join(root, at, 'cgroup.subtree_control'), wanted.map((name) => `+${name}`).join(' '));
  }
  const write = async (controller: string, name: string, value: string): Promise<void> => {
    if (has.includes(controller)) await writeFile(join(place, name), value);
  };
  if (cpuShares !== undefined) await write('cpu', 'cpu.weight', String(weightOf(cpuShares)));
  if (cpuQuota !== undefined) await write('cpu', 'cpu.max', `${cpuQuota < 0 ? 'max' : cpuQuota} ${period}`);
  if (memoryBytes !== undefined) await write('memory', 'memory.max', memoryBytes < 0 ? 'max' : String(memoryBytes));
  if (processes !== undefined) await write('pids', 'pids.max', String(processes));
  for (const [size, bytes] of hugePages) await write('hugetlb', `hugetlb.${size}.max`, String(bytes));
}

/** As runc converts: 2 to 262,144 become 1 to 10,000. */
const weightOf = (shares: number): number => 1 + Math.floor(((shares - 2) * 9_999) / 262_142);

/** systemd understands these on both versions. */
function sliceProperties({ cpuShares, cpuQuota, memoryBytes, processes }: CgroupLimits): string[] {
  const orNone = (value: number): string => (value < 0 ? 'infinity' : String(value));
  return [
    ...(cpuShares === undefined ? [] : [`CPUWeight=${weightOf(cpuShares)}`]),
    ...(cpuQuota === undefined ? [] : [`CPUQuota=${cpuQuota < 0 ? '' : `${Math.ceil((cpuQuota * 100) / period)}%`}`]),
    ...(memoryBytes === undefined ? [] : [`MemoryMax=${orNone(memoryBytes)}`]),
    ...(processes === undefined ? [] : [`TasksMax=${orNone(processes)}`]),
  ];
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
