// The schema of cloudcore.yaml, `cloudcore.config.kubeedge.io/v1alpha1`: every key that KubeEdge v1.22 and v1.23 know.
// Source: KubeEdge's configuration reference. Keys of ours say so in their description.
import {
  choice,
  type DocumentOf,
  flag,
  integer,
  listOf,
  mapOf,
  object,
  optional,
  type Schema,
  text,
  unused,
} from '@kedge/core/config';

export const cloudCoreApiVersion = 'cloudcore.config.kubeedge.io/v1alpha1';

const port = (start: number, description?: string) =>
  integer(start, { minimum: 1, maximum: 65_535, ...(description === undefined ? {} : { description }) });
const file = (start: string, description?: string) =>
  text(start, { format: 'path', ...(description === undefined ? {} : { description }) });
const listener = (start: number, description: string) =>
  object({ enable: flag(true), address: text('0.0.0.0', { format: 'ip' }), port: port(start) }, { description });

/** Sizes of queues and numbers of workers: there are no such queues here, the runtime schedules. */
const sizes = <K extends string>(names: Readonly<Record<K, number>>) =>
  unused(
    object(
      Object.fromEntries(Object.entries<number>(names).map(([name, start]) => [name, integer(start)])) as Record<
        K,
        Schema<number>
      >,
    ),
  );

const cloudHub = object({
  enable: flag(true),
  nodeLimit: integer(500, { minimum: 1, description: 'Nodes that may be connected at once.' }),
  keepaliveInterval: integer(30, {
    minimum: 1,
    description: 'Seconds without a sign of life after which a node is offline.',
  }),
  writeTimeout: integer(30, { minimum: 1, description: 'Seconds a message may take to be written.' }),
  advertiseAddress: listOf(text(''), [], {
    description: 'Addresses at which edges reach this cloudcore; the serving certificate is for them.',
  }),
  dnsNames: listOf(text('', { format: 'dns-name' }), [''], {
    description: 'Names at which edges reach this cloudcore.',
  }),
  edgeCertSigningDuration: integer(365, {
    minimum: 1,
    maximum: 36_500,
    description: 'Days a node certificate is good for.',
  }),
  tokenRefreshDuration: integer(12, {
    minimum: 1,
    maximum: 24,
    description: 'Hours between new join tokens, each good for 24.',
  }),
  tlsCAFile: file(
    '/etc/kubeedge/ca/rootCA.crt',
    'Used where they exist; otherwise the Secrets casecret and cloudcoresecret.',
  ),
  tlsCAKeyFile: file('/etc/kubeedge/ca/rootCA.key'),
  tlsCertFile: file('/etc/kubeedge/certs/server.crt'),
  tlsPrivateKeyFile: file('/etc/kubeedge/certs/server.key'),
  websocket: listener(10_000, 'The message channel.'),
  https: listener(10_002, 'Where nodes get their certificates.'),
  quic: unused(
    object({
      enable: flag(false),
      address: text('0.0.0.0', { format: 'ip' }),
      port: port(10_001),
      maxIncomingStreams: integer(10_000),
    }),
  ),
  unixsocket: unused(
    object({ enable: flag(true), address: text('unix:///var/lib/kubeedge/kubeedge.sock', { format: 'unix-url' }) }),
  ),
  authorization: object(
    {
      enable: flag(true),
      debug: flag(false, { description: 'Only logs what would be refused, and lets it through.' }),
      modes: listOf(object({ node: optional(object({ enable: flag(true) })) }), [{ node: { enable: true } }]),
    },
    {
      description:
        'Holds a node to what belongs to it, and its certificate to its name. On here; KubeEdge ships it switched off.',
    },
  ),
});

const edgeController = object({
  enable: flag(true),
  nodeUpdateFrequency: unused(integer(10, { minimum: 1 })),
  buffer: sizes({
    processEvent: 1_024,
    updatePodStatus: 1_024,
    updateNodeStatus: 1_024,
    queryConfigMap: 1_024,
    querySecret: 1_024,
    podEvent: 1,
    configMapEvent: 1,
    secretEvent: 1,
    rulesEvent: 1,
    ruleEndpointsEvent: 1,
    queryPersistentVolume: 1_024,
    queryPersistentVolumeClaim: 1_024,
    queryVolumeAttachment: 1_024,
    createNode: 1_024,
    patchNode: 1_274,
    queryNode: 1_524,
    updateNode: 1_024,
    patchPod: 1_024,
    deletePod: 1_024,
    createLease: 1_524,
    queryLease: 1_024,
    serviceAccountToken: 1_024,
    createPod: 1_024,
    certificateSigningRequest: 1_024,
  }),
  load: sizes({
    processEventWorkers: 4,
    updatePodStatusWorkers: 1,
    updateNodeStatusWorkers: 1,
    queryConfigMapWorkers: 100,
    querySecretWorkers: 100,
    queryPersistentVolumeWorkers: 4,
    queryPersistentVolumeClaimWorkers: 4,
    queryVolumeAttachmentWorkers: 4,
    createNodeWorkers: 100,
    patchNodeWorkers: 110,
    queryNodeWorkers: 500,
    updateNodeWorkers: 4,
    patchPodWorkers: 100,
    deletePodWorkers: 100,
    createLeaseWorkers: 500,
    queryLeaseWorkers: 100,
    UpdateRuleStatusWorkers: 4,
    ServiceAccountTokenWorkers: 100,
    CreatePodWorks: 4,
    certificateSigningRequestWorkers: 4,
  }),
});

const deviceController = object({
  enable: flag(true),
  buffer: sizes({
    updateDeviceTwins: 1_024,
    updateDeviceStatus: 1_024,
    deviceEvent: 1,
    deviceModelEvent: 1,
    deviceStatusEvent: 1,
  }),
  load: sizes({ updateDeviceStatusWorkers: 1 }),
  statusWrites: object(
    {
      perDeviceInterval: integer(1_000, {
        minimum: 0,
        description: 'Milliseconds from a write of one device to the next, on average; what comes between is merged.',
      }),
      perDeviceBurst: integer(2, {
        minimum: 1,
        description: 'Writes of a device that was quiet that need not wait for perDeviceInterval.',
      }),
      perSecond: integer(750, { minimum: 1, description: 'Of all devices.' }),
      burst: integer(1_000, { minimum: 1, description: 'Above perSecond, for a while.' }),
      refreshInterval: integer(10, {
        minimum: 1,
        description: 'Seconds between two writes of a device whose values stay the same.',
      }),
    },
    { description: 'Ours: how often the status of devices is written to the API.' },
  ),
  samples: object(
    {
      enable: flag(true),
      path: file('/var/lib/kubeedge/cloudcore-samples.db'),
      perProperty: integer(100_000, { minimum: 1, description: 'Newest samples that are kept of a property.' }),
      hours: integer(24, { minimum: 1, description: 'How long a sample is kept.' }),
      properties: integer(10_000, { minimum: 1, description: 'Properties of which samples are kept.' }),
    },
    { description: 'Ours: every sample of the properties marked for it on their Device.' },
  ),
});

const admission = object(
  {
    enable: flag(true),
    address: text('0.0.0.0', { format: 'ip' }),
    port: port(10_005),
    url: text('', {
      description:
        'Where the Kubernetes API reaches the webhooks, such as https://192.0.2.2:10005; empty: at advertiseAddress.',
    }),
    service: object(
      {
        namespace: text('kubeedge'),
        name: text('', {
          description: 'A Service in front of this port, instead of url; its name belongs into dnsNames.',
        }),
        port: port(443),
      },
      { description: 'For a cloudcore that runs in the cluster.' },
    ),
  },
  { description: 'Ours: admission webhooks, registered at start, and samples of devices, over HTTPS.' },
);

const taskManager = unused(
  object({
    enable: flag(false),
    buffer: sizes({ taskStatus: 1_024, taskEvent: 1 }),
    load: sizes({ taskWorkers: 1 }),
  }),
);

const cloudStream = unused(
  object({
    enable: flag(false),
    tunnelPort: port(10_004),
    streamPort: port(10_003),
    tlsTunnelCAFile: file('/etc/kubeedge/ca/rootCA.crt'),
    tlsTunnelCertFile: file('/etc/kubeedge/certs/server.crt'),
    tlsTunnelPrivateKeyFile: file('/etc/kubeedge/certs/server.key'),
    tlsStreamCAFile: file('/etc/kubeedge/ca/streamCA.crt'),
    tlsStreamCertFile: file('/etc/kubeedge/certs/stream.crt'),
    tlsStreamPrivateKeyFile: file('/etc/kubeedge/certs/stream.key'),
  }),
);

const router = unused(
  object({
    enable: flag(false),
    address: text('0.0.0.0', { format: 'ip' }),
    port: port(9_443),
    restTimeout: integer(60, { minimum: 1 }),
  }),
);

export const cloudCoreSchema = object({
  apiVersion: choice(cloudCoreApiVersion, [cloudCoreApiVersion]),
  kind: choice('CloudCore', ['CloudCore']),
  commonConfig: object({
    tunnelPort: unused(port(10_350)),
    monitorServer: object(
      {
        bindAddress: text('127.0.0.1:9091', {
          format: 'host-port',
          description: 'Where /healthz, /readyz and /metrics are served.',
        }),
        enableProfiling: unused(flag(false)),
      },
      { description: 'Metrics and health.' },
    ),
  }),
  kubeAPIConfig: object({
    kubeConfig: file('', 'How to reach Kubernetes; empty inside a cluster, where the service account says so.'),
    master: text('', { description: 'Address of the Kubernetes API, instead of the one in kubeConfig.' }),
    contentType: unused(text('application/vnd.kubernetes.protobuf')),
    qps: unused(integer(2_500)),
    burst: unused(integer(5_000)),
  }),
  modules: object({
    cloudHub,
    edgeController,
    syncController: object({ enable: flag(true) }),
    deviceController,
    admission,
    taskManager,
    dynamicController: unused(object({ enable: flag(false) })),
    cloudStream,
    router,
    iptablesManager: unused(object({ enable: flag(true), mode: choice('internal', ['internal', 'external']) })),
  }),
  featureGates: unused(mapOf(flag(false))),
});

export type CloudCoreDocument = DocumentOf<typeof cloudCoreSchema>;
