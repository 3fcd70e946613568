// The EndpointSlices of a Service: at most a hundred endpoints each, changed as little as possible, because every change
// goes to every node. Pure.
import { collections } from '@kedge/engine/kube-client';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { DiscoveryV1EndpointPort as SlicePort, Endpoint, EndpointSlice, Service } from '@kedge/model/k8s-types';
import { controllerRef } from '../ownership/controller-ref.ts';
import { isIPv4, isIPv6 } from './plan-endpoints.ts';
import { type Backend, isHeadless } from './service-backends.ts';

export const serviceNameLabel = 'kubernetes.io/service-name';
const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
const manager = 'endpointslice-controller.k8s.io';
const headlessLabel = 'service.kubernetes.io/headless';
const maxEndpoints = 100;

export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly delete: readonly EndpointSlice[];
}

export const isManaged = ({ metadata }: EndpointSlice): boolean => metadata.labels?.[managedByLabel] === manager;

export function planSlices(
  service: Service,
  backends: readonly Backend[],
  existing: readonly EndpointSlice[],
  zoneOf: (node: string) => string | undefined,
): SlicePlan {
  const plan = { create: [] as EndpointSlice[], update: [] as EndpointSlice[], delete: [] as EndpointSlice[] };
  const families = service.spec?.ipFamilies ?? ['IPv4'];
  plan.delete.push(...existing.filter(({ addressType }) => !families.includes(addressType)));
  for (const family of families) {
    const own = existing.filter(({ addressType }) => addressType === family);
    planFamily(service, family, groupByPorts(service, backends, family, zoneOf), own, plan);
  }
  return plan;
}

interface PortGroup {
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly Endpoint[];
}

function groupByPorts(
  service: Service,
  backends: readonly Backend[],
  family: string,
  zoneOf: (node: string) => string | undefined,
): PortGroup[] {
  const isOfFamily = family === 'IPv6' ? isIPv6 : isIPv4;
  const groups = new Map<string, { ports: SlicePort[]; endpoints: Endpoint[] }>();
  for (const backend of backends) {
    const addresses = backend.addresses.filter(isOfFamily);
    if (addresses.length === 0) continue;
    const ports = backend.ports.map(({ name, port, protocol, appProtocol }) => ({
      name: name ?? '',
      port,
      protocol,
      ...(appProtocol === undefined ? {} : { appProtocol }),
    }));
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    groups.set(key, group);
    group.endpoints.push(withHints(service, endpointOf(backend, addresses, zoneOf)));
  }
  return [...groups.values()];
}

function endpointOf(
  { pod, ready, serving, terminating, hostname }: Backend,
  addresses: string[],
  zoneOf: (node: string) => string | undefined,
): Endpoint {
  const { name = '', namespace = '', uid = '' } = pod.metadata;
  const node = pod.spec?.nodeName;
  const zone = node ? zoneOf(node) : undefined;
  return {
    addresses,
    conditions: { ready, serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    ...(node ? { nodeName: node } : {}),
    ...(zone === undefined ? {} : { zone }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

/** Where a Service prefers what is close, each endpoint is for its own zone. */
const withHints = ({ spec }: Service, endpoint: Endpoint): Endpoint =>
  spec?.trafficDistribution === 'PreferClose' && endpoint.zone !== undefined
    ? { ...endpoint, hints: { forZones: [{ name: endpoint.zone }] } }
    : endpoint;

function planFamily(
  service: Service,
  family: string,
  groups: readonly PortGroup[],
  existing: readonly EndpointSlice[],
  plan: { create: EndpointSlice[]; update: EndpointSlice[]; delete: EndpointSlice[] },
): void {
  const left = new Set(existing);
  // A Service without any endpoint still has a slice that says so.
  const wanted = groups.length > 0 ? groups : [{ ports: [], endpoints: [] }];
  for (const { ports, endpoints } of wanted) {
    const fitting = [...left].filter((slice) => jsonEqual(slice.ports ?? [], ports));
    for (const slice of fitting) left.delete(slice);
    planGroup(service, family, { ports, endpoints }, fitting, plan);
  }
  plan.delete.push(...left);
}

function planGroup(
  service: Service,
  family: string,
  { ports, endpoints }: PortGroup,
  fitting: readonly EndpointSlice[],
  plan: { create: EndpointSlice[]; update: EndpointSlice[]; delete: EndpointSlice[] },
): void {
  const pending = new Map(endpoints.map((endpoint) => [identity(endpoint), endpoint]));
  // Endpoints stay in the slice they are in, ...
  const filled = fitting.map((slice) => {
    const kept = slice.endpoints.flatMap((old) => {
      const current = pending.get(identity(old));
      pending.delete(identity(old));
      return current ? [current] : [];
    });
    return { slice, endpoints: kept };
  });
  // ... new ones fill up slices that change anyway or have room, fullest first, ...
  const waiting = [...pending.values()];
  for (const one of filled.toSorted((a, b) => b.endpoints.length - a.endpoints.length)) {
    one.endpoints.push(...waiting.splice(0, maxEndpoints - one.endpoints.length));
  }
  // ... and what is still left gets slices of its own.
  const isPlaceholder = endpoints.length === 0;
  let keepsOne = isPlaceholder;
  for (const { slice, endpoints: now } of filled) {
    if (now.length === 0 && !keepsOne) {
      plan.delete.push(slice);
      continue;
    }
    if (now.length === 0) keepsOne = false;
    const next = { ...slice, ...contentOf(service, slice), endpoints: now, ports: [...ports] };
    if (!jsonEqual(slice, next)) plan.update.push(next);
  }
  if (isPlaceholder && keepsOne) plan.create.push(newSlice(service, family, ports, []));
  while (waiting.length > 0) plan.create.push(newSlice(service, family, ports, waiting.splice(0, maxEndpoints)));
}

/** The pod decides, not its address: one that got a new address is the same endpoint. */
const identity = ({ targetRef, addresses }: Endpoint): string => targetRef?.uid ?? addresses.join(',');

/** Labels of the Service are passed on to its slices. */
function contentOf(service: Service, before: EndpointSlice | undefined): Pick<EndpointSlice, 'metadata'> {
  const { name = '' } = service.metadata;
  const labels = {
    ...service.metadata.labels,
    [serviceNameLabel]: name,
    [managedByLabel]: manager,
    ...(isHeadless(service) ? { [headlessLabel]: '' } : {}),
  };
  return { metadata: { ...before?.metadata, labels } };
}

function newSlice(
  service: Service,
  addressType: string,
  ports: readonly SlicePort[],
  endpoints: Endpoint[],
): EndpointSlice {
  const { name = '', namespace = '' } = service.metadata;
  const { metadata } = contentOf(service, undefined);
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      ...metadata,
      generateName: `${name}-`,
      namespace,
      ownerReferences: [controllerRef(collections.services, service)],
    },
    addressType,
    endpoints,
    ports: [...ports],
  };
}
