// `modules.edged.tailoredKubeletConfig`: KubeEdge's selection of the kubelet's own configuration.
// Source: KubeEdge's configuration reference and kubelet.config.k8s.io/v1beta1.
import {
  choice,
  decimal,
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

const duration = (start: string, description?: string) =>
  text(start, { format: 'duration', ...(description === undefined ? {} : { description }) });
const texts = (options: { description?: string } = {}) => mapOf(text(''), {}, options);
const percent = (start: number, description: string) => integer(start, { minimum: 0, maximum: 100, description });
const maybe = <T>(schema: Schema<T>) => unused(optional(schema));

const taint = object({
  key: text(''),
  value: optional(text('')),
  effect: choice('NoSchedule', ['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
  timeAdded: optional(text('')),
});

const logOptions = () => object({ splitStream: flag(false), infoBufferSize: text('0') });

/** What edged does something with. */
const used = {
  containerRuntimeEndpoint: text('unix:///run/containerd/containerd.sock', { format: 'unix-url' }),
  imageServiceEndpoint: text('', { description: 'Empty is the same as containerRuntimeEndpoint.' }),
  cgroupDriver: choice('cgroupfs', ['cgroupfs', 'systemd']),
  cgroupRoot: text('', { description: "Parent of all pods' cgroups; empty is /kubepods." }),
  podLogsDir: text('/var/log/pods', { format: 'path' }),
  clusterDomain: text('cluster.local'),
  clusterDNS: listOf(text('', { format: 'ip' })),
  resolvConf: text('/etc/resolv.conf', { format: 'path' }),
  staticPodPath: text('/etc/kubeedge/manifests', {
    description: 'Folder of manifests of pods that run without any cloud; empty: none.',
  }),
  fileCheckFrequency: duration('20s', 'How often that folder is looked into.'),
  maxPods: integer(110, { minimum: 0 }),
  cpuManagerPolicy: choice('none', ['none', 'static']),
  reservedSystemCPUs: text('', {
    description:
      'Processors that no container gets to itself, such as 0-1; empty: as many as systemReserved and kubeReserved say.',
  }),
  podPidsLimit: integer(-1, { description: 'Processes of one pod; -1: as many as there may be.' }),
  systemReserved: texts({ description: 'cpu, memory and ephemeral-storage that pods do not get.' }),
  kubeReserved: texts({ description: 'The same, on top of systemReserved.' }),
  allowedUnsafeSysctls: listOf(text(''), [], {
    description: 'Sysctls that pods may set though they are not safe everywhere; net.core.* allows all below it.',
  }),
  seccompDefault: flag(false, { description: "Containers that ask for no seccomp profile get the runtime's own." }),
  registerNode: flag(true),
  registerWithTaints: listOf(taint),
  nodeStatusUpdateFrequency: duration('10s', 'How often the status of the node is worked out.'),
  nodeStatusReportFrequency: duration('5m0s', 'How often it is sent although nothing changed.'),
  nodeLeaseDurationSeconds: integer(40, { minimum: 1 }),
  serializeImagePulls: flag(true),
  maxParallelImagePulls: optional(integer(1, { minimum: 1 })),
  evictionHard: mapOf(
    text(''),
    {
      'imagefs.available': '15%',
      'imagefs.inodesFree': '5%',
      'memory.available': '100Mi',
      'nodefs.available': '10%',
      'nodefs.inodesFree': '5%',
    },
    { description: 'Less than this and pods are ended at once; 0 or 0% turns one off.' },
  ),
  evictionSoft: texts({ description: 'Less than this for the grace period and pods are ended.' }),
  evictionSoftGracePeriod: texts(),
  evictionMinimumReclaim: texts({
    description: 'What has to be free on top of the threshold before no more is taken.',
  }),
  evictionPressureTransitionPeriod: duration('5m0s', 'How long a pressure is reported after it has gone.'),
  evictionMaxPodGracePeriod: integer(0, {
    description: 'Seconds that a pod gets to end when a soft threshold ends it.',
  }),
  imageMinimumGCAge: duration('2m0s', 'Younger images are never removed.'),
  imageMaximumGCAge: duration('0s', 'Images unused for longer are removed; 0s: never.'),
  imageGCHighThresholdPercent: percent(85, 'Above this share of their disk, unused images are removed ...'),
  imageGCLowThresholdPercent: percent(80, '... until this share is reached.'),
  nodeStatusMaxImages: integer(0, { description: 'Images in the status of the node; -1: all.' }),
  containerLogMaxSize: text('10Mi', { description: 'A log over this size is put aside.' }),
  containerLogMaxFiles: integer(5, { minimum: 2, description: 'Log files per start of a container.' }),
  containerLogMonitorInterval: duration('10s', 'How often the sizes of logs are looked at.'),
  shutdownGracePeriod: duration(
    '0s',
    'How long pods get to end when the machine goes down; 0s: nothing is done about it.',
  ),
  shutdownGracePeriodCriticalPods: duration('0s', 'The part of it that is kept for critical pods, which end last.'),
  shutdownGracePeriodByPodPriority: listOf(
    object({
      priority: integer(0, {
        description: 'Of the pods that have this priority or a higher one, up to the next entry.',
      }),
      shutdownGracePeriodSeconds: integer(0, { minimum: 0 }),
    }),
    [],
    { description: 'Instead of these two: periods by priority, the lowest first.' },
  ),
} as const;

/** What KubeEdge knows besides. */
const known = {
  syncFrequency: unused(duration('1m0s')),
  address: unused(text('127.0.0.1', { format: 'ip' })),
  readOnlyPort: unused(integer(10_350, { minimum: 0, maximum: 65_535 })),
  registryPullQPS: unused(integer(5)),
  registryBurst: unused(integer(10)),
  eventRecordQPS: unused(integer(50)),
  eventBurst: unused(integer(100)),
  enableDebuggingHandlers: unused(flag(true)),
  enableContentionProfiling: unused(flag(false)),
  oomScoreAdj: unused(integer(-999, { minimum: -1_000, maximum: 1_000 })),
  streamingConnectionIdleTimeout: unused(duration('4h0m0s')),
  volumeStatsAggPeriod: unused(duration('1m0s')),
  kubeletCgroups: unused(text('')),
  systemCgroups: unused(text('')),
  cgroupsPerQOS: unused(flag(true)),
  singleProcessOOMKill: maybe(flag(false)),
  cpuManagerPolicyOptions: unused(texts()),
  cpuManagerReconcilePeriod: unused(duration('10s')),
  memoryManagerPolicy: unused(text('None')),
  topologyManagerPolicy: unused(text('none')),
  topologyManagerScope: unused(text('container')),
  topologyManagerPolicyOptions: unused(texts()),
  qosReserved: unused(texts()),
  runtimeRequestTimeout: unused(duration('2m0s')),
  hairpinMode: unused(text('promiscuous-bridge')),
  podCIDR: unused(text('')),
  cpuCFSQuota: unused(flag(true)),
  cpuCFSQuotaPeriod: unused(duration('100ms')),
  maxOpenFiles: unused(integer(1_000_000)),
  contentType: unused(text('application/json')),
  podsPerCore: unused(integer(0)),
  enableControllerAttachDetach: unused(flag(true)),
  protectKernelDefaults: unused(flag(false)),
  makeIPTablesUtilChains: unused(flag(true)),
  iptablesMasqueradeBit: unused(integer(14)),
  iptablesDropBit: unused(integer(15)),
  featureGates: unused(mapOf(flag(false))),
  failSwapOn: unused(flag(false)),
  memorySwap: unused(object({ swapBehavior: optional(text('')) })),
  containerLogMaxWorkers: unused(integer(1)),
  configMapAndSecretChangeDetectionStrategy: unused(text('Get')),
  showHiddenMetricsForVersion: unused(text('')),
  systemReservedCgroup: unused(text('')),
  kubeReservedCgroup: unused(text('')),
  enforceNodeAllocatable: unused(listOf(text(''), ['pods'])),
  volumePluginDir: unused(text('/usr/libexec/kubernetes/kubelet-plugins/volume/exec/')),
  kernelMemcgNotification: unused(flag(false)),
  logging: unused(
    object({
      format: text('text'),
      flushFrequency: text('5s', { format: 'duration' }),
      verbosity: integer(0),
      vmodule: listOf(object({ filePattern: text(''), verbosity: integer(0) })),
      options: object({ text: logOptions(), json: logOptions() }),
    }),
  ),
  enableSystemLogHandler: unused(flag(true)),
  enableSystemLogQuery: unused(flag(false)),
  crashLoopBackOff: unused(object({ maxContainerRestartPeriod: optional(duration('5m')) })),
  reservedMemory: unused(listOf(object({ numaNode: integer(0), limits: texts() }))),
  enableProfilingHandler: unused(flag(true)),
  enableDebugFlagsHandler: unused(flag(true)),
  memoryThrottlingFactor: unused(decimal(0.9)),
  localStorageCapacityIsolation: unused(flag(true)),
  failCgroupV1: unused(flag(false)),
} as const;

export const tailoredKubeletSchema = object({ ...used, ...known });
