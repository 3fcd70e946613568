// What a cluster is born with, put back at every start when it is missing: namespaces, roles, priority classes, and the
// service by which pods reach the API.
import { isStatus, type GroupVersionResource, type KubeObject } from '@kedge/model/k8s';
import { planReconciled } from '../authz/plan-roles.ts';
import { defaultClusterRoleBindings, defaultClusterRoles, defaultRoleBindings, defaultRoles } from './default-roles.ts';

export interface OwnAddress {
  /** The `kubernetes` service's cluster address. */
  readonly serviceAddress: string;
  /** Where this server listens, as others reach it. */
  readonly address: string;
  readonly port: number;
  /** PEM of the CA of client certificates. */
  readonly clientCa: string;
}

/** Writes as the system; throws StatusErrors. */
export interface BootstrapApi {
  get(of: GroupVersionResource, namespace: string | undefined, name: string): KubeObject | undefined;
  create(of: GroupVersionResource, object: KubeObject): Promise<void>;
  /** Replaces the fields given, keeps the rest. */
  replace(of: GroupVersionResource, object: KubeObject): Promise<void>;
}

const core = (resource: string): GroupVersionResource => ({ group: '', version: 'v1', resource });
const rbac = (resource: string): GroupVersionResource => ({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  resource,
});

const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const priorities = { 'system-node-critical': 2_000_001_000, 'system-cluster-critical': 2_000_000_000 };

export async function createDefaultObjects(api: BootstrapApi, own: OwnAddress): Promise<void> {
  const missing: Promise<void>[] = [];
  const ensure = (of: GroupVersionResource, object: KubeObject): void => {
    const { namespace, name = '' } = object.metadata;
    if (!api.get(of, namespace, name)) missing.push(api.create(of, object).catch(unlessExists));
  };
  for (const name of namespaces)
    ensure(core('namespaces'), { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await Promise.all(missing.splice(0));
  const reconcile = (resource: string, wanted: readonly KubeObject[]): void => {
    for (const object of wanted) {
      const { namespace, name = '' } = object.metadata;
      const existing = api.get(rbac(resource), namespace, name);
      const next = existing && planReconciled(existing, object);
      if (!existing) missing.push(api.create(rbac(resource), object).catch(unlessExists));
      else if (next) missing.push(api.replace(rbac(resource), next));
    }
  };
  reconcile('clusterroles', defaultClusterRoles());
  reconcile('clusterrolebindings', defaultClusterRoleBindings());
  reconcile('roles', defaultRoles());
  reconcile('rolebindings', defaultRoleBindings());
  for (const [name, value] of Object.entries(priorities)) {
    const metadata = { name };
    ensure(
      { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' },
      {
        apiVersion: 'scheduling.k8s.io/v1',
        kind: 'PriorityClass',
        metadata,
        value,
        preemptionPolicy: 'PreemptLowerPriority',
      },
    );
  }
  ensure(core('services'), kubernetesService(own));
  await Promise.all(missing);
  await api.replace(core('configmaps'), authenticationFacts(own));
  await pointEndpoints(api, own);
}

/** Read by other servers of the cluster, such as kube-scheduler, that know callers by the same CA. */
const authenticationFacts = ({ clientCa }: OwnAddress): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
  data: { 'client-ca-file': clientCa },
});

const labels = { component: 'apiserver', provider: 'kubernetes' };
const identity = { name: 'kubernetes', namespace: 'default' };

const kubernetesService = ({ serviceAddress }: OwnAddress): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...identity, labels },
  spec: {
    type: 'ClusterIP',
    clusterIP: serviceAddress,
    ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: 443 }],
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
  },
});

/** The service has no selector: where it leads is this server's own knowledge. */
async function pointEndpoints(api: BootstrapApi, { address, port }: OwnAddress): Promise<void> {
  const https = { name: 'https', port, protocol: 'TCP' };
  const slices = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' };
  await api.replace(core('endpoints'), {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...identity, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: address }], ports: [https] }],
  });
  await api.replace(slices, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...identity, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [https],
  });
}

function unlessExists(error: unknown): void {
  if (!isStatus(error, 'AlreadyExists')) throw error;
}
