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

/** What resolvers read (resolv.conf(5)), and a kubelet writes. */
const maxServers = 3;
const maxSearches = 32;
const maxSearchLength = 2_048;

export interface PodDns {
  readonly dns: DnsConfig;
  /** It wants the DNS of the cluster, and the node knows none. */
  readonly lacksCluster: boolean;
  /** What did not fit. */
  readonly omitted: readonly string[];
}

export function podDns(pod: Pod, { clusterDomain, clusterDns, host }: DnsSettings): PodDns {
  const spec = specOf(pod);
  const namespace = pod.metadata.namespace ?? 'default';
  const asked = spec.dnsPolicy ?? 'ClusterFirst';
  const wantsCluster = asked === 'ClusterFirstWithHostNet' || (asked === 'ClusterFirst' && !spec.hostNetwork);
  const omitted: string[] = [];
  let base = host;
  if (asked === 'None') base = { servers: [], searches: [], options: [] };
  else if (wantsCluster && clusterDns.length > 0) {
    const cluster = clusterDomain ? [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain] : [];
    base = { servers: clusterDns, searches: [...cluster, ...host.searches], options: ['ndots:5'] };
  }
  const more = spec.dnsConfig;
  const askedServers = unique([...base.servers, ...(more?.nameservers ?? [])]);
  const servers = askedServers.slice(0, maxServers);
  if (servers.length < askedServers.length) {
    omitted.push(
      `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${servers.join(' ')}`,
    );
  }
  const askedSearches = unique([...base.searches, ...(more?.searches ?? [])]);
  const searches = fitting(askedSearches);
  if (searches.length < askedSearches.length) {
    omitted.push(
      `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${searches.join(' ')}`,
    );
  }
  return {
    dns: { servers, searches, options: mergeOptions(base.options, more?.options ?? []) },
    lacksCluster: wantsCluster && clusterDns.length === 0,
    omitted,
  };
}

function fitting(searches: readonly string[]): string[] {
  const some = searches.slice(0, maxSearches);
  while (some.join(' ').length > maxSearchLength) some.pop();
  return some;
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
