// Users, groups, capabilities and confinement of a container, from its own security context over its pod's.
import type { Container, Pod, SeccompProfile, SecurityContext } from '@kedge/model/k8s-types';
import {
  type LinuxContainerSecurityContext,
  type NamespaceOption,
  NamespaceMode,
  type SecurityProfile,
  SecurityProfile_ProfileType as ProfileType,
} from '@kedge/wire/cri';
import { allContainersOf, specOf } from '../pod/pod-spec.ts';

/** What of /proc and /sys a container does not see, or cannot write: the usual list of container runtimes. */
const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export function namespaceOptions(pod: Pod): NamespaceOption {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = specOf(pod);
  return {
    network: hostNetwork ? NamespaceMode.NODE : NamespaceMode.POD,
    pid: hostPID ? NamespaceMode.NODE : shareProcessNamespace ? NamespaceMode.POD : NamespaceMode.CONTAINER,
    ipc: hostIPC ? NamespaceMode.NODE : NamespaceMode.POD,
  };
}

/** Of one container: an ephemeral one may look at the processes of another. */
const containerNamespaces = (pod: Pod, targetId: string | undefined): NamespaceOption =>
  targetId === undefined ? namespaceOptions(pod) : { ...namespaceOptions(pod), pid: NamespaceMode.TARGET, targetId };

export const isPrivileged = (pod: Pod): boolean =>
  allContainersOf(pod).some(({ securityContext }) => securityContext?.privileged === true);

/** Groups that every process of the pod is in. */
export function supplementalGroups(pod: Pod): bigint[] {
  const { fsGroup, supplementalGroups: more = [] } = specOf(pod).securityContext ?? {};
  return [...(fsGroup === undefined ? [] : [fsGroup]), ...more].map(BigInt);
}

export function effectiveContext(pod: Pod, container: Container): SecurityContext {
  const { runAsUser, runAsGroup, runAsNonRoot, seccompProfile, seLinuxOptions, appArmorProfile } =
    specOf(pod).securityContext ?? {};
  const inherited = { runAsUser, runAsGroup, runAsNonRoot, seccompProfile, seLinuxOptions, appArmorProfile };
  const given = Object.entries(inherited).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(given) as SecurityContext), ...container.securityContext };
}

export function containerSecurity(
  pod: Pod,
  container: Container,
  seccompRoot: string,
  targetId?: string,
): LinuxContainerSecurityContext {
  const context = effectiveContext(pod, container);
  const { runAsUser, runAsGroup, capabilities, privileged = false } = context;
  return {
    namespaceOptions: containerNamespaces(pod, targetId),
    privileged,
    readonlyRootfs: context.readOnlyRootFilesystem ?? false,
    noNewPrivs: context.allowPrivilegeEscalation === false,
    supplementalGroups: supplementalGroups(pod),
    seccomp: seccompOf(context.seccompProfile, privileged, seccompRoot),
    ...(privileged ? {} : { maskedPaths, readonlyPaths }),
    ...(runAsUser === undefined ? {} : { runAsUser: { value: BigInt(runAsUser) } }),
    ...(runAsGroup === undefined ? {} : { runAsGroup: { value: BigInt(runAsGroup) } }),
    ...(capabilities
      ? { capabilities: { addCapabilities: capabilities.add ?? [], dropCapabilities: capabilities.drop ?? [] } }
      : {}),
    ...(context.seLinuxOptions ? { selinuxOptions: context.seLinuxOptions } : {}),
    ...(context.appArmorProfile ? { apparmor: profile(context.appArmorProfile, '') } : {}),
  };
}

function seccompOf(asked: SeccompProfile | undefined, privileged: boolean, root: string): SecurityProfile {
  if (!asked || privileged) return { profileType: ProfileType.Unconfined };
  return profile(asked, root);
}

function profile(
  { type, localhostProfile = '' }: { type: string; localhostProfile?: string },
  root: string,
): SecurityProfile {
  switch (type) {
    case 'RuntimeDefault':
      return { profileType: ProfileType.RuntimeDefault };
    case 'Localhost':
      return {
        profileType: ProfileType.Localhost,
        localhostRef: root ? `${root}/${localhostProfile}` : localhostProfile,
      };
    default:
      return { profileType: ProfileType.Unconfined };
  }
}
