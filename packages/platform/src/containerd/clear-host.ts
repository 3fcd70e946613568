// Takes what a site of pods left off the host: processes, mounts, network namespaces, the bridge, port rules, cgroups.
// Knows no particular runtime.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { planRuleRemoval } from './port-rules.ts';
import { listProcesses, type ProcessFacts, signal, waitUntil, withDescendants } from './processes.ts';
import type { ContainerdSite } from './site.ts';

const run = promisify(execFile);

export type HostPlace = Pick<ContainerdSite, 'directory' | 'state' | 'socket' | 'bridge' | 'network' | 'cgroupRoot'>;

/**
 * Ends by force what runs in the site's cgroups, what `isOurs` knows and what is below either, then removes the rest.
 * Returns what could not be removed.
 */
export async function clearHost(site: HostPlace, isOurs: (facts: ProcessFacts) => boolean): Promise<readonly string[]> {
  const left: string[] = [];
  if (!(await waitUntil(() => killWorkloads(site, isOurs) === 0, 10_000))) left.push('processes of pods');
  await unmountBelow(site.directory);
  left.push(...mountsBelow(site.directory));
  await rm(site.state, { recursive: true, force: true });
  if (dirname(site.socket) !== site.directory) await rm(dirname(site.socket), { recursive: true, force: true });
  await run('ip', ['link', 'delete', site.bridge]).catch(() => undefined);
  await removePortRules(site);
  if (!(await waitUntil(() => removeCgroups(site.cgroupRoot), 5_000))) left.push(`cgroup ${site.cgroupRoot}`);
  return left;
}

/** Returns how many there were. */
function killWorkloads(site: HostPlace, isOurs: (facts: ProcessFacts) => boolean): number {
  const all = listProcesses();
  const roots = all.filter((facts) => isOurs(facts) || facts.cgroups.includes(`:${site.cgroupRoot}/`));
  const doomed = withDescendants(all, roots);
  // Containers before their monitors: a container whose shim is gone has no parent to be found by.
  for (const { pid } of doomed.reverse()) signal(pid, 'SIGKILL');
  return doomed.length;
}

/** Mount points, the deepest first. */
export function mountsBelow(directory: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))),
    )
    .filter((path) => path.startsWith(`${directory}/`))
    .reverse();
}

async function unmountBelow(directory: string): Promise<void> {
  const mounts = mountsBelow(directory);
  if (mounts.length > 0) await run('umount', mounts).catch(() => undefined);
  const stuck = mountsBelow(directory);
  if (stuck.length > 0) await run('umount', ['--lazy', ...stuck]).catch(() => undefined);
}

async function removePortRules(site: HostPlace): Promise<void> {
  const saved = await run('iptables-save', ['--table', 'nat']).catch(() => undefined);
  const plan = saved ? planRuleRemoval(saved.stdout, site.network) : '';
  if (plan === '') return;
  const child = execFile('iptables-restore', ['--noflush']);
  child.stdin?.end(plan);
  await new Promise((resolve) => child.once('close', resolve).once('error', resolve));
}

/** Removes a cgroup and those below it in every hierarchy; false when one is still in use. */
function removeCgroups(cgroup: string): boolean {
  const hierarchies = ['/sys/fs/cgroup', ...listNames('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name))];
  return hierarchies.map((hierarchy) => removeTree(join(hierarchy, cgroup))).every(Boolean);
}

function removeTree(path: string): boolean {
  const below = listNames(path).map((name) => removeTree(join(path, name)));
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && below.every(Boolean);
  }
}

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}
