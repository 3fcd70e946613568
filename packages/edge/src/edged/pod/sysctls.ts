// Which kernel settings a pod may have: those that stay inside it, and what the node's administrator allows besides.
// Source: "Using sysctls in a Kubernetes cluster" in the Kubernetes documentation.
import type { Pod } from '@kedge/model/k8s-types';
import { specOf } from './pod-spec.ts';

const safe = new Set([
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

/** What it says about the first that may not be; undefined when all may. */
export function findForbiddenSysctl(pod: Pod, allowed: readonly string[]): string | undefined {
  const { securityContext, hostNetwork, hostIPC } = specOf(pod);
  for (const { name: written } of securityContext?.sysctls ?? []) {
    const name = normal(written);
    if (!safe.has(name) && !allowed.some((pattern) => matches(normal(pattern), name))) {
      return `forbidden sysctl: "${written}" not allowlisted`;
    }
    // In a namespace that is the host's, the setting would be the host's too.
    if (hostNetwork && name.startsWith('net.'))
      return `forbidden sysctl: "${written}" not allowed with host net enabled`;
    if (hostIPC && /^(?:kernel\.(?:shm|msg|sem)|fs\.mqueue\.)/.test(name)) {
      return `forbidden sysctl: "${written}" not allowed with host ipc enabled`;
    }
  }
  return undefined;
}

const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;

/** Both separators are in use; the first one written is the separator. */
const normal = (name: string): string => {
  const first = name.search(/[./]/);
  if (first < 0 || name[first] === '.') return name;
  return name.replace(/[./]/g, (one) => (one === '/' ? '.' : '/'));
};
