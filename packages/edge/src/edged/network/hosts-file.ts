// The /etc/hosts of a pod.
import type { HostAlias, Pod } from '@kedge/model/k8s-types';
import { specOf } from '../pod/pod-spec.ts';

const managed = '# Kubernetes-managed hosts file.';
const managedFromHost = '# Kubernetes-managed hosts file (host network).';

/** `addresses` are the pod's; `hostFile` is the node's own file, which a pod in the host's network starts from. */
export function formatHostsFile(
  pod: Pod,
  { addresses, clusterDomain, hostFile }: { addresses: readonly string[]; clusterDomain: string; hostFile: string },
): string {
  const { hostAliases = [], hostNetwork } = specOf(pod);
  if (hostNetwork) return `${managedFromHost}\n${hostFile.trimEnd()}\n${formatAliases(hostAliases)}`;
  const { name, fullName } = podHostname(pod, clusterDomain);
  const names = fullName ? `${fullName}\t${name}` : name;
  return [
    managed,
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'fe00::\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...addresses.map((address) => `${address}\t${names}`),
    formatAliases(hostAliases),
  ].join('\n');
}

const formatAliases = (aliases: readonly HostAlias[]): string =>
  aliases.length === 0
    ? ''
    : `\n# Entries added by HostAliases.\n${aliases.map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}`).join('\n')}\n`;

const longestHostname = 63;

export interface PodHostname {
  /** Of the pod among its likes. */
  readonly name: string;
  /** With its subdomain, where it has one. */
  readonly fullName: string | undefined;
  /** What its kernel says. */
  readonly hostname: string;
}

export function podHostname(pod: Pod, clusterDomain: string): PodHostname {
  const { hostname: asked, subdomain, setHostnameAsFQDN } = specOf(pod);
  const name = (asked ?? pod.metadata.name ?? '').slice(0, longestHostname).replace(/[-.]+$/, '');
  if (!subdomain) return { name, fullName: undefined, hostname: name };
  const fullName = `${name}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}`;
  return { name, fullName, hostname: setHostnameAsFQDN ? fullName : name };
}
