// Ends everything a site runs and takes away what it left on the host: processes, mounts, network namespaces, the
// bridge, port rules, cgroups. Works from the directory alone, also after the daemon or its shims were killed.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, rmdirSync, unlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { containerdPid, isDaemonOf, stopContainerdDaemon } from './daemon.ts';
import { planRuleRemoval } from './port-rules.ts';
import { listProcesses, type ProcessFacts, signal, waitUntil, withDescendants } from './processes.ts';
import type { ContainerdSite } from './site.ts';
import { stopSandboxes } from './stop-sandboxes.ts';

const run = promisify(execFile);

/**
 * Stops pods and daemon and removes their traces from the host. Images and snapshots stay; the next start finds the
 * site as after a reboot. Returns what could not be removed; empty when all is well.
 */
export async function stopContainerd(site: ContainerdSite): Promise<readonly string[]> {
  // The polite way first: it lets the network plugins undo what they did.
  if ((await containerdPid(site)) !== undefined) await stopSandboxes(site.socket);
  await stopContainerdDaemon(site);
  const left: string[] = [];
  if (!(await waitUntil(() => killWorkloads(site) === 0, 10_000))) left.push('processes of pods');
  await unmountBelow(site.directory);
  left.push(...mountsBelow(site.directory));
  removeShimSockets(site);
  await rm(site.state, { recursive: true, force: true });
  if (dirname(site.socket) !== site.directory) await rm(dirname(site.socket), { recursive: true, force: true });
  await run('ip', ['link', 'delete', site.bridge]).catch(() => undefined);
  await removePortRules(site);
  if (!(await waitUntil(() => removeCgroups(site.cgroupRoot), 5_000))) left.push(`cgroup ${site.cgroupRoot}`);
  return left;
}

/** As `stopContainerd`, and the directory is gone too. */
export async function removeContainerd(site: ContainerdSite): Promise<readonly string[]> {
  const left = await stopContainerd(site);
  if (mountsBelow(site.directory).length === 0) await rm(site.directory, { recursive: true, force: true });
  return left;
}

/** Kills shims, late daemons and whatever runs in the site's cgroups; returns how many there were. */
function killWorkloads(site: ContainerdSite): number {
  const all = listProcesses();
  const isShim = ({ args }: ProcessFacts): boolean =>
    args[0]?.endsWith('containerd-shim-runc-v2') === true && args.includes(site.socket);
  const isOurs = (facts: ProcessFacts): boolean => isShim(facts) || isDaemonOf(site, facts);
  const roots = all.filter((facts) => isOurs(facts) || facts.cgroups.includes(`:${site.cgroupRoot}/`));
  const doomed = withDescendants(all, roots);
  // Containers before shims: a container whose shim is gone has no parent to be found by.
  for (const { pid } of doomed.reverse()) signal(pid, 'SIGKILL');
  return doomed.length;
}

function mountsBelow(directory: string): string[] {
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

/** Shims listen below /run, whatever the daemon's state directory is; their addresses are noted in it. */
function removeShimSockets(site: ContainerdSite): void {
  const tasks = join(site.state, 'io.containerd.runtime.v2.task', 'k8s.io');
  for (const id of listNames(tasks)) {
    try {
      unlinkSync(readFileSync(join(tasks, id, 'address'), 'utf8').replace('unix://', ''));
    } catch {
      // No note, or no socket any more.
    }
  }
}

async function removePortRules(site: ContainerdSite): Promise<void> {
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
