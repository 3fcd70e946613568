// The resolv.conf of a pod, by its dnsPolicy and dnsConfig.
import type { Pod } from '@kedge/model/k8s-types';
import { specOf } from '../pod/pod-spec.ts';

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface DnsSettings {
  readonly clusterDomain: string;
  readonly clusterDns: readonly string[];
  /** What the node itself uses. */
  readonly host: DnsConfig;
}

const maxServers = 3;
const maxSearches = 32;

export function podDns(pod: Pod, { clusterDomain, clusterDns, host }: DnsSettings): DnsConfig {
  const spec = specOf(pod);
  const namespace = pod.metadata.namespace ?? 'default';
  const asked = spec.dnsPolicy ?? 'ClusterFirst';
  const wantsCluster = asked === 'ClusterFirstWithHostNet' || (asked === 'ClusterFirst' && !spec.hostNetwork);
  let base = host;
  if (asked === 'None') base = { servers: [], searches: [], options: [] };
  else if (wantsCluster && clusterDns.length > 0) {
    const cluster = clusterDomain ? [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain] : [];
    base = { servers: clusterDns, searches: [...cluster, ...host.searches], options: ['ndots:5'] };
  }
  const more = spec.dnsConfig;
  return {
    servers: unique([...base.servers, ...(more?.nameservers ?? [])]).slice(0, maxServers),
    searches: unique([...base.searches, ...(more?.searches ?? [])]).slice(0, maxSearches),
    options: mergeOptions(base.options, more?.options ?? []),
  };
}

const unique = (values: readonly string[]): string[] => [...new Set(values)];

/** The pod's options replace those of the same name. */
function mergeOptions(base: readonly string[], more: readonly { name?: string; value?: string }[]): string[] {
  const merged = new Map(base.map((option) => [option.split(':')[0] ?? '', option]));
  for (const { name, value } of more) if (name) merged.set(name, value ? `${name}:${value}` : name);
  return [...merged.values()];
}

/** Reads resolv.conf; the last `search` and `options` lines count. */
export function parseResolvConf(text: string): DnsConfig {
  const servers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'nameserver' && rest[0]) servers.push(rest[0]);
    else if (word === 'search' || word === 'domain') searches = rest.filter((domain) => domain !== '.');
    else if (word === 'options') options = rest;
  }
  return { servers, searches, options };
}
