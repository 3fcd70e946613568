// Users, groups, capabilities and confinement of a container, from its own security context over its pod's.
import type { AppArmorProfile, Container, Pod, SeccompProfile, SecurityContext } from '@kedge/model/k8s-types';
import type { IdMapping } from './user-namespaces.ts';
import {
  type LinuxContainerSecurityContext,
  type NamespaceOption,
  NamespaceMode,
  SupplementalGroupsPolicy,
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

export function namespaceOptions(pod: Pod, users: IdMapping | undefined): NamespaceOption {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = specOf(pod);
  return {
    ...(users ? { usernsOptions: { mode: NamespaceMode.POD, uids: [users], gids: [users] } } : {}),
    network: hostNetwork ? NamespaceMode.NODE : NamespaceMode.POD,
    pid: hostPID ? NamespaceMode.NODE : shareProcessNamespace ? NamespaceMode.POD : NamespaceMode.CONTAINER,
    ipc: hostIPC ? NamespaceMode.NODE : NamespaceMode.POD,
  };
}

/** Of one container: an ephemeral one may look at the processes of another. */
function containerNamespaces(pod: Pod, { targetId, users }: Surroundings): NamespaceOption {
  const options = namespaceOptions(pod, users);
  return targetId === undefined ? options : { ...options, pid: NamespaceMode.TARGET, targetId };
}

/** Groups that the image gives its user count too, unless the pod wants none but its own. */
export const groupsPolicy = (pod: Pod): { supplementalGroupsPolicy?: SupplementalGroupsPolicy } =>
  specOf(pod).securityContext?.supplementalGroupsPolicy === 'Strict'
    ? { supplementalGroupsPolicy: SupplementalGroupsPolicy.Strict }
    : {};

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

/** What a container's confinement depends on beside its pod. */
export interface Surroundings {
  /** Where profiles on the node are. */
  readonly seccompRoot: string;
  /** True: who asks for no profile gets the runtime's. */
  readonly seccompDefault: boolean;
  /** The container whose processes it is to see. */
  readonly targetId?: string | undefined;
  /** Of its pod's own users, where it has them. */
  readonly users?: IdMapping | undefined;
}

export function containerSecurity(pod: Pod, container: Container, around: Surroundings): LinuxContainerSecurityContext {
  const context = effectiveContext(pod, container);
  const { runAsUser, runAsGroup, capabilities, privileged = false, procMount } = context;
  const appArmor = appArmorOf(pod, container);
  return {
    namespaceOptions: containerNamespaces(pod, around),
    ...groupsPolicy(pod),
    privileged,
    readonlyRootfs: context.readOnlyRootFilesystem ?? false,
    noNewPrivs: context.allowPrivilegeEscalation === false,
    supplementalGroups: supplementalGroups(pod),
    seccomp: seccompOf(context.seccompProfile, privileged, around),
    ...(privileged || procMount === 'Unmasked' ? {} : { maskedPaths, readonlyPaths }),
    ...(runAsUser === undefined ? {} : { runAsUser: { value: BigInt(runAsUser) } }),
    ...(runAsGroup === undefined ? {} : { runAsGroup: { value: BigInt(runAsGroup) } }),
    ...(capabilities
      ? { capabilities: { addCapabilities: capabilities.add ?? [], dropCapabilities: capabilities.drop ?? [] } }
      : {}),
    ...(context.seLinuxOptions ? { selinuxOptions: context.seLinuxOptions } : {}),
    ...(appArmor ? { apparmor: profile(appArmor, '') } : {}),
  };
}

const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/';

/** By the container, the pod, or the annotation that was the way before Kubernetes 1.30. */
export function appArmorOf(pod: Pod, container: Container): AppArmorProfile | undefined {
  const { appArmorProfile } = effectiveContext(pod, container);
  if (appArmorProfile) return appArmorProfile;
  const annotated = pod.metadata.annotations?.[`${appArmorAnnotation}${container.name}`];
  if (annotated === undefined || annotated === '') return undefined;
  if (annotated === 'runtime/default') return { type: 'RuntimeDefault' };
  if (annotated.startsWith('localhost/')) {
    return { type: 'Localhost', localhostProfile: annotated.slice('localhost/'.length) };
  }
  return { type: 'Unconfined' };
}

function seccompOf(asked: SeccompProfile | undefined, privileged: boolean, around: Surroundings): SecurityProfile {
  if (privileged) return { profileType: ProfileType.Unconfined };
  if (asked) return profile(asked, around.seccompRoot);
  return { profileType: around.seccompDefault ? ProfileType.RuntimeDefault : ProfileType.Unconfined };
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
