// Starts and stops the containerd of a site, and loads images into it. The daemon is detached and logs to a file, so it
// outlives the process that started it; pods outlive the daemon until `stopContainerd` ends them.
import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { defineErrors } from '@kedge/core/errors';
import { seconds } from '@kedge/core/time';
import { createCri } from '@kedge/wire/cri';
import { openGrpcChannel } from '../grpc/index.ts';
import { busyboxImageSpec, pauseImage, pauseImageSpec } from './busybox-images.ts';
import {
  type ContainerdOptions,
  formatContainerdConfig,
  formatPodNetwork,
  pickPodSubnet,
  type PodNetwork,
} from './config.ts';
import { type ImageSpec, writeImageArchive } from './image.ts';
import { listProcesses, type ProcessFacts, readProcess, signal, waitUntil } from './processes.ts';
import type { ContainerdSite } from './site.ts';

const run = promisify(execFile);
const overlayMagic = 0x794c7630;

export const containerdErrors = defineErrors('CONTAINERD', {
  MISSING: {
    retry: 'never',
    say: (d: { program: string }) => `cannot start "${d.program}": install the packages containerd and runc`,
  },
  NOT_READY: {
    retry: 'backoff',
    say: (d: { logFile: string; last: string }) =>
      `containerd did not become ready; its log is ${d.logFile} and ends with: ${d.last}`,
  },
  IMPORT_FAILED: { retry: 'backoff', say: (d: { output: string }) => `images could not be loaded: ${d.output}` },
});

/** Writes the configuration and the pod network. */
export async function writeContainerdConfig(
  site: ContainerdSite,
  options: Partial<ContainerdOptions> & { readonly podSubnet?: string } = {},
): Promise<ContainerdOptions> {
  for (const path of [site.root, site.state, site.cniDirectory, site.registryDirectory, dirname(site.socket)]) {
    await mkdir(path, { recursive: true });
  }
  const chosen: ContainerdOptions = {
    sandboxImage: options.sandboxImage ?? pauseImage,
    snapshotter: options.snapshotter ?? ((await isOverlay(site.root)) ? 'native' : 'overlayfs'),
    cniPlugins: options.cniPlugins ?? '/usr/lib/cni',
  };
  await writeFile(site.configFile, formatContainerdConfig(site, chosen));
  await writePodNetwork(site, options.podSubnet);
  return chosen;
}

/** True where another overlay cannot be put on top. */
export const isOverlay = async (directory: string): Promise<boolean> => (await statfs(directory)).type === overlayMagic;

/** Writes the network of the site's pods into its existing `cniDirectory`. The subnet, once chosen, stays. */
export async function writePodNetwork(site: PodNetwork, podSubnet?: string): Promise<void> {
  const networkFile = join(site.cniDirectory, '10-kedge.conflist');
  const subnet = podSubnet ?? (await subnetIn(networkFile)) ?? pickPodSubnet(site.id, hostAddresses());
  await writeFile(networkFile, formatPodNetwork(site, subnet));
}

async function subnetIn(networkFile: string): Promise<string | undefined> {
  const text = await readFile(networkFile, 'utf8').catch(() => '');
  return /"subnet": "([\d./]+)"/.exec(text)?.[1];
}

const hostAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));

/** The process id of the site's daemon, which may still be starting; undefined when it does not run. */
export async function containerdPid(site: ContainerdSite): Promise<number | undefined> {
  const pid = Number(await readFile(site.pidFile, 'utf8').catch(() => ''));
  // A process id is used again some day: make sure that this one is ours.
  if (pid > 0 && isDaemonOf(site, readProcess(pid))) return pid;
  // Whoever started it may have been killed before it could write the file.
  return daemonsOf(site)[0];
}

/** By its command line, which names the site's configuration. */
export const isDaemonOf = (site: ContainerdSite, facts: ProcessFacts | undefined): boolean =>
  facts !== undefined && basename(facts.args[0] ?? '') === 'containerd' && facts.args.includes(site.configFile);

const daemonsOf = (site: ContainerdSite): number[] =>
  listProcesses()
    .filter((facts) => isDaemonOf(site, facts))
    .map(({ pid }) => pid);

/**
 * Starts the daemon and resolves with its process id once it answers; a running one is left as it is. Needs
 * `writeContainerdConfig` first.
 */
export async function startContainerd(site: ContainerdSite): Promise<number> {
  const running = await containerdPid(site);
  const pid = running ?? (await launch(site));
  const isGone = (): boolean => readProcess(pid) === undefined;
  if (!(await waitUntil(async () => isGone() || (await isReady(site)), 30_000)) || isGone()) {
    const log = await readFile(site.logFile, 'utf8').catch(() => '');
    throw containerdErrors.NOT_READY({ logFile: site.logFile, last: log.trimEnd().split('\n').at(-1) ?? '' });
  }
  return pid;
}

async function launch(site: ContainerdSite): Promise<number> {
  const log = openSync(site.logFile, 'a');
  try {
    const child = spawn('containerd', ['--config', site.configFile], { detached: true, stdio: ['ignore', log, log] });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid!));
      child.once('error', (cause) => reject(containerdErrors.MISSING({ program: 'containerd' }, cause)));
    });
    child.unref();
    await writeFile(site.pidFile, String(pid));
    return pid;
  } finally {
    closeSync(log);
  }
}

async function isReady(site: ContainerdSite): Promise<boolean> {
  const channel = openGrpcChannel({ socketPath: site.socket, timeout: seconds(5) });
  try {
    // The socket is open before the CRI service is behind it.
    const { status } = await createCri(channel).status({});
    return status?.conditions.every(({ status: isTrue }) => isTrue) === true;
  } catch {
    return false;
  } finally {
    channel.close();
  }
}

/** Ends the daemon and nothing else: pods go on, and a daemon started later finds them. */
export async function stopContainerdDaemon(site: ContainerdSite): Promise<void> {
  const isGone = (): boolean => daemonsOf(site).length === 0;
  // One that is still starting does not listen to a polite word.
  for (const pid of daemonsOf(site)) signal(pid, 'SIGTERM');
  if (!(await waitUntil(isGone, 5_000))) for (const pid of daemonsOf(site)) signal(pid, 'SIGKILL');
  await waitUntil(isGone, 2_000);
  await rm(site.pidFile, { force: true });
}

/** Loads an OCI archive, as `writeImageArchive` makes them, where pods find it. */
export async function importImages(site: ContainerdSite, archive: string): Promise<void> {
  const config = await readFile(site.configFile, 'utf8');
  const snapshotter = /snapshotter = "(\w+)"/.exec(config)?.[1] ?? 'overlayfs';
  const args = [
    '--address',
    site.socket,
    '--namespace',
    'k8s.io',
    'images',
    'import',
    '--snapshotter',
    snapshotter,
    archive,
  ];
  try {
    await run('ctr', args, { timeout: 120_000 });
  } catch (cause) {
    throw containerdErrors.IMPORT_FAILED(
      { output: String((cause as { stderr?: string }).stderr ?? cause).trim() },
      cause,
    );
  }
}

/** Builds and loads the pause image, the busybox image, and whatever else is given. */
export async function importBaseImages(site: ContainerdSite, more: readonly ImageSpec[] = []): Promise<void> {
  const archive = join(site.directory, 'images.tar');
  await writeImageArchive(archive, [await pauseImageSpec(), await busyboxImageSpec(), ...more]);
  try {
    await importImages(site, archive);
  } finally {
    await rm(archive, { force: true });
  }
}
