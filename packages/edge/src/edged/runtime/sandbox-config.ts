// A pod's sandbox in the words of the container runtime.
import type { Pod } from '@kedge/model/k8s-types';
import { type PodSandboxConfig, type PortMapping, Protocol, SecurityProfile_ProfileType } from '@kedge/wire/cri';
import type { DnsConfig } from '../network/dns-config.ts';
import { podHostname } from '../network/hosts-file.ts';
import { initContainersOf, isSidecar, specOf, uidOf } from '../pod/pod-spec.ts';
import { podLabels } from './labels.ts';
import type { PodPaths } from './pod-paths.ts';
import { type CgroupSettings, podCgroup } from './resources.ts';
import { groupsPolicy, isPrivileged, namespaceOptions, supplementalGroups } from './security-context.ts';
import type { IdMapping } from './user-namespaces.ts';

export interface SandboxSettings extends CgroupSettings {
  readonly site: string;
  readonly clusterDomain: string;
}

export function sandboxConfig(
  pod: Pod,
  attempt: number,
  {
    settings,
    paths,
    dns,
    users,
  }: { settings: SandboxSettings; paths: PodPaths; dns: DnsConfig; users: IdMapping | undefined },
): PodSandboxConfig {
  const { securityContext, hostNetwork } = specOf(pod);
  const { runAsUser, runAsGroup, sysctls = [], seLinuxOptions } = securityContext ?? {};
  return {
    metadata: {
      name: pod.metadata.name,
      namespace: pod.metadata.namespace,
      uid: uidOf(pod),
      attempt,
    },
    hostname: hostNetwork ? '' : podHostname(pod, settings.clusterDomain).hostname,
    logDirectory: paths.logDirectory(pod),
    dnsConfig: { servers: [...dns.servers], searches: [...dns.searches], options: [...dns.options] },
    portMappings: hostNetwork ? [] : portMappings(pod),
    labels: podLabels(pod, settings.site),
    annotations: pod.metadata.annotations ?? {},
    linux: {
      cgroupParent: podCgroup(pod, settings),
      sysctls: Object.fromEntries(sysctls.map(({ name, value }) => [name, value])),
      securityContext: {
        namespaceOptions: namespaceOptions(pod, users),
        ...groupsPolicy(pod),
        privileged: isPrivileged(pod),
        supplementalGroups: supplementalGroups(pod),
        seccomp: { profileType: SecurityProfile_ProfileType.RuntimeDefault },
        ...(runAsUser === undefined ? {} : { runAsUser: { value: BigInt(runAsUser) } }),
        ...(runAsGroup === undefined || runAsUser === undefined ? {} : { runAsGroup: { value: BigInt(runAsGroup) } }),
        ...(seLinuxOptions ? { selinuxOptions: seLinuxOptions } : {}),
      },
    },
  };
}

const protocols: Readonly<Record<string, Protocol>> = { TCP: Protocol.TCP, UDP: Protocol.UDP, SCTP: Protocol.SCTP };

/** Only ports that the host listens on; the others need no mapping. */
function portMappings(pod: Pod): PortMapping[] {
  const containers = [...initContainersOf(pod).filter(isSidecar), ...specOf(pod).containers];
  return containers.flatMap(({ ports = [] }) =>
    ports
      .filter(({ hostPort }) => hostPort)
      .map(({ containerPort, hostPort, hostIP, protocol }) => ({
        containerPort,
        hostPort: hostPort ?? 0,
        hostIp: hostIP ?? '',
        protocol: protocols[protocol ?? 'TCP'] ?? Protocol.TCP,
      })),
  );
}
