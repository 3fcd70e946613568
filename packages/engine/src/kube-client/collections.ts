// The collections our controllers work on, each with the type of its objects, so that a copy of one is typed by asking for it.
import type { GroupVersionResource, KubeObject } from '@kedge/model/k8s';
import type {
  CertificateSigningRequest,
  ConfigMap,
  ControllerRevision,
  CronJob,
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  DaemonSet,
  Deployment,
  Endpoints,
  EndpointSlice,
  Event,
  HorizontalPodAutoscaler,
  Job,
  Lease,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  ReplicaSet,
  ReplicationController,
  ResourceQuota,
  Secret,
  Service,
  ServiceAccount,
  StatefulSet,
  StorageClass,
} from '@kedge/model/k8s-types';

declare const objectBrand: unique symbol;

/** A collection whose objects are `T`s. */
export interface Collection<T extends KubeObject> extends GroupVersionResource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly [objectBrand]?: T;
}

const collection =
  <T extends KubeObject>() =>
  (group: string, version: string, resource: string, kind: string): Collection<T> => ({
    group,
    version,
    resource,
    kind,
    apiVersion: group ? `${group}/${version}` : version,
  });

export const collections = {
  certificateSigningRequests: collection<CertificateSigningRequest>()(
    'certificates.k8s.io',
    'v1',
    'certificatesigningrequests',
    'CertificateSigningRequest',
  ),
  configMaps: collection<ConfigMap>()('', 'v1', 'configmaps', 'ConfigMap'),
  controllerRevisions: collection<ControllerRevision>()('apps', 'v1', 'controllerrevisions', 'ControllerRevision'),
  csiDrivers: collection<CSIDriver>()('storage.k8s.io', 'v1', 'csidrivers', 'CSIDriver'),
  csiNodes: collection<CSINode>()('storage.k8s.io', 'v1', 'csinodes', 'CSINode'),
  csiStorageCapacities: collection<CSIStorageCapacity>()(
    'storage.k8s.io',
    'v1',
    'csistoragecapacities',
    'CSIStorageCapacity',
  ),
  cronJobs: collection<CronJob>()('batch', 'v1', 'cronjobs', 'CronJob'),
  daemonSets: collection<DaemonSet>()('apps', 'v1', 'daemonsets', 'DaemonSet'),
  deployments: collection<Deployment>()('apps', 'v1', 'deployments', 'Deployment'),
  endpoints: collection<Endpoints>()('', 'v1', 'endpoints', 'Endpoints'),
  endpointSlices: collection<EndpointSlice>()('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice'),
  events: collection<Event>()('', 'v1', 'events', 'Event'),
  horizontalPodAutoscalers: collection<HorizontalPodAutoscaler>()(
    'autoscaling',
    'v2',
    'horizontalpodautoscalers',
    'HorizontalPodAutoscaler',
  ),
  jobs: collection<Job>()('batch', 'v1', 'jobs', 'Job'),
  leases: collection<Lease>()('coordination.k8s.io', 'v1', 'leases', 'Lease'),
  namespaces: collection<Namespace>()('', 'v1', 'namespaces', 'Namespace'),
  nodes: collection<Node>()('', 'v1', 'nodes', 'Node'),
  persistentVolumeClaims: collection<PersistentVolumeClaim>()(
    '',
    'v1',
    'persistentvolumeclaims',
    'PersistentVolumeClaim',
  ),
  podDisruptionBudgets: collection<PodDisruptionBudget>()(
    'policy',
    'v1',
    'poddisruptionbudgets',
    'PodDisruptionBudget',
  ),
  persistentVolumes: collection<PersistentVolume>()('', 'v1', 'persistentvolumes', 'PersistentVolume'),
  pods: collection<Pod>()('', 'v1', 'pods', 'Pod'),
  replicaSets: collection<ReplicaSet>()('apps', 'v1', 'replicasets', 'ReplicaSet'),
  replicationControllers: collection<ReplicationController>()(
    '',
    'v1',
    'replicationcontrollers',
    'ReplicationController',
  ),
  resourceQuotas: collection<ResourceQuota>()('', 'v1', 'resourcequotas', 'ResourceQuota'),
  secrets: collection<Secret>()('', 'v1', 'secrets', 'Secret'),
  serviceAccounts: collection<ServiceAccount>()('', 'v1', 'serviceaccounts', 'ServiceAccount'),
  services: collection<Service>()('', 'v1', 'services', 'Service'),
  statefulSets: collection<StatefulSet>()('apps', 'v1', 'statefulsets', 'StatefulSet'),
  storageClasses: collection<StorageClass>()('storage.k8s.io', 'v1', 'storageclasses', 'StorageClass'),
} as const;
