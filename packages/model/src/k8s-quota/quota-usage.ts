// What an object uses of a quota, by the names that quotas have for it. Pure.
import {
  formatQuantity,
  parseQuantity,
  quantityOfMillis,
  quantityOfUnits,
  zeroQuantity,
} from '../k8s-quantity/index.ts';
import type { Quantity } from '../k8s-quantity/index.ts';
import type { KubeObject } from '../k8s/index.ts';
import { podRequests } from '../k8s-scheduling/index.ts';
import type { Amounts } from '../k8s-scheduling/index.ts';
import type {
  Container,
  PersistentVolumeClaim,
  Pod,
  ResourceQuota,
  ScopedResourceSelectorRequirement,
  Service,
} from '../k8s-types/index.ts';

export type Usage = ReadonlyMap<string, Quantity>;

interface Resource {
  readonly group: string;
  readonly resource: string;
}

const one = quantityOfUnits(1);
/** Kinds that quotas know by their bare name; every kind has one with `count/` before it. */
const bare = new Set([
  'configmaps',
  'secrets',
  'services',
  'persistentvolumeclaims',
  'replicationcontrollers',
  'resourcequotas',
]);

export function quotaUsage({ group, resource }: Resource, object: KubeObject): Usage {
  const usage = new Map<string, Quantity>([[`count/${group ? `${resource}.${group}` : resource}`, one]]);
  if (group) return usage;
  if (bare.has(resource)) usage.set(resource, one);
  if (resource === 'pods') addPod(usage, object as unknown as Pod);
  if (resource === 'services') addService(usage, object as unknown as Service);
  if (resource === 'persistentvolumeclaims') addClaim(usage, object as unknown as PersistentVolumeClaim);
  return usage;
}

function addPod(usage: Map<string, Quantity>, { spec, status }: Pod): void {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return;
  usage.set('pods', one);
  for (const [name, amount] of podRequests(spec)) {
    usage.set(`requests.${name}`, toQuantity(name, amount));
    if (isComputed(name)) usage.set(name, toQuantity(name, amount));
  }
  for (const [name, amount] of limitsOf(spec)) usage.set(`limits.${name}`, toQuantity(name, amount));
}

const isComputed = (name: string): boolean => ['cpu', 'memory', 'ephemeral-storage'].includes(name);

const toQuantity = (name: string, amount: number): Quantity =>
  name === 'cpu' ? quantityOfMillis(amount) : quantityOfUnits(amount, isComputed(name) ? 'binarySI' : 'decimalSI');

/** Limits add up in the way of requests. */
function limitsOf(spec: Pod['spec']): Amounts {
  if (!spec) return new Map();
  const asRequests = (container: Container): Container => ({
    ...container,
    resources: { requests: container.resources?.limits ?? {} },
  });
  const { initContainers = [], overhead: _, ...rest } = spec;
  const init = initContainers.map(asRequests);
  return podRequests({ ...rest, containers: spec.containers.map(asRequests), initContainers: init });
}

function addService(usage: Map<string, Quantity>, { spec }: Service): void {
  const isBalanced = spec?.type === 'LoadBalancer';
  if (isBalanced) usage.set('services.loadbalancers', one);
  if (spec?.type !== 'NodePort' && !(isBalanced && spec.allocateLoadBalancerNodePorts !== false)) return;
  usage.set('services.nodeports', quantityOfUnits(spec.ports?.length ?? 0));
}

function addClaim(usage: Map<string, Quantity>, { spec }: PersistentVolumeClaim): void {
  const storage = parseQuantity(spec?.resources?.requests?.['storage'] ?? '0');
  if (storage) usage.set('requests.storage', storage);
  if (!spec?.storageClassName) return;
  const ofClass = `${spec.storageClassName}.storageclass.storage.k8s.io`;
  usage.set(`${ofClass}/persistentvolumeclaims`, one);
  if (storage) usage.set(`${ofClass}/requests.storage`, storage);
}

/** Whether the object counts towards the quota, by the quota's scopes; those are about pods only. */
export function quotaCovers({ spec }: ResourceQuota, { group, resource }: Resource, object: KubeObject): boolean {
  const scopes: ScopedResourceSelectorRequirement[] = [
    ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
    ...(spec?.scopeSelector?.matchExpressions ?? []),
  ];
  if (scopes.length === 0) return true;
  return !group && resource === 'pods' && scopes.every((scope) => isInScope(scope, object as unknown as Pod));
}

function isInScope({ scopeName, operator, values = [] }: ScopedResourceSelectorRequirement, { spec }: Pod): boolean {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const isBestEffort = containers.every(
    ({ resources }) => Object.keys({ ...resources?.requests, ...resources?.limits }).length === 0,
  );
  switch (scopeName) {
    case 'Terminating':
      return spec?.activeDeadlineSeconds !== undefined;
    case 'NotTerminating':
      return spec?.activeDeadlineSeconds === undefined;
    case 'BestEffort':
      return isBestEffort;
    case 'NotBestEffort':
      return !isBestEffort;
    case 'CrossNamespacePodAffinity':
      return reachesOtherNamespaces(spec);
    case 'PriorityClass': {
      const name = spec?.priorityClassName ?? '';
      if (operator === 'Exists') return name !== '';
      if (operator === 'DoesNotExist') return name === '';
      return values.includes(name) === (operator === 'In');
    }
    default:
      return false;
  }
}

/** Some affinity of the pod looks beyond its own namespace. */
function reachesOtherNamespaces(spec: Pod['spec']): boolean {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  const terms = [podAffinity, podAntiAffinity].flatMap((affinity) => [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((one) => one.podAffinityTerm),
  ]);
  return terms.some(
    ({ namespaces, namespaceSelector }) => (namespaces?.length ?? 0) > 0 || namespaceSelector !== undefined,
  );
}

/** Amounts that the quota limits and containers of the pod leave open: `limits.cpu for: main`. */
export function unspecified(hard: Readonly<Record<string, string>>, { spec }: Pod): string[] {
  return Object.keys(hard).flatMap((limited) => {
    const [, kind = 'requests', name = ''] = /^(?:(requests|limits)\.)?(cpu|memory)$/.exec(limited) ?? [];
    if (!name) return [];
    const open = (spec?.containers ?? []).filter(
      ({ resources }) => resources?.[kind as 'requests' | 'limits']?.[name] === undefined,
    );
    return open.length > 0 ? [`${limited} for: ${open.map((container) => container.name).join(',')}`] : [];
  });
}

/** `pods=1,requests.cpu=500m`, of the names given. */
export const formatUsage = (usage: Usage, names: readonly string[]): string =>
  names.map((name) => `${name}=${formatQuantity(usage.get(name) ?? zeroQuantity)}`).join(',');
