// Device plugins: programs on the node that offer devices under a resource name. They register at a socket, list their
// devices for as long as they run, and say what a container that gets some of them needs. What was given to whom is on
// disk: a restarted container finds the same devices, with or without its plugin.
// Source: "Device Plugins" in the Kubernetes documentation, the API v1beta1.
import { explain } from '@kedge/core/errors';
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Files } from '@kedge/core/ports';
import { type Clock, type Duration, minutes, seconds } from '@kedge/core/time';
import type { Container, Pod } from '@kedge/model/k8s-types';
import {
  type ContainerAllocateResponse,
  createDevicePlugin,
  type DevicePlugin,
  type RegisterRequest,
  serveRegistration,
  type Whole,
} from '@kedge/wire/deviceplugin';
import { type OpenRpcChannel, type RpcChannel, rpcFailure, rpcMessage, type RpcServers } from '@kedge/wire/rpc';
import { initContainersOf, isSidecar, specOf, uidOf } from '../pod/pod-spec.ts';
import { isExtendedResource } from '../runtime/resources.ts';
import { createDeviceCheckpoint, type DeviceEntry } from './device-checkpoint.ts';
import { type Grants, noGrants } from './grants.ts';
import { chooseDevices, settleDevices } from './plan-devices.ts';

export interface DevicePluginsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly files: Files;
  readonly rpc: { readonly servers: RpcServers; readonly openChannel: OpenRpcChannel };
  /** Where plugins look for our socket and have theirs. */
  readonly directory: string;
  /** What the node has is different now. */
  readonly changed: () => void;
}

export interface DevicePlugins {
  start(scope: Scope): Promise<void>;
  /** Devices by resource: those there are, and those that are well. */
  amounts(): ReadonlyMap<string, { readonly capacity: number; readonly allocatable: number }>;
  /** Devices for every container of a pod that is new here; returns what is wrong. */
  allocate(pod: Pod, signal: AbortSignal): Promise<string | undefined>;
  grants(uid: string, container: string): Grants;
  /** Before each start of a container, for plugins that want to know. */
  beforeStart(uid: string, container: string, signal: AbortSignal): Promise<void>;
  /** Pods that are gone leave their devices to others. */
  keepOnly(isHere: (uid: string) => boolean): Promise<void>;
}

interface Plugin {
  readonly resource: string;
  readonly needsPreStart: boolean;
  readonly hasPreference: boolean;
  readonly client: DevicePlugin | undefined;
  readonly stop: AbortController;
  /** By id, whether it is well. */
  devices: ReadonlyMap<string, boolean>;
}

const apiVersion = 'v1beta1';
const maxPlugins = 64;
const callTimeout: Duration = seconds(30);
/** A plugin that ended may be coming back: so long the node still shows its devices, as unwell. */
const stopGrace: Duration = minutes(5);
const listenAgain: Duration = seconds(30);

export function createDevicePlugins(deps: DevicePluginsDeps): DevicePlugins {
  const { clock, files, rpc, directory, changed } = deps;
  const log = deps.log.child({ module: 'device-plugins' });
  const plugins = new Map<string, Plugin>();
  const checkpoint = createDeviceCheckpoint(files, `${directory}/kubelet_internal_checkpoint`);
  let entries: readonly DeviceEntry[] = [];
  let scope: Scope | undefined;

  const gone = (resource: string): Plugin => ({
    resource,
    needsPreStart: false,
    hasPreference: false,
    client: undefined,
    stop: new AbortController(),
    devices: new Map(),
  });

  async function save(): Promise<void> {
    const registered = [...plugins.values()].map(({ resource, devices }) => [resource, [...devices.keys()]] as const);
    await checkpoint.write(entries, new Map(registered));
  }

  async function register({ version, endpoint, resourceName, options }: Whole<RegisterRequest>): Promise<void> {
    const reject = (why: string): Error => {
      log.warn('a device plugin is turned away', { name: resourceName, reason: why });
      return rpcFailure('INVALID_ARGUMENT', why);
    };
    if (version !== apiVersion) throw reject(`API version "${version}" is not supported; this node has ${apiVersion}`);
    if (!isExtendedResource(resourceName)) throw reject(`the resource name "${resourceName}" is invalid`);
    if (endpoint === '' || endpoint.includes('/')) throw reject(`"${endpoint}" is not a socket in ${directory}`);
    const before = plugins.get(resourceName);
    if (!before && plugins.size >= maxPlugins) throw reject(`there are ${maxPlugins} plugins already`);
    before?.stop.abort(new Error('another plugin took its place'));
    const channel = rpc.openChannel({ socketPath: `${directory}/${endpoint}`, timeout: callTimeout });
    const plugin: Plugin = {
      resource: resourceName,
      needsPreStart: options?.preStartRequired ?? false,
      hasPreference: options?.getPreferredAllocationAvailable ?? false,
      client: createDevicePlugin(channel),
      stop: new AbortController(),
      devices: before?.devices ?? new Map(),
    };
    plugins.set(resourceName, plugin);
    log.info('device plugin registered', { name: resourceName, path: endpoint });
    scope?.spawn(`device plugin ${resourceName}`, (signal) => follow(plugin, channel, signal));
  }

  /** Hears of its devices until it ends or another takes its place. */
  async function follow(plugin: Plugin, channel: RpcChannel, signal: AbortSignal): Promise<void> {
    const until = AbortSignal.any([signal, plugin.stop.signal]);
    let why = 'it ended';
    try {
      for await (const { devices } of plugin.client?.listAndWatch({ signal: until }) ?? []) {
        plugin.devices = new Map(devices.map(({ ID, health }) => [ID, health === 'Healthy']));
        await save();
        changed();
      }
    } catch (error) {
      why = rpcMessage(error);
    }
    channel.close();
    if (until.aborted) return;
    log.warn('device plugin is gone', { name: plugin.resource, reason: why });
    plugin.devices = new Map([...plugin.devices.keys()].map((id) => [id, false]));
    changed();
    await clock.sleep('return of a device plugin', stopGrace, until).catch(() => undefined);
    if (until.aborted || plugins.get(plugin.resource) !== plugin) return;
    plugin.devices = new Map();
    changed();
  }

  const entryOf = (uid: string, container: string, resource: string): DeviceEntry | undefined =>
    entries.find((one) => one.uid === uid && one.container === container && one.resource === resource);

  /** The devices are noted with the answer, so that they are taken from the next look on. */
  async function give(
    pod: Pod,
    container: Container,
    plugin: Plugin,
    count: number,
    reusable: Set<string>,
    signal: AbortSignal,
  ): Promise<DeviceEntry | string> {
    const { resource, devices, client } = plugin;
    const healthy = new Set([...devices].filter(([, isWell]) => isWell).map(([id]) => id));
    const taken = new Set(entries.filter((one) => one.resource === resource).flatMap(({ ids }) => ids));
    const choice = chooseDevices({ resource, count, healthy, taken, reusable });
    if (!choice.ok) return choice.message;
    if (!client) return `the device plugin of ${resource} does not run`;
    const options = { signal, timeout: callTimeout };
    let preferred: readonly string[] = [];
    if (plugin.hasPreference && choice.must.length < count) {
      const request = {
        availableDeviceIDs: [...choice.must, ...choice.from],
        mustIncludeDeviceIDs: [...choice.must],
        allocationSize: count,
      };
      const answer = await client.preferredAllocation({ containerRequests: [request] }, options).catch(() => undefined);
      preferred = answer?.containerResponses[0]?.deviceIDs ?? [];
    }
    const ids = settleDevices(choice, count, preferred);
    const { containerResponses } = await client.allocate({ containerRequests: [{ devicesIds: ids }] }, options);
    const [response] = containerResponses;
    if (!response) return `the device plugin of ${resource} answered with nothing`;
    const entry = { uid: uidOf(pod), container: container.name, resource, ids, response };
    entries = [...entries, entry];
    return entry;
  }

  async function allocate(pod: Pod, signal: AbortSignal): Promise<string | undefined> {
    const reusable = new Map<string, Set<string>>();
    for (const container of [...initContainersOf(pod), ...specOf(pod).containers]) {
      const isInit = initContainersOf(pod).includes(container) && !isSidecar(container);
      for (const [resource, amount] of Object.entries(container.resources?.limits ?? {})) {
        const plugin = plugins.get(resource);
        const count = Number(amount);
        if (!plugin || !(count > 0)) continue;
        const left = reusable.get(resource) ?? new Set<string>();
        reusable.set(resource, left);
        const had = entryOf(uidOf(pod), container.name, resource);
        const entry = had ?? (await give(pod, container, plugin, count, left, signal));
        if (typeof entry === 'string') return entry;
        // Init containers run one after the other and have ended when the others start.
        for (const id of entry.ids)
          if (isInit) left.add(id);
          else left.delete(id);
      }
    }
    return undefined;
  }

  async function keepOnly(isHere: (uid: string) => boolean): Promise<void> {
    const kept = entries.filter(({ uid }) => isHere(uid));
    if (kept.length === entries.length) return;
    entries = kept;
    await save();
  }

  /** A plugin that holds the socket itself, or another edge, may go: then it is ours. */
  async function serve(of: Scope): Promise<void> {
    let isTold = false;
    while (!of.signal.aborted) {
      try {
        const listening = await rpc.servers.listen({
          socketPath: `${directory}/kubelet.sock`,
          handlers: serveRegistration(register),
        });
        of.defer('socket for device plugins', () => listening.close());
        return;
      } catch (error) {
        if (!isTold) log.error('device plugins cannot register', { path: directory, reason: explain(error) });
        isTold = true;
        await clock.sleep('socket for device plugins', listenAgain, of.signal).catch(() => undefined);
      }
    }
  }

  return {
    async start(of) {
      scope = of;
      await files.makeDirectory(directory, { mode: 0o755 });
      const { entries: known, registered } = await checkpoint.read();
      entries = known;
      for (const resource of registered) plugins.set(resource, gone(resource));
      of.spawn('socket for device plugins', () => serve(of));
    },
    amounts: () =>
      new Map(
        [...plugins].map(([resource, { devices }]) => [
          resource,
          { capacity: devices.size, allocatable: [...devices.values()].filter(Boolean).length },
        ]),
      ),
    async allocate(pod, signal) {
      const before = entries;
      try {
        const problem = await allocate(pod, signal);
        if (problem !== undefined) entries = before;
        if (entries !== before) await save();
        return problem;
      } catch (error) {
        entries = before;
        signal.throwIfAborted();
        return rpcMessage(error);
      }
    },
    grants(uid, container) {
      const own = entries.filter((one) => one.uid === uid && one.container === container);
      return own.reduce((all, { response }) => withResponse(all, response), noGrants);
    },
    async beforeStart(uid, container, signal) {
      for (const { resource, ids } of entries.filter((one) => one.uid === uid && one.container === container)) {
        const plugin = plugins.get(resource);
        if (!plugin?.needsPreStart) continue;
        await plugin.client?.preStartContainer({ devicesIds: [...ids] }, { signal, timeout: callTimeout });
      }
    },
    keepOnly,
  };
}

function withResponse(grants: Grants, response: ContainerAllocateResponse): Grants {
  const { envs = {}, mounts = [], devices = [], annotations = {}, cdiDevices = [] } = response;
  return {
    ...grants,
    envs: new Map([...grants.envs, ...Object.entries(envs)]),
    mounts: [
      ...grants.mounts,
      ...mounts.map(({ containerPath, hostPath, readOnly }) => ({ containerPath, hostPath, readonly: readOnly })),
    ],
    devices: [...grants.devices, ...devices],
    annotations: { ...grants.annotations, ...annotations },
    cdiDevices: [...grants.cdiDevices, ...cdiDevices.map(({ name = '' }) => name)],
  };
}
