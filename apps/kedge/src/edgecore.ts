// edgecore: which parts it has and who knows whom. Everything of the outside comes in as a platform, so a test can run
// a whole edge without a machine.
import type { Log, Secret } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import type { Module } from '@kedge/core/module';
import type {
  Cgroups,
  Database,
  Dialer,
  Files,
  Host,
  HostShutdowns,
  HttpServers,
  Keys,
  Mounts,
  Mqtt,
  MqttBrokers,
  ProbeNetwork,
  Processes,
  Random,
} from '@kedge/core/ports';
import type { Clock, Duration } from '@kedge/core/time';
import { createEdged, type EdgedConfig } from '@kedge/edge/edged';
import { createDeviceTwin, type HistoryLimits } from '@kedge/edge/devicetwin';
import { createDmiServer } from '@kedge/edge/dmi';
import type { EventBus, EventBusConfig, EventBusDeps } from '@kedge/edge/eventbus';
import { createEdgeHub, type EdgeHubConfig, joinOutboxes, toAnyOutbox } from '@kedge/edge/edgehub';
import { createMetaManager, type MetaManager } from '@kedge/edge/metamanager';
import { createLinkStatus } from '@kedge/engine/channel';
import { createEdgeIdentity, type EdgeIdentityConfig, type EdgeIdentityDeps } from '@kedge/engine/identity-edge';
import type { Cri } from '@kedge/wire/cri';
import type { OpenRpcChannel, RpcServers } from '@kedge/wire/rpc';
import { createDeviceExtras } from './device-extras.ts';

export interface EdgeCorePlatform {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly db: Database;
  readonly files: Files;
  readonly keys: Keys;
  readonly openHttpClient: EdgeIdentityDeps['openHttpClient'];
  readonly dialer: Dialer;
  readonly cri: Cri;
  readonly mounts: Mounts;
  readonly cgroups: Cgroups;
  readonly host: Host;
  /** Loads what hears of the machine's shutdown. */
  readonly openShutdowns?: () => Promise<HostShutdowns>;
  readonly network: ProbeNetwork;
  readonly servers: HttpServers;
  /** For credential providers. */
  readonly processes: Processes;
  /** Load the MQTT client and the broker, where there is use for them. */
  readonly openMqtt: () => Promise<Mqtt>;
  readonly openMqttBrokers: () => Promise<MqttBrokers>;
  /** Calls to mappers and from them. */
  readonly rpc: { readonly servers: RpcServers; readonly openChannel: OpenRpcChannel };
}

export interface DevicesConfig {
  readonly dmiSocket: string;
  readonly apiSocket: string;
  /** Undefined: none is kept. */
  readonly history: HistoryLimits | undefined;
}

export interface EdgeCoreSettings {
  readonly identity: EdgeIdentityConfig;
  readonly hub: EdgeHubConfig;
  readonly meta: { readonly remoteQueryTimeout: Duration };
  readonly edged: EdgedConfig;
  /** Undefined: no devices. */
  readonly devices: DevicesConfig | undefined;
  /** Undefined: no broker. */
  readonly eventBus: EventBusConfig | undefined;
}

/** In the order in which they start: pods come back from the disk before anything needs the cloud. */
export async function createEdgeCore(on: EdgeCorePlatform, settings: EdgeCoreSettings): Promise<Module[]> {
  const { clock, log, random, files } = on;
  const link = createLinkStatus();
  const { node } = settings.edged;
  const askTimeout = settings.meta.remoteQueryTimeout;
  const meta = createMetaManager({ db: on.db, clock, log, random, node, askTimeout });
  const { pods, store, objects, tokens, services, outbox, asks } = meta;
  const identity = createEdgeIdentity(
    { clock, log, random, files, keys: on.keys, openHttpClient: on.openHttpClient },
    { ...settings.identity, isKnown: () => !store.isEmpty || pods.list().length > 0 },
  );
  const serving = { current: () => servingFiles(identity.current()), listen: identity.listen };
  const server = { metrics: on.metrics, servers: on.servers, serving };
  const edged = createEdged({
    ...on,
    config: settings.edged,
    pods,
    store,
    objects,
    tokens,
    services,
    outbox,
    asks,
    link,
    server,
    rpc: on.rpc,
    processes: on.processes,
  });
  const devices = settings.devices && (await createDevices(on, meta, node, settings.devices, settings.eventBus));
  const hub = createEdgeHub({
    clock,
    log,
    random,
    metrics: on.metrics,
    dialer: on.dialer,
    identity,
    handlers: { ...meta.handlers, ...devices?.bus?.handlers },
    asks,
    outbox: joinOutboxes(toAnyOutbox(outbox), ...(devices?.outboxes ?? [])),
    store,
    link,
    config: settings.hub,
  });
  return [meta, edged, ...(devices ? devices.modules : []), identity, hub];
}

/** DeviceTwin, the server that mappers register at, alarms, and how applications ask: EventBus and the local API. */
async function createDevices(
  on: EdgeCorePlatform,
  meta: MetaManager,
  node: string,
  { dmiSocket, apiSocket, history }: DevicesConfig,
  broker: EventBusConfig | undefined,
) {
  const { clock, log, random, metrics, db, rpc } = on;
  const twin = createDeviceTwin({ clock, log, random, db, objects: meta.devices, history });
  const extras = createDeviceExtras(
    { ...on, twins: twin, devices: twin, events: meta.outbox },
    { node, socketPath: apiSocket },
  );
  const dmi = createDmiServer(
    { clock, log, random, metrics, db, ...rpc, devices: twin.devices, twins: twin },
    { socketPath: dmiSocket },
  );
  const bus = broker && (await openEventBus({ ...on, twins: twin, alarms: extras.alarms }, broker));
  // The bus first: it hears of the first report too.
  const outboxes = [toAnyOutbox(twin.outbox), ...(bus ? [toAnyOutbox(bus.outbox)] : [])];
  return { bus, outboxes, modules: [twin, ...(bus ? [bus] : []), extras, dmi] };
}

/** Code that most edges do not load. */
async function openEventBus(deps: EventBusDeps, config: EventBusConfig): Promise<EventBus> {
  const { createEventBus } = await import('@kedge/edge/eventbus');
  return createEventBus(deps, config);
}

/** The node shows the same certificate to callers as to its cloud. */
const servingFiles = ({ certificate, key }: { certificate: string; key: Secret<string> }) => ({
  certificate,
  key: key.reveal(),
});
