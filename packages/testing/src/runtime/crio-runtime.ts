// A CRI-O below a directory of its own, from the program that $CRIO names. `pinns` and `runc` are taken from beside it, or
// from PATH; `conmon` and `skopeo` from PATH.
import { execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { seconds } from '@kedge/core/time';
import {
  busyboxImageSpec,
  clearHost,
  type ImageSpec,
  isOverlay,
  listProcesses,
  mountsBelow,
  pauseImageSpec,
  type ProcessFacts,
  signal,
  stopSandboxes,
  waitUntil,
  writeImageArchive,
  writePodNetwork,
} from '@kedge/platform/containerd';
import { openGrpcChannel } from '@kedge/platform/grpc';
import { createCri } from '@kedge/wire/cri';
import {
  type CrioOptions,
  crioSite,
  formatCrioConfig,
  ociState,
  policyFile,
  registriesFile,
  storageFile,
} from './crio-config.ts';
import { runtimeForThisHost } from './small-host.ts';
import { findProgram, programsMissing } from './programs.ts';
import type { RuntimeUnderTest } from './runtime-under-test.ts';

const run = promisify(execFile);

/** What is known of layers in registries; there is no setting for its place. */
const sharedCache = '/var/lib/containers/cache';

const program = (): string => process.env['CRIO'] ?? '/nowhere/crio';
const besideOrFound = (name: string): string | undefined => {
  const beside = join(dirname(program()), name);
  return existsSync(beside) ? beside : findProgram(name);
};

/** Why there can be no private CRI-O here; undefined when there can. Give it to `skip`. */
export function crioMissing(): string | undefined {
  if (!existsSync(program())) return '$CRIO names no crio';
  const absent = ['pinns', 'runc'].filter((name) => !besideOrFound(name));
  if (absent.length > 0) return `neither beside $CRIO nor on this host: ${absent.join(', ')}`;
  return programsMissing(['conmon', 'skopeo']);
}

export function crioRuntime(directory: string): RuntimeUnderTest {
  const site = crioSite(directory);
  const hadCache = existsSync(sharedCache);
  const isDaemon = ({ args }: ProcessFacts): boolean =>
    basename(args[0] ?? '').startsWith('crio') && args.includes(site.configFile);
  const isConmon = ({ args }: ProcessFacts): boolean =>
    basename(args[0] ?? '') === 'conmon' && args.some((text) => text.startsWith(`${site.directory}/`));
  const daemons = (): number[] =>
    listProcesses()
      .filter(isDaemon)
      .map(({ pid }) => pid);
  const environment = {
    ...process.env,
    CONTAINERS_STORAGE_CONF: storageFile(site),
    CONTAINERS_REGISTRIES_CONF: registriesFile(site),
  };
  let options: CrioOptions | undefined;

  async function configure(): Promise<CrioOptions> {
    const missing = crioMissing();
    if (missing) throw new Error(missing);
    for (const path of [site.root, site.state, site.cniDirectory, join(site.directory, 'policies')])
      await mkdir(path, { recursive: true });
    await mkdir(dirname(site.socket), { recursive: true });
    const chosen = {
      storageDriver: (await isOverlay(site.root)) ? 'vfs' : 'overlay',
      conmon: findProgram('conmon')!,
      ociRuntime: await runtimeForThisHost(besideOrFound('runc')!, join(site.directory, 'runc')),
      pinns: besideOrFound('pinns')!,
    } as const;
    await writeFile(site.configFile, formatCrioConfig(site, chosen));
    await writeFile(policyFile(site), JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
    await writeFile(registriesFile(site), 'unqualified-search-registries = []\n');
    await writeFile(
      storageFile(site),
      `[storage]\ndriver = "${chosen.storageDriver}"\ngraphroot = "${site.root}"\nrunroot = "${site.state}/storage"\n`,
    );
    await writePodNetwork(site);
    return chosen;
  }

  async function isReady(): Promise<boolean> {
    const channel = openGrpcChannel({ socketPath: site.socket, timeout: seconds(5) });
    try {
      const { status } = await createCri(channel).status({});
      return status?.conditions.every(({ status: isTrue }) => isTrue) === true;
    } catch {
      return false;
    } finally {
      channel.close();
    }
  }

  async function launch(): Promise<void> {
    const log = openSync(site.logFile, 'a');
    const child = spawn(program(), ['--config', site.configFile, '--config-dir', ''], {
      detached: true,
      env: environment,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
    child.unref();
    let hasEnded = false;
    void ended.then(() => (hasEnded = true));
    if (!(await waitUntil(async () => hasEnded || (await isReady()), 30_000)) || hasEnded)
      throw new Error(`CRI-O did not become ready: ${(await readFile(site.logFile, 'utf8')).slice(-2_000)}`);
  }

  async function load(images: readonly ImageSpec[]): Promise<void> {
    const archive = join(site.directory, 'image.tar');
    for (const image of images) {
      await writeImageArchive(archive, [image]);
      const store = `[${options!.storageDriver}@${site.root}+${site.state}/storage]`;
      const args = ['--policy', policyFile(site), 'copy', '--quiet', `oci-archive:${archive}`];
      await run('skopeo', [...args, `containers-storage:${store}${image.reference}`], { env: environment });
    }
    await rm(archive, { force: true });
  }

  async function endDaemon(): Promise<void> {
    const isGone = (): boolean => daemons().length === 0;
    for (const pid of daemons()) signal(pid, 'SIGTERM');
    if (!(await waitUntil(isGone, 10_000))) for (const pid of daemons()) signal(pid, 'SIGKILL');
    await waitUntil(isGone, 2_000);
  }

  async function stop(): Promise<readonly string[]> {
    if (daemons().length > 0) await stopSandboxes(site.socket);
    await endDaemon();
    if (!hadCache) await rm(sharedCache, { recursive: true, force: true });
    return clearHost(site, (facts) => isDaemon(facts) || isConmon(facts));
  }

  return {
    kind: 'cri-o',
    socket: site.socket,
    cgroupRoot: site.cgroupRoot,
    marks: [site.cgroupRoot.slice(1), site.bridge],
    pauseProcesses: 0,
    async start(more = []) {
      options = await configure();
      if (daemons().length === 0) await launch();
      await load([await pauseImageSpec(), await busyboxImageSpec(), ...more]);
    },
    load,
    pid: async () => daemons()[0],
    endDaemon,
    stop,
    async remove() {
      const left = await stop();
      if (mountsBelow(site.directory).length === 0) await rm(site.directory, { recursive: true, force: true });
      return left;
    },
    async running() {
      const { stdout } = await run(options!.ociRuntime, ['--root', ociState(site), 'list', '--format', 'json']);
      const listed = (JSON.parse(stdout) ?? []) as readonly { id: string; pid: number; status: string }[];
      return new Map(listed.filter(({ status }) => status === 'running').map(({ id, pid }) => [id, pid]));
    },
  };
}
