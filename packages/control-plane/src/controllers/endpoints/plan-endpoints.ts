// The Endpoints object of a Service: addresses grouped by the ports they have in common. Pure.
import type { EndpointAddress, EndpointPort, Endpoints, EndpointSubset, Service } from '@kedge/model/k8s-types';
import { type Backend, type BackendPort, isHeadless } from './service-backends.ts';

/** Larger Services are cut off here; EndpointSlices have no such limit. */
const maxAddresses = 1_000;
const capacityAnnotation = 'endpoints.kubernetes.io/over-capacity';
const headlessLabel = 'service.kubernetes.io/headless';

/** What the object should be, apart from what it keeps of `before`. */
export function planEndpoints(
  service: Service,
  backends: readonly Backend[],
  before: Endpoints | undefined,
): Endpoints {
  const family = service.spec?.ipFamilies?.[0] === 'IPv6' ? isIPv6 : isIPv4;
  const reachable = backends
    .filter(({ terminating, ready }) => !terminating || ready)
    .flatMap((backend) => {
      const ip = backend.addresses.find(family);
      return ip === undefined ? [] : [{ backend, address: addressOf(backend, ip) }];
    });
  const isCut = reachable.length > maxAddresses;
  // Those that serve come first when not all can stay.
  const kept = isCut
    ? reachable.toSorted((a, b) => Number(b.backend.ready) - Number(a.backend.ready)).slice(0, maxAddresses)
    : reachable;
  const { [capacityAnnotation]: _, ...annotations } = before?.metadata.annotations ?? {};
  const { [headlessLabel]: __, ...labels } = service.metadata.labels ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      ...before?.metadata,
      name: service.metadata.name ?? '',
      namespace: service.metadata.namespace ?? '',
      labels: isHeadless(service) ? { ...labels, [headlessLabel]: '' } : labels,
      annotations: isCut ? { ...annotations, [capacityAnnotation]: 'truncated' } : annotations,
    },
    subsets: subsetsOf(service, kept),
  };
}

function subsetsOf(
  service: Service,
  reachable: readonly { backend: Backend; address: EndpointAddress }[],
): EndpointSubset[] {
  const hasPorts = (service.spec?.ports ?? []).length > 0;
  // First all addresses of each single port, ...
  const byPort = new Map<
    string,
    { port: BackendPort | undefined; ready: Map<string, EndpointAddress>; notReady: Map<string, EndpointAddress> }
  >();
  for (const { backend, address } of reachable) {
    for (const port of hasPorts ? backend.ports : [undefined]) {
      const key = JSON.stringify(port ?? null);
      const group = byPort.get(key) ?? { port, ready: new Map(), notReady: new Map() };
      byPort.set(key, group);
      (backend.ready ? group.ready : group.notReady).set(address.ip, address);
    }
  }
  // ... then ports that have exactly the same addresses in one subset.
  const byAddresses = new Map<string, EndpointSubset>();
  for (const { port, ready, notReady } of byPort.values()) {
    const [addresses, notReadyAddresses] = [sorted(ready), sorted(notReady)];
    const key = JSON.stringify([addresses.map(({ ip }) => ip), notReadyAddresses.map(({ ip }) => ip)]);
    const subset = byAddresses.get(key) ?? {
      ...(addresses.length > 0 ? { addresses } : {}),
      ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
    };
    if (port) subset.ports = [...(subset.ports ?? []), endpointPort(port)].toSorted(byName);
    byAddresses.set(key, subset);
  }
  return [...byAddresses.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, subset]) => subset);
}

const sorted = (addresses: ReadonlyMap<string, EndpointAddress>): EndpointAddress[] =>
  [...addresses.values()].toSorted((a, b) => (a.ip < b.ip ? -1 : 1));

const byName = (a: EndpointPort, b: EndpointPort): number => ((a.name ?? '') < (b.name ?? '') ? -1 : 1);

const endpointPort = ({ name, port, protocol, appProtocol }: BackendPort): EndpointPort => ({
  ...(name === undefined ? {} : { name }),
  port,
  protocol,
  ...(appProtocol === undefined ? {} : { appProtocol }),
});

function addressOf({ pod, hostname }: Backend, ip: string): EndpointAddress {
  const { name = '', namespace = '', uid = '' } = pod.metadata;
  return {
    ip,
    ...(hostname === undefined ? {} : { hostname }),
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

export const isIPv6 = (address: string): boolean => address.includes(':');
export const isIPv4 = (address: string): boolean => !isIPv6(address);
