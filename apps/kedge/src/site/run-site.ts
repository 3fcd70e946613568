// Brings a whole site up, step by step, keeps it up, and takes it down again in the reverse order. Every step first
// looks at what is there: a second start carries on with the same state.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { explain } from '@kedge/core/errors';
import type { KubeApi } from '@kedge/engine/kube-client';
import {
  containerdPid,
  containerdSite,
  importBaseImages,
  pauseImage,
  startContainerd,
  stopContainerd,
  writeContainerdConfig,
} from '@kedge/platform/containerd';
import { openKubeApi, type KubeAccess } from '../kube-access.ts';
import { type Child, startChild } from './child.ts';
import { cloudcoreConfig, edgecoreConfig } from './config-files.ts';
import { requireFreePorts } from './free-ports.ts';
import type { SiteLayout, SitePorts } from './layout.ts';
import { limitLog } from './limit-log.ts';
import { readOrMakePassword } from './mqtt-password.ts';
import { liveProcesses, stopProcess } from './pid-files.ts';
import { readJoinToken, waitForNode, waitForSample } from './readiness.ts';
import { applySampleDevices, deviceProcesses, moveSampleDevices } from './sample-devices.ts';
import { waitFor } from './wait-for.ts';
import { applySampleWorkload, sampleImageSpec } from './workload.ts';

export interface SiteOptions {
  readonly layout: SiteLayout;
  readonly ports: SitePorts;
  readonly node: string;
  /** The program to run daemons with: `bin/kedge`. */
  readonly program: string;
  readonly applySample: boolean;
  /** Whether simulated devices and their mappers run, and whether they are to be applied to the API. */
  readonly devices: 'none' | 'run' | 'apply';
  /** Path of an EncryptionConfiguration for the API; undefined: the one of the last start, if there was one. */
  readonly encryption?: string | undefined;
  readonly report: (say: string) => void;
}

export interface RunningSite {
  readonly api: KubeApi;
  readonly server: string;
  /** False: the devices could not be applied; the next start is to try again. */
  readonly devicesApplied: boolean;
  stop(): Promise<readonly string[]>;
}

const listenAddress = '127.0.0.1';
const apiLimitMs = 30_000;
const stopGraceMs = 15_000;
const devicesLimitMs = 10_000;
/** Of each process: what needs more has a leak, ends, and is started again. */
const deviceHeapMegabytes = 96;

/** Resolves once the node is Ready and the sample runs. Whatever was started is stopped again when it rejects. */
export async function runSite(options: SiteOptions, signal: AbortSignal): Promise<RunningSite> {
  const { layout, report } = options;
  const children: Child[] = [];
  const closers: (() => Promise<unknown>)[] = [];
  const runtime = containerdSite(layout.containerd);

  const child = (name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Child => {
    const started = startChild({
      name,
      command: options.program,
      args,
      env,
      logDirectory: layout.logs,
      pidDirectory: layout.run,
      onRestart: (who, why, delayMs) => report(`${who} ended (${why}); starting it again in ${delayMs} ms`),
      onTrouble: (who, say) => report(`${who}: ${say}`),
    });
    children.push(started);
    return started;
  };

  async function stop(): Promise<readonly string[]> {
    for (const close of closers.splice(0)) await close();
    const left: string[] = [];
    // What came after edgecore knows nothing of each other.
    const beside = children.splice(children.findIndex(({ name }) => name === 'edgecore') + 1 || children.length);
    await Promise.all(beside.map((one) => one.stop(stopGraceMs)));
    for (const one of children.splice(0).reverse()) {
      // The edge first, so that it does not mend what is being taken down; then the pods; then the cloud.
      await one.stop(stopGraceMs);
      if (one.name === 'edgecore') left.push(...(await stopContainerd(runtime)));
    }
    left.push(...(await stopContainerd(runtime)));
    return left;
  }

  try {
    await prepareDirectories(layout);
    await stopLeftovers(layout, report);
    await requireFreePorts(options.ports, listenAddress, options.devices !== 'none');
    report('starting containerd');
    await startRuntime(options, runtime);
    closers.push(keepRuntimeUp(runtime, report));

    report('starting the Kubernetes API');
    await writeFile(layout.api.config, JSON.stringify(await apiServerConfig(options), undefined, 2));
    const apiServer = child('apiserver', ['apiserver', '--config', layout.api.config]);
    const access = await waitForApi(layout, apiServer, signal);
    closers.push(() => access.close());

    report('starting cloudcore');
    await writeFile(layout.cloudcore.config, cloudcoreConfig(layout, options.ports));
    const cloudcore = child('cloudcore', ['cloudcore', '--config', layout.cloudcore.config]);
    const token = await waitFor(() => readJoinToken(access.api), {
      what: 'cloudcore issuing a join token',
      limitMs: apiLimitMs,
      signal,
      hopeless: () => givenUp(cloudcore),
    });

    report(`starting edgecore as node ${options.node}`);
    const facts = {
      node: options.node,
      token,
      runtimeSocket: runtime.socket,
      cgroupRoot: runtime.cgroupRoot,
      pauseImage,
      mqttPassword: options.devices === 'none' ? undefined : await readOrMakePassword(layout.edge.mqttPassword),
    };
    await writeFile(layout.edge.config, edgecoreConfig(layout, options.ports, facts), { mode: 0o600 });
    const edgecore = child('edgecore', ['edgecore', '--config', layout.edge.config]);
    await waitForNode(access.api, options.node, () => givenUp(edgecore), signal);

    if (options.applySample) {
      report('starting the sample workload');
      await applySampleWorkload(access.api, signal);
    }
    const [devicesApplied] = await Promise.all([
      applyDevices(options, access.api, signal),
      waitForSample(access.api, runtime.socket, signal),
    ]);
    // Last, and nobody waits for them: a site is up when its node and its pods are.
    if (options.devices !== 'none') await startDevices(options, child);
    return { api: access.api, server: access.server, devicesApplied, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function prepareDirectories(layout: SiteLayout): Promise<void> {
  await mkdir(layout.data, { recursive: true, mode: 0o755 });
  for (const directory of [layout.logs, layout.run]) await mkdir(directory, { recursive: true });
  for (const directory of [layout.api.directory, layout.edge.directory, dirname(layout.edge.dmiSocket)]) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
}

/** Daemons of a supervisor that was killed: ours to stop, because nobody watches them any more. Pods run on. */
async function stopLeftovers(layout: SiteLayout, report: (say: string) => void): Promise<void> {
  for (const known of await liveProcesses(layout.run)) {
    if (known.name === 'kedge') continue;
    report(`stopping ${known.name} of an earlier run`);
    await stopProcess(known, stopGraceMs);
  }
}

/** A site without its sample devices is still a site. */
async function applyDevices(options: SiteOptions, api: KubeApi, signal: AbortSignal): Promise<boolean> {
  const { devices, node, ports, report } = options;
  if (devices === 'none') return false;
  const change = devices === 'apply' ? applySampleDevices : moveSampleDevices;
  const apply = () => change(api, node, ports, signal).then((): true => true);
  try {
    // The webhooks of cloudcore may not answer yet.
    return await waitFor(apply, { what: 'applying the sample devices', limitMs: devicesLimitMs, signal });
  } catch (error) {
    signal.throwIfAborted();
    report(explain(error));
    return false;
  }
}

async function startDevices(
  { layout, ports, report }: SiteOptions,
  child: (name: string, args: readonly string[], env: Readonly<Record<string, string>>) => Child,
): Promise<void> {
  report('starting the sample devices and their mappers');
  await mkdir(layout.devices.directory, { recursive: true, mode: 0o700 });
  for (const { name, args, config } of deviceProcesses(layout, ports)) {
    if (config) await writeFile(config.path, config.text);
    child(name, args, { NODE_OPTIONS: `--max-old-space-size=${deviceHeapMegabytes}` });
  }
}

type Runtime = ReturnType<typeof containerdSite>;

async function startRuntime({ report }: SiteOptions, runtime: Runtime): Promise<void> {
  await writeContainerdConfig(runtime);
  await startContainerd(runtime);
  report('loading images');
  await importBaseImages(runtime, [await sampleImageSpec()]);
}

/** Starts containerd again when it ends by itself. Returns how to stop watching. */
function keepRuntimeUp(runtime: Runtime, report: (say: string) => void): () => Promise<void> {
  const stop = new AbortController();
  const watching = (async () => {
    while (!stop.signal.aborted) {
      await sleep(1_000, undefined, { signal: stop.signal }).catch(() => undefined);
      if (stop.signal.aborted) break;
      cutRuntimeLog(runtime, report);
      if ((await containerdPid(runtime)) !== undefined) continue;
      report('containerd ended; starting it again');
      await startContainerd(runtime).catch((error: unknown) => report(String(error)));
    }
  })();
  return async () => {
    stop.abort();
    await watching;
  };
}

function cutRuntimeLog(runtime: Runtime, report: (say: string) => void): void {
  try {
    limitLog(runtime.logFile);
  } catch (error) {
    report(`containerd: its log cannot be cut: ${explain(error)}`);
  }
}

async function apiServerConfig({ layout, ports, encryption }: SiteOptions): Promise<Record<string, unknown>> {
  // What was written with keys cannot be read without them: a later start keeps to them unless it is told others.
  const before = JSON.parse(await readFile(layout.api.config, 'utf8').catch(() => '{}')) as Record<string, unknown>;
  const keys = encryption ?? before['encryption-provider-config'];
  return {
    directory: layout.api.directory,
    address: listenAddress,
    port: ports.api,
    kubeconfigs: { admin: layout.kubeconfig, cloudcore: layout.cloudcore.kubeconfig },
    ...(keys === undefined ? {} : { 'encryption-provider-config': keys }),
  };
}

/** A daemon that fails three times while a site starts will not come up by itself. */
const givenUp = (child: Child): string | undefined =>
  child.restarts >= 3 ? `${child.name} keeps ending; its last words were:\n${child.lastWords()}` : undefined;

function waitForApi(layout: SiteLayout, child: Child, signal: AbortSignal): Promise<KubeAccess> {
  const look = async (): Promise<KubeAccess | undefined> => {
    const access = await openKubeApi(layout.kubeconfig, 'kedge-up');
    const ready = await access.api.raw('/readyz').catch(() => undefined);
    if (ready?.status === 200) return access;
    await access.close();
    return undefined;
  };
  const what = 'the Kubernetes API becoming ready';
  return waitFor(look, { what, limitMs: apiLimitMs, everyMs: 50, signal, hopeless: () => givenUp(child) });
}
