// What a pod may ask for and this edge cannot do yet. Such a pod is refused and says why; nothing is left out silently.
import type { Container, LifecycleHandler, Pod, Probe, Volume } from '@kedge/model/k8s-types';
import { allContainersOf, specOf } from './pod-spec.ts';
import { findUnsafeName } from './safe-names.ts';

const volumeKinds = new Set(['name', 'emptyDir', 'hostPath', 'configMap', 'secret', 'projected', 'downwardAPI']);
const resourceNames = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** Sysctls that stay inside the pod. */
const safeSysctls = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
]);

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

export function findUnsupported(pod: Pod): Refusal | undefined {
  const spec = specOf(pod);
  const unsafe = findUnsafeName(pod);
  if (unsafe !== undefined) return { reason: 'InvalidPod', message: `"${unsafe}" is not a name` };
  const forbidden = spec.securityContext?.sysctls?.find(({ name }) => !safeSysctls.has(name));
  if (forbidden) return { reason: 'SysctlForbidden', message: `forbidden sysctl: "${forbidden.name}" is not safe` };
  const missing = [
    ...(spec.volumes ?? []).flatMap(inVolume),
    ...allContainersOf(pod).flatMap(inContainer),
    ...(spec.hostUsers === false ? ['hostUsers: false'] : []),
    ...(spec.runtimeClassName ? [`runtimeClassName "${spec.runtimeClassName}"`] : []),
    ...(spec.resourceClaims?.length ? ['resourceClaims'] : []),
    ...(spec.os && spec.os.name !== 'linux' ? [`os "${spec.os.name}"`] : []),
    ...(spec.resources ? ['resources of the pod as a whole'] : []),
  ];
  if (missing.length === 0) return undefined;
  return { reason: 'UnsupportedFeature', message: `This node does not support: ${missing.join(', ')}` };
}

function inVolume(volume: Volume): string[] {
  const kinds = Object.keys(volume).filter((kind) => !volumeKinds.has(kind));
  const huge = volume.emptyDir?.medium?.startsWith('HugePages') ? ['emptyDir on huge pages'] : [];
  const trust = volume.projected?.sources?.some((source) => source.clusterTrustBundle) ? ['clusterTrustBundle'] : [];
  return [...kinds.map((kind) => `${kind} volumes ("${volume.name}")`), ...huge, ...trust];
}

function inContainer(container: Container): string[] {
  const { resources, securityContext, volumeMounts = [], volumeDevices, lifecycle } = container;
  const amounts = Object.keys({ ...resources?.limits, ...resources?.requests });
  const probes = [container.livenessProbe, container.readinessProbe, container.startupProbe];
  const missing = [
    ...amounts.filter((name) => !resourceNames.has(name)).map((name) => `resource "${name}"`),
    ...(resources?.claims?.length ? ['resource claims'] : []),
    ...(volumeDevices?.length ? ['volumeDevices'] : []),
    ...(volumeMounts.some((mount) => mount.recursiveReadOnly === 'Enabled') ? ['recursiveReadOnly mounts'] : []),
    ...(securityContext?.procMount === 'Unmasked' ? ['procMount Unmasked'] : []),
    ...(securityContext?.windowsOptions ? ['windowsOptions'] : []),
    ...[lifecycle?.preStop, lifecycle?.postStart].flatMap(inHook),
    ...probes.flatMap(inProbe),
  ];
  return missing.map((what) => `${what} (container "${container.name}")`);
}

const inHook = (hook: LifecycleHandler | undefined): string[] => (hook?.tcpSocket ? ['tcpSocket hooks'] : []);
const inProbe = (probe: Probe | undefined): string[] =>
  probe && !probe.exec && !probe.httpGet && !probe.tcpSocket && !probe.grpc ? ['a probe without an action'] : [];
