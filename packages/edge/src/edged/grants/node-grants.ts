// Gives pods what the node has of devices and of processors for themselves. On most nodes there is neither: then nothing
// of it is loaded.
import { explain } from '@kedge/core/errors';
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Clock } from '@kedge/core/time';
import type { Files, Host } from '@kedge/core/ports';
import type { Pod } from '@kedge/model/k8s-types';
import type { Cri } from '@kedge/wire/cri';
import { ContainerState } from '@kedge/wire/cri';
import type { OpenRpcChannel, RpcServers } from '@kedge/wire/rpc';
import type { EdgedConfig } from '../config.ts';
import { specOf, uidOf } from '../pod/pod-spec.ts';
import type { Refusal } from '../pod/unsupported.ts';
import { labels } from '../runtime/labels.ts';
import type { CpuManager } from './cpu-manager.ts';
import type { DevicePlugins } from './device-plugins.ts';
import { type Grants, noGrants } from './grants.ts';

export interface NodeGrants {
  /** Resolves once what was given before is known again. */
  start(scope: Scope): Promise<void>;
  /** A pod is here: with it may come a device plugin. */
  notice(pod: Pod): void;
  /** Whatever the containers of a pod that is new here get; a refusal when there is not enough. */
  give(pod: Pod, signal: AbortSignal): Promise<Refusal | undefined>;
  of(pod: Pod, container: string): Grants;
  beforeStart(pod: Pod, container: string, signal: AbortSignal): Promise<void>;
  /** Pods have gone: what they had is free. */
  pods(isHere: (uid: string) => boolean): Promise<void>;
  /** Extended resources by name. */
  amounts(): ReadonlyMap<string, { readonly capacity: number; readonly allocatable: number }>;
  /** Processors of its own: their number cannot be changed while it runs. */
  hasOwnCpus(uid: string): boolean;
}

export interface NodeGrantsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly files: Files;
  readonly cri: Cri;
  readonly host: Pick<Host, 'processors'>;
  /** For device plugins; without it there are none. */
  readonly rpc: { readonly servers: RpcServers; readonly openChannel: OpenRpcChannel } | undefined;
  readonly config: Pick<EdgedConfig, 'site' | 'rootDirectory' | 'devicePluginDirectory' | 'cpuManager' | 'reserved'>;
  /** The resources of the node are different now. */
  readonly changed: () => void;
}

export function createNodeGrants(deps: NodeGrantsDeps): NodeGrants {
  const { files, cri, config, rpc } = deps;
  const { devicePluginDirectory: directory, site } = config;
  let scope: Scope | undefined;
  let devices: DevicePlugins | undefined;
  let loading: Promise<void> | undefined;
  let cpus: CpuManager | undefined;
  /** What running containers were last told to share, by id. */
  const told = new Map<string, string>();

  async function loadDevices(of: Scope, with_: NonNullable<NodeGrantsDeps['rpc']>): Promise<void> {
    const { createDevicePlugins } = await import('@kedge/edge/edged/grants');
    const made = createDevicePlugins({ ...deps, rpc: with_, directory: directory ?? '' });
    await made.start(of);
    devices = made;
  }

  const wantDevices = (): Promise<void> => {
    if (!scope || !rpc || directory === undefined) return Promise.resolve();
    loading ??= loadDevices(scope, rpc).catch((error: unknown) => {
      deps.log.error('device plugins cannot be served', { path: directory, reason: explain(error) });
      loading = undefined;
    });
    return loading;
  };

  async function loadCpus(settings: NonNullable<EdgedConfig['cpuManager']>): Promise<void> {
    const { createCpuManager, parseCpus } = await import('@kedge/edge/edged/grants');
    const topology = await deps.host.processors();
    const listed = settings.reservedCpus === undefined ? undefined : parseCpus(settings.reservedCpus);
    const count = Math.ceil(config.reserved.cpuMillis / 1_000);
    const reserved = listed ?? new Set(topology.map(({ cpu }) => cpu).slice(0, count));
    cpus = createCpuManager({ ...deps, path: `${config.rootDirectory}/cpu_manager_state`, topology, reserved });
    await cpus.start();
  }

  /** Running containers that share processors share others now. */
  async function tellShared(signal: AbortSignal): Promise<void> {
    if (!cpus) return;
    const filter = { labelSelector: { [labels.site]: site }, state: { state: ContainerState.CONTAINER_RUNNING } };
    const { containers } = await cri.listContainers({ filter }, { signal });
    const running = new Set(containers.map(({ id }) => id));
    for (const id of told.keys()) if (!running.has(id)) told.delete(id);
    for (const { id, labels: of } of containers) {
      const cpusetCpus = cpus.cpusOf(of[labels.podUid] ?? '', of[labels.containerName] ?? '');
      if (told.get(id) === cpusetCpus) continue;
      try {
        await cri.updateContainerResources({ containerId: id, linux: { cpusetCpus } }, { signal });
        told.set(id, cpusetCpus);
      } catch (error) {
        signal.throwIfAborted();
        deps.log.warn('a container could not be moved to other processors', { container: id, reason: explain(error) });
      }
    }
  }

  return {
    async start(of) {
      scope = of;
      if (config.cpuManager) await loadCpus(config.cpuManager);
      if (directory === undefined) return;
      const left = (await files.list(directory)) ?? [];
      if (left.some((name) => name.endsWith('.sock') || name.endsWith('_checkpoint'))) await wantDevices();
    },
    notice(pod) {
      if (loading || directory === undefined) return;
      const isPlugin = specOf(pod).volumes?.some(({ hostPath }) => hostPath?.path.replace(/\/$/, '') === directory);
      if (isPlugin) void wantDevices();
    },
    async give(pod, signal) {
      const unexpected = (problem: string): Refusal => ({
        reason: 'UnexpectedAdmissionError',
        message: `Pod was rejected: Allocate failed due to ${problem}, which is unexpected`,
      });
      const noCpus = await cpus?.allocate(pod);
      if (noCpus !== undefined) return unexpected(noCpus);
      const noDevices = await devices?.allocate(pod, signal);
      if (noDevices !== undefined) return unexpected(noDevices);
      if (cpus?.hasOwn(uidOf(pod))) await tellShared(signal);
      return undefined;
    },
    of(pod, container) {
      const grants = devices?.grants(uidOf(pod), container) ?? noGrants;
      return cpus ? { ...grants, cpus: cpus.cpusOf(uidOf(pod), container) } : grants;
    },
    beforeStart: async (pod, container, signal) => devices?.beforeStart(uidOf(pod), container, signal),
    async pods(isHere) {
      await devices?.keepOnly(isHere);
      if (scope && (await cpus?.keepOnly(isHere))) await tellShared(scope.signal);
    },
    amounts: () => devices?.amounts() ?? new Map(),
    hasOwnCpus: (uid) => cpus?.hasOwn(uid) ?? false,
  };
}
