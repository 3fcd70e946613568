// What a pod as a whole needs before its containers: directories, the resolver's configuration, the hosts file.
import type { Files, HostFacts } from '@kedge/core/ports';
import type { Pod } from '@kedge/model/k8s-types';
import type { PodSandboxConfig } from '@kedge/wire/cri';
import type { EdgedConfig } from '../config.ts';
import type { EventRecorder } from '../events.ts';
import { parseResolvConf, podDns } from '../network/dns-config.ts';
import { formatHostsFile, podHostname } from '../network/hosts-file.ts';
import type { PodPaths } from '../runtime/pod-paths.ts';
import { sandboxConfig } from '../runtime/sandbox-config.ts';
import { createUserNamespaces, type IdMapping } from '../runtime/user-namespaces.ts';
import { specOf, uidOf } from './pod-spec.ts';

export interface PodSetup {
  /** Makes the pod's directories too. */
  sandbox(pod: Pod, attempt: number): Promise<PodSandboxConfig>;
  /** Users of its own, where the pod asks for them. */
  users(pod: Pod): Promise<IdMapping | undefined>;
  writeHostsFile(pod: Pod, addresses: readonly string[]): Promise<void>;
  hostAddresses(): readonly string[];
}

export function createPodSetup(deps: {
  files: Files;
  paths: PodPaths;
  config: EdgedConfig;
  facts: () => HostFacts;
  events: EventRecorder;
}): PodSetup {
  const { files, paths, config, facts, events } = deps;
  const userNamespaces = createUserNamespaces({ files, paths });
  let isMissingDnsTold = false;

  /** Once, of the node: a site without a DNS of its own would hear it with every pod. */
  function tellMissingDns(): void {
    if (isMissingDnsTold) return;
    isMissingDnsTold = true;
    const message =
      "no DNS of the cluster is configured (clusterDNS): pods with the policy ClusterFirst get the node's own resolver";
    events.node('Warning', 'MissingClusterDNS', message);
  }

  return {
    users: (pod) => userNamespaces.of(pod),
    async sandbox(pod, attempt) {
      await files.makeDirectory(paths.podDirectory(uidOf(pod)), { mode: 0o750 });
      await files.makeDirectory(paths.logDirectory(pod), { mode: 0o755 });
      const host = parseResolvConf((await files.readText(config.resolvConf)) ?? '');
      const { clusterDomain, clusterDns } = config;
      const { dns, lacksCluster, omitted } = podDns(pod, { clusterDomain, clusterDns, host });
      for (const message of omitted) events.pod(pod, 'Warning', 'DNSConfigForming', message);
      if (lacksCluster) tellMissingDns();
      refuseLongName(podHostname(pod, clusterDomain).hostname);
      const users = await userNamespaces.of(pod);
      return sandboxConfig(pod, attempt, { settings: config, paths, dns, users });
    },
    async writeHostsFile(pod, addresses) {
      const hostFile = specOf(pod).hostNetwork ? ((await files.readText('/etc/hosts')) ?? '') : '';
      const text = formatHostsFile(pod, { addresses, clusterDomain: config.clusterDomain, hostFile });
      const path = paths.hostsFile(uidOf(pod));
      // Containers hold the file itself, not its name: it is written once and not replaced under them.
      if ((await files.info(path)) === undefined) await files.append(path, text);
      else if ((await files.readText(path)) !== text) await files.writeAtomically(path, text);
    },
    hostAddresses: () => (config.nodeIp === undefined ? facts().addresses.slice(0, 1) : [config.nodeIp]),
  };
}

/** Of the kernel, in bytes: sethostname(2). */
const longestHostname = 64;

/** Only a name with its domain can be so long: others are cut. */
function refuseLongName(name: string): void {
  if (name.length <= longestHostname) return;
  throw new Error(
    `setHostnameAsFQDN: "${name}" has ${name.length} characters, and a host name at most ${longestHostname}: shorten hostname or subdomain`,
  );
}
