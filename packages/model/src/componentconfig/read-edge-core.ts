// Reads edgecore.yaml: defaults for a host, checks across keys, and the way into our own units.
import {
  type ConfigSources,
  defaultsOf,
  type HostFacts,
  type Problem,
  readConfig,
  writeDocument,
} from '@kedge/core/config';
import { secret } from '@kedge/core/log';
import { type Duration, parseDuration, seconds } from '@kedge/core/time';
import { type NodeName, nodeName } from '../k8s/index.ts';
import { checkEviction, readEviction } from './eviction-settings.ts';
import { checkShutdown, readShutdown } from './shutdown-settings.ts';
import { parseQuantity, type Quantity, quantityMillis, quantityUnits } from '../k8s-quantity/index.ts';
import type {
  DeviceSettings,
  EdgeCoreConfig,
  EdgedSettings,
  EventBusSettings,
  InsideBrokerSettings,
} from './edge-core-config.ts';
import { type EdgeCoreDocument, edgeCoreSchema } from './edge-core-schema.ts';

type Facts = Pick<HostFacts, 'hostname' | 'addresses'>;

/** Where there is no limit upstream, this many images are pulled at once. */
const manyPulls = 16;

/** The whole document of somebody who configures nothing. As upstream's, it expects the cloud on this very machine. */
export function edgeCoreDefaults({ hostname, addresses: [address = '127.0.0.1'] }: Facts): EdgeCoreDocument {
  const document = defaultsOf(edgeCoreSchema);
  const { edgeHub, edged } = document.modules;
  const cloud = address.includes(':') ? `[${address}]` : address;
  return {
    ...document,
    modules: {
      ...document.modules,
      edgeHub: {
        ...edgeHub,
        httpServer: `https://${cloud}:10002`,
        websocket: { ...edgeHub.websocket, server: `${cloud}:10000` },
      },
      edged: { ...edged, hostnameOverride: hostname.toLowerCase() },
    },
  };
}

/** What is wrong with values that are right one by one. */
export function checkEdgeCore({ modules: { edgeHub, edged, eventBus, deviceTwin } }: EdgeCoreDocument): Problem[] {
  return [
    ...(edgeHub.enable ? checkEdgeHub(edgeHub) : []),
    ...(edged.enable ? checkEdged(edged) : []),
    ...(eventBus.enable ? checkEventBus(eventBus) : []),
    ...(deviceTwin.enable ? checkDeviceTwin(deviceTwin) : []),
  ];
}

function checkDeviceTwin({ apiSockPath, history }: EdgeCoreDocument['modules']['deviceTwin']): Problem[] {
  const problems: Problem[] = [];
  const complain = (key: string, say: string) => problems.push({ path: `modules.deviceTwin.${key}`, say });
  if (apiSockPath !== '' && !apiSockPath.startsWith('/')) {
    complain('apiSockPath', `is "${apiSockPath}", needs an absolute path`);
  }
  if (toDuration(history.maxAge) <= 0) {
    complain('history.maxAge', `is ${history.maxAge}, needs to be longer than nothing; history.enable turns it off`);
  }
  return problems;
}

type EventBusDocument = EdgeCoreDocument['modules']['eventBus'];

const takesExternal = ({ mqttMode, mqttServerExternal: url }: EventBusDocument): boolean =>
  mqttMode !== 0 && url !== '';

function checkEventBus(bus: EventBusDocument): Problem[] {
  const { mqttServerExternal: url, mqttMode, internalBroker: inside } = bus;
  const problems: Problem[] = [];
  const complain = (key: string, say: string) => problems.push({ path: `modules.eventBus.${key}`, say });
  if (url !== '' && !/^(?:tcp|mqtt|ssl|tls|mqtts):\/\/[^/:]/.test(url)) {
    complain('mqttServerExternal', `is "${url}", needs the URL of an MQTT broker such as tcp://127.0.0.1:1883`);
  }
  if (mqttMode === 2) return problems;
  const listener = listenerOf(bus);
  if (!listener) {
    complain(
      'mqttServerInternal',
      `is "${bus.mqttServerInternal}", needs an address and a port such as tcp://127.0.0.1:1884`,
    );
  } else if (!isLoopback(listener.address) && inside.username === '') {
    complain('internalBroker.username', `is empty, needs a name: the network reaches ${bus.mqttServerInternal}`);
  }
  if (inside.username !== '' && inside.password === '')
    complain('internalBroker.password', 'is empty, needs a password');
  return problems;
}

const isLoopback = (address: string): boolean => /^127\.|^::1$|^localhost$/.test(address);

function listenerOf({ mqttServerInternal }: EventBusDocument) {
  const { scheme, host, port } =
    /^(?<scheme>[a-z]+):\/\/(?<host>[^/:[\]]+|\[[\da-fA-F:.]+\]):(?<port>\d{1,5})$/.exec(mqttServerInternal)?.groups ??
    {};
  const isTls = { tcp: false, mqtt: false, ssl: true, tls: true, mqtts: true }[scheme ?? ''];
  if (isTls === undefined || host === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  return { isTls, address: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

function checkEdgeHub({ websocket, quic }: EdgeCoreDocument['modules']['edgeHub']): Problem[] {
  if (websocket.enable) return [];
  const instead = quic.enable ? 'there is no QUIC here' : 'there is no other channel to the cloud';
  return [{ path: 'modules.edgeHub.websocket.enable', say: `is false, needs to be true: ${instead}` }];
}

function checkEdged(edged: EdgeCoreDocument['modules']['edged']): Problem[] {
  const { nodeIP, tailoredKubeletConfig: kubelet } = edged;
  const problems: Problem[] = [];
  const complain = (key: string, say: string) => problems.push({ path: `modules.edged.${key}`, say });
  const ours = 'tailoredKubeletConfig';
  if (nodeIP !== '' && !/^[\d.]+$|:/.test(nodeIP)) complain('nodeIP', `is "${nodeIP}", needs an IP address`);
  if (edged.imageCredentialProviderConfig !== '' && !edged.imageCredentialProviderBinDir.startsWith('/')) {
    complain(
      'imageCredentialProviderBinDir',
      'needs the folder of the plugins that imageCredentialProviderConfig names',
    );
  }
  const { imageServiceEndpoint: images } = kubelet;
  if (images !== '' && !images.startsWith('unix:///')) {
    complain(
      `${ours}.imageServiceEndpoint`,
      `is "${images}", needs a socket such as unix:///run/containerd/containerd.sock`,
    );
  }
  for (const key of ['nodeStatusUpdateFrequency', 'nodeStatusReportFrequency', 'fileCheckFrequency'] as const) {
    if (toDuration(kubelet[key]) <= 0)
      complain(`${ours}.${key}`, `is ${kubelet[key]}, needs to be longer than nothing`);
  }
  if (
    kubelet.cpuManagerPolicy === 'static' &&
    kubelet.reservedSystemCPUs === '' &&
    readReserved(kubelet).cpuMillis === 0
  ) {
    complain(
      `${ours}.cpuManagerPolicy`,
      'is static, which needs reservedSystemCPUs, or cpu in systemReserved or kubeReserved, so that something is left to share',
    );
  }
  if (kubelet.reservedSystemCPUs !== '' && !/^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/.test(kubelet.reservedSystemCPUs)) {
    complain(`${ours}.reservedSystemCPUs`, `is "${kubelet.reservedSystemCPUs}", needs a list such as 0-1,4`);
  }
  problems.push(...checkEviction(kubelet, `modules.edged.${ours}`), ...checkReserved(kubelet, `modules.edged.${ours}`));
  problems.push(...checkShutdown(kubelet, `modules.edged.${ours}`));
  const { imageGCHighThresholdPercent: high, imageGCLowThresholdPercent: low } = kubelet;
  if (low >= high) {
    complain(
      `${ours}.imageGCLowThresholdPercent`,
      `is ${low}, needs to be less than imageGCHighThresholdPercent (${high})`,
    );
  }
  if ((bytesOf(kubelet.containerLogMaxSize) ?? 0) <= 0) {
    complain(`${ours}.containerLogMaxSize`, `is "${kubelet.containerLogMaxSize}", needs a quantity such as 10Mi`);
  }
  if (toDuration(kubelet.containerLogMonitorInterval) < seconds(1)) {
    complain(`${ours}.containerLogMonitorInterval`, `is ${kubelet.containerLogMonitorInterval}, needs at least 1s`);
  }
  kubelet.registerWithTaints.forEach(({ key }, n) => {
    if (key === '') complain(`${ours}.registerWithTaints.${n}.key`, 'is missing');
  });
  return problems;
}

/** Throws CONFIG_INVALID. */
export function readEdgeCoreConfig(
  sources: ConfigSources,
  facts: Facts,
): { readonly config: EdgeCoreConfig; readonly warnings: readonly string[] } {
  const { document, warnings } = readConfig(edgeCoreSchema, edgeCoreDefaults(facts), sources, checkEdgeCore);
  return { config: toConfig(document), warnings: [...warnings, ...warnOfEventBus(document)] };
}

/** What an edge that was configured for KubeEdge may expect, and does not get here. */
function warnOfEventBus({ modules: { eventBus, deviceTwin } }: EdgeCoreDocument): string[] {
  if (!eventBus.enable) return [];
  const warnings: string[] = [];
  const say = (key: string, sentence: string): void => void warnings.push(`modules.eventBus.${key} ${sentence}`);
  const listener = eventBus.mqttMode === 2 ? undefined : listenerOf(eventBus);
  if (listener && !listener.isTls && !isLoopback(listener.address)) {
    say('mqttServerInternal', 'is tcp:// beyond loopback: passwords and values can be read on the way; take ssl://');
  }
  if (eventBus.mqttMode !== 0 && eventBus.mqttServerExternal === '') {
    const rest = eventBus.mqttMode === 1 ? 'only the broker inside is used' : 'there is nothing for MQTT clients';
    say('mqttServerExternal', `is empty: ${rest}`);
  }
  if (!deviceTwin.enable) say('enable', 'is true, but modules.deviceTwin is off: there is nothing for MQTT clients');
  return warnings;
}

function toConfig({
  database,
  modules: { edgeHub, edged, metaManager, deviceTwin, eventBus },
}: EdgeCoreDocument): EdgeCoreConfig {
  const node = nodeName(edged.hostnameOverride);
  return {
    node,
    database: { path: database.dataSource },
    identity: {
      node,
      httpServer: edgeHub.httpServer,
      token: edgeHub.token === '' ? undefined : secret(edgeHub.token),
      paths: { ca: edgeHub.tlsCaFile, certificate: edgeHub.tlsCertFile, key: edgeHub.tlsPrivateKeyFile },
      rotate: edgeHub.rotateCertificates,
    },
    hub: {
      server: edgeHub.websocket.server,
      node,
      projectId: edgeHub.projectID,
      heartbeat: seconds(edgeHub.heartbeat),
      handshakeTimeout: seconds(edgeHub.websocket.handshakeTimeout),
      writeTimeout: seconds(edgeHub.websocket.writeDeadline),
      messagesPerSecond: edgeHub.messageQPS,
      messageBurst: edgeHub.messageBurst,
    },
    meta: { remoteQueryTimeout: seconds(metaManager.remoteQueryTimeout) },
    edged: toEdgedSettings(node, edged),
    devices: deviceTwin.enable ? toDeviceSettings(deviceTwin) : undefined,
    eventBus: deviceTwin.enable ? toEventBusSettings(node, eventBus) : undefined,
    modules: { edgeHub: edgeHub.enable, edged: edged.enable, metaManager: metaManager.enable },
  };
}

function toDeviceSettings({
  dmiSockPath,
  apiSockPath,
  history,
}: EdgeCoreDocument['modules']['deviceTwin']): DeviceSettings {
  return {
    dmiSocket: dmiSockPath,
    apiSocket: apiSockPath === '' ? dmiSockPath.replace(/[^/]*$/, 'device.sock') : apiSockPath,
    history: history.enable
      ? {
          maxAge: toDuration(history.maxAge),
          perProperty: history.maxSamplesPerProperty,
          total: history.maxSamples,
        }
      : undefined,
  };
}

function toEventBusSettings(node: NodeName, bus: EventBusDocument): EventBusSettings | undefined {
  if (!bus.enable) return undefined;
  const { mqttServerExternal: url, mqttUsername: username, mqttPassword: password, eventBusTLS: tls } = bus;
  const broker = takesExternal(bus)
    ? {
        url,
        clientId: bus.mqttSubClientID || `kedge-${node}`,
        credentials: username === '' ? undefined : { username, password: secret(password) },
        tls: tls.enable
          ? { ca: tls.tlsMqttCAFile, certificate: tls.tlsMqttCertFile, key: tls.tlsMqttPrivateKeyFile }
          : undefined,
      }
    : undefined;
  const inside = bus.mqttMode === 2 ? undefined : toInsideBroker(bus);
  return broker || inside ? { node, broker, inside } : undefined;
}

function toInsideBroker(bus: EventBusDocument): InsideBrokerSettings | undefined {
  const listener = listenerOf(bus);
  if (!listener) return undefined;
  const { address, port, isTls } = listener;
  const { username, password, ...inside } = bus.internalBroker;
  return {
    address,
    port,
    credentials: username === '' ? undefined : { username, password: secret(password) },
    tls: isTls
      ? {
          certificate: inside.tlsCertFile,
          key: inside.tlsPrivateKeyFile,
          clientCa: inside.tlsClientCAFile === '' ? undefined : inside.tlsClientCAFile,
        }
      : undefined,
    retain: bus.mqttRetain,
    limits: {
      clients: inside.maxClients,
      packetBytes: inside.maxPacketBytes,
      subscriptionsPerClient: inside.maxSubscriptionsPerClient,
      queuedPerSession: bus.mqttSessionQueueSize,
      queuedBytes: inside.maxQueuedBytes,
      queuedFor: toDuration(inside.maxQueuedAge),
      retained: inside.maxRetainedMessages,
      retainedBytes: 4 << 20,
    },
  };
}

function toEdgedSettings(node: NodeName, edged: EdgeCoreDocument['modules']['edged']): EdgedSettings {
  const { tailoredKubeletConfig: kubelet } = edged;
  const runtimeSocket = socketPath(kubelet.containerRuntimeEndpoint);
  return {
    node,
    site: edged.site || node,
    runtimeSocket,
    imageSocket: kubelet.imageServiceEndpoint === '' ? runtimeSocket : socketPath(kubelet.imageServiceEndpoint),
    podSandboxImage: edged.podSandboxImage,
    rootDirectory: edged.rootDirectory,
    podLogsDirectory: kubelet.podLogsDir,
    cgroupRoot: kubelet.cgroupRoot || '/kubepods',
    cgroupDriver: kubelet.cgroupDriver,
    clusterDomain: kubelet.clusterDomain,
    clusterDns: kubelet.clusterDNS,
    resolvConf: kubelet.resolvConf,
    allowedUnsafeSysctls: kubelet.allowedUnsafeSysctls,
    seccompDefault: kubelet.seccompDefault,
    reserved: readReserved(kubelet),
    podPidsLimit: kubelet.podPidsLimit,
    devicePluginDirectory: edged.devicePluginDir || undefined,
    cpuManager:
      kubelet.cpuManagerPolicy === 'static' ? { reservedCpus: kubelet.reservedSystemCPUs || undefined } : undefined,
    staticPods:
      kubelet.staticPodPath === ''
        ? undefined
        : { directory: kubelet.staticPodPath, every: toDuration(kubelet.fileCheckFrequency) },
    credentialProviderFiles: edged.imageCredentialProviderConfig
      ? { config: edged.imageCredentialProviderConfig, binDirectory: edged.imageCredentialProviderBinDir }
      : undefined,
    credentialProviders: undefined,
    maxPods: kubelet.maxPods,
    nodeLabels: edged.nodeLabels,
    nodeTaints: kubelet.registerWithTaints.map(({ key, value, effect }) => ({
      key,
      effect,
      ...(value === undefined ? {} : { value }),
    })),
    registerNode: kubelet.registerNode,
    registerSchedulable: edged.registerSchedulable,
    nodeIp: edged.nodeIP || undefined,
    statusUpdateEvery: toDuration(kubelet.nodeStatusUpdateFrequency),
    statusReportEvery: toDuration(kubelet.nodeStatusReportFrequency),
    leaseDuration: seconds(kubelet.nodeLeaseDurationSeconds),
    reportEvents: edged.reportEvent,
    imagePullParallel: kubelet.serializeImagePulls ? 1 : (kubelet.maxParallelImagePulls ?? manyPulls),
    eviction: readEviction(kubelet),
    imageGc: {
      high: kubelet.imageGCHighThresholdPercent / 100,
      low: kubelet.imageGCLowThresholdPercent / 100,
      minAge: toDuration(kubelet.imageMinimumGCAge),
      maxAge: toDuration(kubelet.imageMaximumGCAge),
    },
    imagesInStatus: kubelet.nodeStatusMaxImages,
    logRotation: {
      maxBytes: bytesOf(kubelet.containerLogMaxSize) ?? 0,
      maxFiles: kubelet.containerLogMaxFiles,
      every: toDuration(kubelet.containerLogMonitorInterval),
    },
    shutdown: readShutdown(kubelet),
    server: edged.kubeletServer.enable
      ? { address: edged.kubeletServer.address, port: edged.kubeletServer.port }
      : undefined,
  };
}

type Reserved = Pick<EdgeCoreDocument['modules']['edged']['tailoredKubeletConfig'], 'systemReserved' | 'kubeReserved'>;

function readReserved({ systemReserved, kubeReserved }: Reserved): EdgedSettings['reserved'] {
  const sum = (name: string, of: (quantity: Quantity) => bigint): number =>
    [systemReserved[name], kubeReserved[name]].reduce((total, text) => {
      const parsed = text === undefined ? undefined : parseQuantity(text);
      return total + (parsed ? Number(of(parsed)) : 0);
    }, 0);
  return {
    cpuMillis: sum('cpu', quantityMillis),
    memoryBytes: sum('memory', quantityUnits),
    diskBytes: sum('ephemeral-storage', quantityUnits),
  };
}

function checkReserved(kubelet: Reserved, path: string): Problem[] {
  return (['systemReserved', 'kubeReserved'] as const).flatMap((key) =>
    Object.entries(kubelet[key]).flatMap(([name, text]) => {
      const at = `${path}.${key}.${name}`;
      if (!['cpu', 'memory', 'ephemeral-storage', 'pid'].includes(name)) {
        return [{ path: at, say: 'is not a resource that can be kept back' }];
      }
      return parseQuantity(text) ? [] : [{ path: at, say: `is "${text}", needs a quantity such as 100Mi` }];
    }),
  );
}

function bytesOf(text: string): number | undefined {
  const parsed = parseQuantity(text);
  return parsed && Number(quantityUnits(parsed));
}

/** The schema has seen to it that this is one. */
const toDuration = (text: string): Duration => parseDuration(text)!;
const socketPath = (url: string): string => url.slice('unix://'.length);

/** For `edgecore --defaultconfig`. */
export const writeEdgeCoreDefaults = (facts: Facts): string =>
  writeDocument(
    edgeCoreSchema,
    edgeCoreDefaults(facts),
    'edgecore.yaml with every key that has an effect, at its default.',
  );

/** For `edgecore --minconfig`. */
export function writeEdgeCoreMinimum(facts: Facts): string {
  const { apiVersion, kind, database, modules } = edgeCoreDefaults(facts);
  const { edgeHub, edged } = modules;
  const { hostnameOverride, podSandboxImage, tailoredKubeletConfig } = edged;
  const { containerRuntimeEndpoint, cgroupDriver } = tailoredKubeletConfig;
  return writeDocument(
    edgeCoreSchema,
    {
      apiVersion,
      kind,
      database: { dataSource: database.dataSource },
      modules: {
        edgeHub: {
          httpServer: edgeHub.httpServer,
          token: edgeHub.token,
          websocket: { enable: true, server: edgeHub.websocket.server },
        },
        edged: { hostnameOverride, podSandboxImage, tailoredKubeletConfig: { containerRuntimeEndpoint, cgroupDriver } },
      },
    },
    'edgecore.yaml with the keys that most people look at; all others keep their defaults.',
  );
}
