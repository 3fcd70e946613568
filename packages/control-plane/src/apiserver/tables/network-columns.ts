// How services, endpoints and the rest of networking are printed.
import type { Endpoints, EndpointSlice, Ingress, IngressClass, NetworkPolicy, Service } from '@kedge/model/k8s-types';
import { aged, type Column, joined, labelsText, named, none, selectorText, text } from './cells.ts';

/** Lists longer than this end in `+ n more...`. */
const shown = 3;
const abridged = (all: readonly string[]): string =>
  all.length === 0
    ? none
    : all.slice(0, shown).join(',') + (all.length > shown ? ` + ${all.length - shown} more...` : '');

export const serviceColumns: Column<Service>[] = named([
  text('Type', ({ spec }) => spec?.type ?? 'ClusterIP'),
  text('Cluster-IP', ({ spec }) => spec?.clusterIPs?.[0] || spec?.clusterIP || none),
  text('External-IP', externalAddress),
  text('Port(s)', ({ spec }) =>
    joined(
      spec?.ports?.map(({ port, nodePort, protocol = 'TCP' }) =>
        nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
      ),
    ),
  ),
  aged(),
  text('Selector', ({ spec }) => labelsText(spec?.selector), 1),
]);

function externalAddress({ spec, status }: Service): string {
  switch (spec?.type) {
    case 'ExternalName':
      return spec.externalName ?? none;
    case 'LoadBalancer': {
      const given = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '');
      return [...given, ...(spec.externalIPs ?? [])].join(',') || '<pending>';
    }
    default:
      return joined(spec?.externalIPs);
  }
}

export const endpointsColumns: Column<Endpoints>[] = named([
  text('Endpoints', ({ subsets }) =>
    abridged(
      (subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
        ports.length === 0
          ? addresses.map(({ ip }) => ip)
          : ports.flatMap(({ port }) =>
              addresses.map(({ ip }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)),
            ),
      ),
    ),
  ),
  aged(),
]);

const unset = '<unset>';

export const endpointSliceColumns: Column<EndpointSlice>[] = named([
  text('AddressType', ({ addressType }) => addressType),
  text('Ports', ({ ports }) => {
    const numbers = (ports ?? []).map(({ port, name }) => String(port ?? name ?? '*'));
    return numbers.length === 0 ? unset : abridged(numbers);
  }),
  text('Endpoints', ({ endpoints }) => {
    const addresses = (endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? []);
    return addresses.length === 0 ? unset : abridged(addresses);
  }),
  aged(),
]);

export const ingressColumns: Column<Ingress>[] = named([
  text('Class', ({ spec }) => spec?.ingressClassName ?? none),
  text('Hosts', ({ spec }) => {
    const hosts = [...new Set((spec?.rules ?? []).flatMap(({ host }) => host ?? []))];
    return hosts.length === 0 ? '*' : abridged(hosts);
  }),
  text('Address', ({ status }) =>
    (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '').join(','),
  ),
  text('Ports', ({ spec }) => (spec?.tls?.length ? '80, 443' : '80')),
  aged(),
]);

export const ingressClassColumns: Column<IngressClass>[] = named([
  text('Controller', ({ spec }) => spec?.controller ?? ''),
  text('Parameters', ({ spec }) => {
    const of = spec?.parameters;
    return of ? `${of.kind}${of.apiGroup ? `.${of.apiGroup}` : ''}/${of.name}` : none;
  }),
  aged(),
]);

export const networkPolicyColumns: Column<NetworkPolicy>[] = named([
  text('Pod-Selector', ({ spec }) => selectorText(spec?.podSelector)),
  aged(),
]);
