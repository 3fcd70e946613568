// A Go edgecore beside our cloudcore: real ports, a private containerd, and nothing of it left on the host afterwards.
import { execFile, type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { createLog, formatRecord } from '@kedge/core/log';
import { createHost } from '@kedge/core/module';
import { days, hours, seconds } from '@kedge/core/time';
import type { CloudIdentity } from '@kedge/engine/identity-cloud';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import {
  containerdSite,
  type ContainerdSite,
  importBaseImages,
  removeContainerd,
  startContainerd,
  writeContainerdConfig,
} from '@kedge/platform/containerd';
import {
  createFiles,
  createHttpServers,
  createKeys,
  createRandom,
  type HttpServerLimits,
  systemClock,
} from '@kedge/platform/node';
import { openDatabase } from '@kedge/platform/sqlite';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { freePort } from '@kedge/testing/free-port';
import { parse, stringify } from 'yaml';
import { type CloudCoreSettings, createCloudCore } from '../../apps/kedge/src/cloudcore.ts';
import { openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { inCgroup } from '../e2e/harness/run.ts';
import { startTestServer, type TestServer } from '../../packages/control-plane/test/apiserver/test-server.ts';

export const peers = process.env['PEERS'];
export const versions = ['v1.22.2', 'v1.23.1'] as const;
export const edgecoreOf = (version: string): string => join(peers ?? '', `edgecore-${version}`);
export const canRun = (version: string): boolean =>
  peers !== undefined && process.getuid?.() === 0 && existsSync(edgecoreOf(version));

export interface Scratch {
  readonly directory: string;
  readonly later: Later;
}

/** Our own API server, kept in the test's directory, and its administrator. */
export async function startEmbeddedApi({ directory, later }: Scratch): Promise<{ server: TestServer; kube: KubeApi }> {
  const server = await startTestServer({ directory: join(directory, 'api') });
  later(() => server.stop());
  const access = await openKubeApi(server.kubeconfigPath, 'kedge-test');
  later(() => access.close());
  return { server, kube: access.api };
}

/** Settings of a cloudcore with devices. */
export const withDevices = (directory: string) => ({
  devices: {
    limits: {
      perDevice: { interval: seconds(1), burst: 5 },
      total: { perSecond: 500, burst: 1_000 },
      refresh: seconds(10),
    },
    samples: { path: join(directory, 'samples.db'), perProperty: 1_000, age: hours(1), series: 10 },
  },
});

export interface LiveCloud {
  readonly ports: { readonly hub: number; readonly https: number };
  readonly token: () => string;
  stop(): Promise<void>;
}

/** Our cloudcore on `kube`, with real listeners on loopback. */
export async function startLiveCloud(
  kube: KubeApi,
  logFile: string,
  at?: LiveCloud['ports'],
  limits: Partial<HttpServerLimits> = {},
  more: Pick<CloudCoreSettings, 'devices' | 'admission'> = {},
): Promise<LiveCloud> {
  const out = createWriteStream(logFile, { flags: 'a' });
  const write = (record: Parameters<typeof formatRecord>[0]): void => void out.write(`${formatRecord(record)}\n`);
  const log = createLog({ now: () => systemClock.now(), level: 'debug', write });
  const ports = at ?? { hub: await freePort(), https: await freePort() };
  const modules = await createCloudCore(
    {
      clock: systemClock,
      log,
      random: createRandom(),
      files: createFiles(),
      keys: createKeys(),
      authorities: createCertificateAuthorities(),
      servers: createHttpServers({ log, limits }),
      kube,
      database: openDatabase,
      kubeCa: undefined,
    },
    {
      identity: {
        advertiseAddress: ['127.0.0.1'],
        dnsNames: [],
        edgeCertificateLifetime: days(1),
        tokenRefresh: hours(12),
        caFile: undefined,
        caKeyFile: undefined,
        certificateFile: undefined,
        keyFile: undefined,
      },
      hub: {
        address: '127.0.0.1',
        port: ports.hub,
        nodeLimit: 10,
        keepalive: seconds(30),
        writeTimeout: seconds(30),
        authorization: 'on',
        ownAddress: '127.0.0.1',
      },
      https: { address: '127.0.0.1', port: ports.https },
      ...more,
    },
  );
  const host = createHost({ clock: systemClock, log });
  await host.start(modules, new AbortController().signal);
  const identity = modules.find((module) => module.name === 'identity') as CloudIdentity;
  return {
    ports,
    token: () => identity.joinToken.reveal(),
    async stop() {
      await host.stop();
      out.end();
    },
  };
}

export interface GoEdge {
  readonly directory: string;
  readonly site: ContainerdSite;
  /** Where mappers register. */
  readonly dmiSocket: string;
  /** Of the process that was started last. */
  readonly pid: number;
  start(): void;
  /** Ends the process; containers go on. */
  stop(): Promise<void>;
  /** As if the disk of edgecore had been lost. */
  wipe(): Promise<void>;
  log(): Promise<string>;
}

export async function createGoEdge(
  later: Later,
  {
    version,
    node,
    cloud,
    directory,
    mqtt,
    cgroup,
  }: {
    version: string;
    node: string;
    cloud: LiveCloud;
    directory: string;
    mqtt?: string;
    /** Folder of a memory cgroup that it is in from its first instruction. */
    cgroup?: string;
  },
): Promise<GoEdge> {
  const site = containerdSite(join(directory, 'c'));
  await writeContainerdConfig(site);
  await startContainerd(site);
  await importBaseImages(site);
  const logFile = join(directory, 'edgecore.log');
  const { stdout } = await promisify(execFile)(edgecoreOf(version), ['--defaultconfig']);
  const config = parse(stdout);
  const { modules } = config;
  const files = {
    tlsCaFile: join(directory, 'ca.crt'),
    tlsCertFile: join(directory, 'server.crt'),
    tlsPrivateKeyFile: join(directory, 'server.key'),
  };
  config.database.dataSource = join(directory, 'edgecore.db');
  Object.assign(modules.edgeHub, files, { token: cloud.token(), httpServer: `https://127.0.0.1:${cloud.ports.https}` });
  modules.edgeHub.websocket.server = `127.0.0.1:${cloud.ports.hub}`;
  if (mqtt === undefined) modules.eventBus.enable = false;
  else Object.assign(modules.eventBus, { enable: true, mqttMode: 2, mqttServerExternal: mqtt });
  const dmiSocket = join(directory, 'dmi.sock');
  modules.deviceTwin.dmiSockPath = version.startsWith('v1.22') ? dmiSocket : directory;
  modules.edged.hostnameOverride = node;
  modules.edged.rootDirectory = join(directory, 'kubelet');
  Object.assign(modules.edged.tailoredKubeletConfig, {
    containerRuntimeEndpoint: `unix://${site.socket}`,
    imageServiceEndpoint: `unix://${site.socket}`,
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    readOnlyPort: await freePort(),
    podLogsDir: join(directory, 'pods'),
    staticPodPath: join(directory, 'manifests'),
    volumePluginDir: join(directory, 'plugins'),
    evictionHard: {
      'imagefs.available': '0%',
      'nodefs.available': '0%',
      'memory.available': '1Mi',
      'nodefs.inodesFree': '0%',
      'imagefs.inodesFree': '0%',
    },
    imageGCHighThresholdPercent: 100,
  });
  await mkdir(join(directory, 'manifests'), { recursive: true });
  const configFile = join(directory, 'edgecore.yaml');

  let child: ChildProcess | undefined;
  let ended: Promise<void> = Promise.resolve();
  const edge: GoEdge = {
    directory,
    site,
    dmiSocket,
    get pid() {
      return child?.pid ?? 0;
    },
    start() {
      const out = createWriteStream(logFile, { flags: 'a' });
      // Written anew every time: edgecore takes the token out, and empty lists with it.
      writeFileSync(configFile, stringify(config));
      const command = [edgecoreOf(version), '--config', configFile];
      const [program = '', ...args] = cgroup === undefined ? command : inCgroup(cgroup, command);
      child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
      child.stdout?.pipe(out, { end: false });
      child.stderr?.pipe(out, { end: false });
      ended = new Promise((resolve) => child!.once('exit', () => resolve()));
    },
    async stop() {
      child?.kill('SIGKILL');
      await ended;
    },
    async wipe() {
      for (const suffix of ['', '-wal', '-shm', '-journal'])
        await rm(`${config.database.dataSource}${suffix}`, { force: true });
    },
    log: () => readFile(logFile, 'utf8').catch(() => ''),
  };
  later(async () => {
    await edge.stop();
    await removeContainerd(site);
    await unmountBelow(directory);
  });
  return edge;
}

/** A kubelet mounts its own directory and every Secret volume, and leaves them when it is killed. */
async function unmountBelow(directory: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((path) => path.startsWith(`${directory}/`)).reverse()) {
    await promisify(execFile)('umount', ['--lazy', mount]).catch(() => undefined);
  }
}

export type Later = (cleanup: () => Promise<unknown>) => void;

/** A directory for the test, and a way to name what has to be undone, last first, before it goes. */
export async function scratch(t: TestContext): Promise<Scratch> {
  const directory = await mkdtemp(join(tmpdir(), 'kedge-go-'));
  const cleanups: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    if (process.env['KEEP'] === undefined) await rm(directory, { recursive: true, force: true });
  });
  return { directory, later: (cleanup) => void cleanups.push(cleanup) };
}

/** Looks again every half second; says what it last saw when time is up. */
export async function eventually(what: string, within: number, look: () => Promise<unknown>): Promise<void> {
  const end = Date.now() + within;
  let last: unknown;
  while (Date.now() < end) {
    try {
      last = await look();
      if (last === true) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(
    `${what} did not happen within ${within} ms; last seen: ${last instanceof Error ? last.message : JSON.stringify(last)}`,
  );
}

export const isReady = (node: KubeObject): boolean => {
  const { conditions = [] } = (node['status'] ?? {}) as { conditions?: { type: string; status: string }[] };
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
};
