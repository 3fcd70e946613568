// Which pods stand behind a Service, on which ports, and in what state. Pure; Endpoints and EndpointSlices are two ways
// of writing this down.
import { everything, labelSelectorOf, type LabelSelector } from '@kedge/model/k8s-selectors';
import type { Pod, Service, ServicePort } from '@kedge/model/k8s-types';
import { isReady, isTerminal } from '../pods/pod-state.ts';

export interface BackendPort {
  readonly name: string | undefined;
  readonly port: number;
  readonly protocol: string;
  readonly appProtocol: string | undefined;
}

export interface Backend {
  readonly pod: Pod;
  /** All of the pod's addresses. */
  readonly addresses: readonly string[];
  /** The Service's ports as they are in this pod; a named port that the pod lacks is left out. */
  readonly ports: readonly BackendPort[];
  readonly serving: boolean;
  readonly terminating: boolean;
  /** May be sent traffic. */
  readonly ready: boolean;
  readonly hostname: string | undefined;
}

/** What selects the pods of a Service; undefined when somebody else looks after its endpoints. */
export function serviceSelector({ spec }: Service): LabelSelector | undefined {
  if (!spec?.selector || spec.type === 'ExternalName') return undefined;
  return Object.keys(spec.selector).length === 0 ? everything : labelSelectorOf({ matchLabels: spec.selector });
}

export const isHeadless = ({ spec }: Service): boolean =>
  spec?.clusterIP === 'None' || spec?.clusterIP === undefined || spec.clusterIP === '';

/** The backends among the selected pods, in order of name. */
export function backendsOf(service: Service, selected: Iterable<Pod>): Backend[] {
  const publishes = service.spec?.publishNotReadyAddresses === true;
  const backends: Backend[] = [];
  for (const pod of selected) {
    const addresses = addressesOf(pod);
    if (addresses.length === 0 || isTerminal(pod)) continue;
    const serving = isReady(pod);
    const terminating = pod.metadata.deletionTimestamp !== undefined;
    backends.push({
      pod,
      addresses,
      ports: (service.spec?.ports ?? []).flatMap((port) => portIn(pod, port)),
      serving,
      terminating,
      ready: publishes || (serving && !terminating),
      hostname: hostnameIn(pod, service),
    });
  }
  return backends.toSorted((a, b) => ((a.pod.metadata.name ?? '') < (b.pod.metadata.name ?? '') ? -1 : 1));
}

function addressesOf({ status }: Pod): string[] {
  const all = (status?.podIPs ?? []).map(({ ip }) => ip);
  return all.length > 0 ? all : status?.podIP ? [status.podIP] : [];
}

function portIn(
  pod: Pod,
  { name, port, targetPort = port, protocol = 'TCP', appProtocol }: ServicePort,
): BackendPort[] {
  const number = typeof targetPort === 'number' ? targetPort || port : namedPort(pod, targetPort, protocol);
  return number === undefined ? [] : [{ name: name || undefined, port: number, protocol, appProtocol }];
}

function namedPort({ spec }: Pod, name: string, protocol: string): number | undefined {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const ports = [...(spec?.containers ?? []), ...sidecars].flatMap(({ ports = [] }) => ports);
  return ports.find((port) => port.name === name && (port.protocol ?? 'TCP') === protocol)?.containerPort;
}

/** A pod has a name of its own in DNS when it names this Service as its subdomain. */
function hostnameIn({ spec, metadata }: Pod, service: Service): string | undefined {
  const isOwn = spec?.subdomain === service.metadata.name && metadata.namespace === service.metadata.namespace;
  return isOwn && spec?.hostname ? spec.hostname : undefined;
}
