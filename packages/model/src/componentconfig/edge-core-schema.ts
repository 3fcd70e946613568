// The schema of edgecore.yaml, `edgecore.config.kubeedge.io/v1alpha2`: every key that KubeEdge v1.22 and v1.23 know.
// Source: KubeEdge's configuration reference. Keys of ours say so in their description.
import { choice, type DocumentOf, flag, integer, listOf, mapOf, object, text, unused } from '@kedge/core/config';
import { tailoredKubeletSchema } from './tailored-kubelet-schema.ts';

export const edgeCoreApiVersion = 'edgecore.config.kubeedge.io/v1alpha2';

const file = (start: string, description?: string) =>
  text(start, { format: 'path', ...(description === undefined ? {} : { description }) });
const ca = '/etc/kubeedge/ca/rootCA.crt';
const certificate = '/etc/kubeedge/certs/server.crt';
const key = '/etc/kubeedge/certs/server.key';

const edgeHub = object({
  enable: flag(true),
  heartbeat: integer(15, { minimum: 1, description: 'Seconds between signs of life.' }),
  httpServer: text('', {
    format: 'url',
    description: "CloudHub's HTTPS address: where this node gets its certificate.",
  }),
  token: text('', { description: 'Join token; needed until the node has its certificate.' }),
  projectID: text('e632aba927ea4ac2b575ec1603d56f10'),
  messageQPS: integer(30, { minimum: 0, description: 'Messages a second to the cloud, over time.' }),
  messageBurst: integer(60, { minimum: 0, description: 'Messages at once to the cloud.' }),
  tlsCaFile: file(ca),
  tlsCertFile: file(certificate),
  tlsPrivateKeyFile: file(key),
  rotateCertificates: flag(true, { description: 'Renews the certificate before it ends.' }),
  websocket: object(
    {
      enable: flag(true),
      server: text('', { format: 'host-port' }),
      handshakeTimeout: integer(30, { minimum: 1 }),
      writeDeadline: integer(15, { minimum: 1 }),
      readDeadline: unused(integer(15)),
    },
    { description: "CloudHub's message channel; times are in seconds." },
  ),
  quic: unused(
    object({
      enable: flag(false),
      server: text(''),
      handshakeTimeout: integer(30),
      readDeadline: integer(15),
      writeDeadline: integer(15),
    }),
  ),
});

const edged = object({
  enable: flag(true),
  hostnameOverride: text('', { format: 'node-name', description: 'Name of the node.' }),
  nodeIP: text('', { description: 'Address of the node; empty finds it out.' }),
  nodeLabels: mapOf(text(''), {}, { description: 'Labels the node registers itself with.' }),
  site: text('', {
    description:
      'kedge only. Marks what this edge runs on a container runtime shared with other edges; empty takes the name of the node.',
  }),
  devicePluginDir: text('/var/lib/kubelet/device-plugins', {
    description: 'kedge only. Where device plugins register; they expect the default. Empty: there are none.',
  }),
  imageCredentialProviderConfig: text('', {
    description:
      "kedge only. The kubelet's file of credential provider plugins (CredentialProviderConfig); empty: none.",
  }),
  imageCredentialProviderBinDir: text('', { description: 'kedge only. Where the programs of those plugins are.' }),
  reportEvent: flag(false, { description: 'Sends events to the cloud.' }),
  registerSchedulable: flag(true),
  rootDirectory: file('/var/lib/kubelet', "Pods' volumes and files."),
  podSandboxImage: text('kubeedge/pause:3.6', { description: 'Image of the container that holds a pod together.' }),
  tailoredKubeletConfig: tailoredKubeletSchema,
  kubeletServer: object(
    {
      enable: flag(false),
      address: text('0.0.0.0', { format: 'ip' }),
      port: integer(10_250, { minimum: 1, maximum: 65_535 }),
    },
    {
      description:
        "kedge only. The kubelet's endpoints over HTTPS, for callers with a client certificate of the cluster's CA.",
    },
  ),
  registerNodeNamespace: unused(text('default')),
  customInterfaceName: unused(text('')),
  runtimeCgroups: unused(text('')),
  windowsService: unused(flag(false)),
  windowsPriorityClass: unused(text('')),
  experimentalMounterPath: unused(text('')),
  experimentalNodeAllocatableIgnoreEvictionThreshold: unused(flag(false)),
  minimumGCAge: unused(text('0s', { format: 'duration' })),
  maxPerPodContainerCount: unused(integer(1)),
  maxContainerCount: unused(integer(-1)),
  seccompDefault: unused(flag(false)),
});

const metaManager = object({
  enable: flag(true),
  remoteQueryTimeout: integer(60, { minimum: 1, description: 'Seconds to wait for an answer of the cloud.' }),
  contextSendGroup: unused(text('hub')),
  contextSendModule: unused(text('websocket')),
  metaServer: unused(
    object({
      enable: flag(false),
      server: text('127.0.0.1:10550', { format: 'host-port' }),
      dummyServer: text('169.254.30.10:10550', { format: 'host-port' }),
      tlsCaFile: file(ca),
      tlsCertFile: file(certificate),
      tlsPrivateKeyFile: file(key),
      serviceAccountIssuers: listOf(text(''), ['https://kubernetes.default.svc.cluster.local']),
      apiAudiences: listOf(text('')),
      serviceAccountKeyFiles: listOf(text('', { format: 'path' })),
    }),
  ),
});

/** Off unless asked for, other than upstream: an edge without a broker shall not pay for one. */
const eventBus = object({
  enable: flag(false, {
    description: 'Devices for MQTT clients. Upstream it is on by default.',
  }),
  mqttMode: choice(2, [0, 1, 2], {
    description: '2: an external broker such as mosquitto. 0: a broker inside edgecore. 1: both.',
  }),
  mqttServerExternal: text('tcp://127.0.0.1:1883', {
    description: 'The broker of mqttMode 2 and 1: tcp:// or ssl://.',
  }),
  mqttSubClientID: text('', {
    description: 'How the broker knows this edge; empty takes kedge- and the name of the node.',
  }),
  mqttUsername: text(''),
  mqttPassword: text('', { description: 'Used together with mqttUsername.' }),
  eventBusTLS: object(
    {
      enable: flag(false),
      tlsMqttCAFile: file(ca),
      tlsMqttCertFile: file(certificate),
      tlsMqttPrivateKeyFile: file(key),
    },
    { description: "Checks the broker's certificate and shows one. Without it, an ssl:// broker is not checked." },
  ),
  mqttServerInternal: text('tcp://127.0.0.1:1884', {
    description:
      'Where the broker of mqttMode 0 and 1 listens: tcp:// or ssl://. Beyond loopback it needs internalBroker.username.',
  }),
  mqttRetain: flag(false, { description: 'What the edge itself publishes is retained by the broker inside.' }),
  mqttSessionQueueSize: integer(100, {
    minimum: 1,
    maximum: 10_000,
    description: 'Messages that wait for a client of the broker inside that is away; the newest.',
  }),
  internalBroker: object(
    {
      username: text('', { description: 'Who may connect, with password; empty lets everybody in.' }),
      password: text(''),
      tlsCertFile: file(certificate, 'Shown to clients where mqttServerInternal is ssl://.'),
      tlsPrivateKeyFile: file(key),
      tlsClientCAFile: text('', {
        description: 'Clients have to show a certificate of this CA. Empty: they need none.',
      }),
      maxClients: integer(100, { minimum: 1, maximum: 10_000 }),
      maxPacketBytes: integer(1 << 20, { minimum: 1_024, maximum: 16 << 20 }),
      maxSubscriptionsPerClient: integer(100, { minimum: 1, maximum: 10_000 }),
      maxRetainedMessages: integer(1_000, { minimum: 0, maximum: 100_000 }),
      maxQueuedBytes: integer(16 << 20, {
        minimum: 1_024,
        maximum: 1 << 30,
        description:
          'What waits for all clients that are away, on disk; of too much the oldest of the longest queue goes.',
      }),
      maxQueuedAge: text('168h', {
        format: 'duration',
        description: 'So long a message waits for a client that is away.',
      }),
    },
    { description: 'kedge only. The broker inside edgecore.' },
  ),
  mqttQOS: unused(choice(0, [0, 1, 2])),
  mqttPubClientID: unused(text('')),
});

const edgeStream = unused(
  object({
    enable: flag(false),
    server: text('127.0.0.1:10004', { format: 'host-port' }),
    handshakeTimeout: integer(30),
    readDeadline: integer(15),
    writeDeadline: integer(15),
    tlsTunnelCAFile: file(ca),
    tlsTunnelCertFile: file(certificate),
    tlsTunnelPrivateKeyFile: file(key),
  }),
);

export const edgeCoreSchema = object({
  apiVersion: choice(edgeCoreApiVersion, [edgeCoreApiVersion]),
  kind: choice('EdgeCore', ['EdgeCore']),
  edgecoreVersion: unused(text('')),
  database: object({
    dataSource: file(
      '/var/lib/kubeedge/edgecore.db',
      'What the node knows; it starts from this file without the cloud.',
    ),
    driverName: unused(text('sqlite3')),
    aliasName: unused(text('default')),
  }),
  modules: object({
    edgeHub,
    edged,
    metaManager,
    eventBus,
    serviceBus: unused(
      object({
        enable: flag(false),
        server: text('127.0.0.1'),
        port: integer(9_060, { minimum: 1, maximum: 65_535 }),
        timeout: integer(60, { minimum: 1 }),
      }),
    ),
    deviceTwin: object({
      enable: flag(true, { description: 'Devices: their values at the edge and in the cloud.' }),
      dmiSockPath: text('/etc/kubeedge/dmi.sock', {
        format: 'path',
        description: 'Where mappers register. Only root may connect.',
      }),
      apiSockPath: text('', {
        description:
          'kedge only. Where programs of this machine ask for values, history and alarms. Empty: device.sock beside dmiSockPath.',
      }),
      history: object(
        {
          enable: flag(true),
          maxAge: text('1h', { format: 'duration' }),
          maxSamplesPerProperty: integer(3_600, { minimum: 1, maximum: 1_000_000 }),
          maxSamples: integer(200_000, { minimum: 1, maximum: 10_000_000 }),
        },
        { description: 'kedge only. The last values of each property, kept at the edge.' },
      ),
    }),
    dbTest: unused(object({ enable: flag(false) })),
    edgeStream,
    taskManager: unused(object({ enable: flag(false) })),
  }),
  featureGates: unused(mapOf(flag(false))),
});

export type EdgeCoreDocument = DocumentOf<typeof edgeCoreSchema>;
