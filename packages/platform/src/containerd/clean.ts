// Ends everything a site runs and takes away what it left on the host. Works from the directory alone, also after the
// daemon or its shims were killed.
import { readdirSync, readFileSync, unlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { clearHost, mountsBelow } from './clear-host.ts';
import { containerdPid, isDaemonOf, stopContainerdDaemon } from './daemon.ts';
import type { ProcessFacts } from './processes.ts';
import type { ContainerdSite } from './site.ts';
import { stopSandboxes } from './stop-sandboxes.ts';

/**
 * Stops pods and daemon and removes their traces from the host. Images and snapshots stay; the next start finds the
 * site as after a reboot. Returns what could not be removed; empty when all is well.
 */
export async function stopContainerd(site: ContainerdSite): Promise<readonly string[]> {
  // The polite way first: it lets the network plugins undo what they did.
  if ((await containerdPid(site)) !== undefined) await stopSandboxes(site.socket);
  await stopContainerdDaemon(site);
  removeShimSockets(site);
  const isShim = ({ args }: ProcessFacts): boolean =>
    args[0]?.endsWith('containerd-shim-runc-v2') === true && args.includes(site.socket);
  return clearHost(site, (facts) => isShim(facts) || isDaemonOf(site, facts));
}

/** As `stopContainerd`, and the directory is gone too. */
export async function removeContainerd(site: ContainerdSite): Promise<readonly string[]> {
  const left = await stopContainerd(site);
  if (mountsBelow(site.directory).length === 0) await rm(site.directory, { recursive: true, force: true });
  return left;
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

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
