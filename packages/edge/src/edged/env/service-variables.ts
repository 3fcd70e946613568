// What a container learns of services by its environment: for each its address and ports, under the names that
// Kubernetes gives them and under those of Docker's links.
import type { Pod, Service, ServicePort } from '@kedge/model/k8s-types';
import { specOf } from '../pod/pod-spec.ts';

/**
 * `default/kubernetes` always, the others of the pod's namespace unless it wants no links. A service named `kubernetes` in
 * the pod's own namespace takes the place of the one in `default`.
 */
export function serviceVariables(services: readonly Service[], pod: Pod): ReadonlyMap<string, string> {
  const { namespace = '' } = pod.metadata;
  const wantsLinks = specOf(pod).enableServiceLinks ?? true;
  const chosen = new Map<string, Service>();
  for (const service of services) {
    const { name = '' } = service.metadata;
    const isMaster = service.metadata.namespace === 'default' && name === 'kubernetes';
    if (isMaster && !chosen.has(name)) chosen.set(name, service);
    else if (!isMaster && wantsLinks && service.metadata.namespace === namespace) chosen.set(name, service);
  }
  return new Map([...chosen.values()].flatMap(variablesOf));
}

function variablesOf({ metadata, spec }: Service): [string, string][] {
  const { clusterIP: address = '', ports = [] } = spec ?? {};
  const [first] = ports;
  if (address === '' || address === 'None' || !first) return [];
  const prefix = toVariable(metadata.name ?? '');
  const named = ports.filter(({ name }) => name);
  return [
    [`${prefix}_SERVICE_HOST`, address],
    [`${prefix}_SERVICE_PORT`, `${first.port}`],
    ...named.map(
      ({ name = '', port }) => [`${prefix}_SERVICE_PORT_${toVariable(name)}`, `${port}`] as [string, string],
    ),
    [`${prefix}_PORT`, urlOf(address, first)],
    ...ports.flatMap((port) => linkOf(prefix, address, port)),
  ];
}

function linkOf(prefix: string, address: string, port: ServicePort): [string, string][] {
  const { protocol = 'TCP' } = port;
  const link = `${prefix}_PORT_${port.port}_${protocol.toUpperCase()}`;
  return [
    [link, urlOf(address, port)],
    [`${link}_PROTO`, protocol.toLowerCase()],
    [`${link}_PORT`, `${port.port}`],
    [`${link}_ADDR`, address],
  ];
}

const urlOf = (address: string, { protocol = 'TCP', port }: ServicePort): string =>
  `${protocol.toLowerCase()}://${address.includes(':') ? `[${address}]` : address}:${port}`;

const toVariable = (name: string): string => name.toUpperCase().replaceAll('-', '_');
