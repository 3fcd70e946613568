// What a pod may ask for and this edge cannot do, at all or with the runtime that it has. Such a pod is refused and says
// why; nothing is left out silently.
import type { Container, LifecycleHandler, Pod, Probe, Volume } from '@kedge/model/k8s-types';
import type { RuntimeAbilities } from '../runtime/runtime-abilities.ts';
import { isExtendedResource, isHugePages } from '../runtime/resources.ts';
import { appArmorOf } from '../runtime/security-context.ts';
import { allContainersOf, initContainersOf, isSidecar, specOf } from './pod-spec.ts';
import { findUnsafeName } from './safe-names.ts';
import { findForbiddenSysctl } from './sysctls.ts';

const volumeKinds = new Set([
  'name',
  'emptyDir',
  'hostPath',
  'configMap',
  'secret',
  'projected',
  'downwardAPI',
  'image',
]);
const resourceNames = new Set(['cpu', 'memory', 'ephemeral-storage']);

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

export interface NodePolicy {
  /** Sysctls that the administrator of the node allows besides those that stay inside a pod; `*` at an end is any rest. */
  readonly allowedUnsafeSysctls: readonly string[];
}

export function findUnsupported(pod: Pod, policy: NodePolicy): Refusal | undefined {
  const spec = specOf(pod);
  const unsafe = findUnsafeName(pod);
  if (unsafe !== undefined) return { reason: 'InvalidPod', message: `"${unsafe}" is not a name` };
  const forbidden = findForbiddenSysctl(pod, policy.allowedUnsafeSysctls);
  if (forbidden !== undefined) return { reason: 'SysctlForbidden', message: forbidden };
  return refuse([
    ...(spec.volumes ?? []).flatMap(inVolume),
    ...allContainersOf(pod).flatMap(inContainer),
    ...(spec.resourceClaims?.length ? ['resourceClaims'] : []),
    ...fromLater(spec, laterOfPods),
    ...spec.containers
      .filter((one) => one.restartPolicy)
      .map(({ name }) => `a restart policy of its own (container "${name}")`),
    ...initContainersOf(pod)
      .filter((one) => one.restartPolicy && !isSidecar(one))
      .map(({ name }) => `a restart policy other than Always (container "${name}")`),
    ...(spec.os && spec.os.name !== 'linux' ? [`os "${spec.os.name}"`] : []),
  ]);
}

/** Whether it takes something that not every runtime has. */
export const needsAbilities = (pod: Pod): boolean => findUnable(pod, undefined) !== undefined;

/** What the runtime would leave out; `able` undefined: one that says nothing of itself. */
export function findUnable(pod: Pod, able: RuntimeAbilities | undefined): Refusal | undefined {
  const { hostUsers, securityContext } = specOf(pod);
  const isStrict = securityContext?.supplementalGroupsPolicy === 'Strict';
  return refuse(
    [
      ...(hostUsers === false && !able?.userNamespaces ? ['hostUsers: false'] : []),
      ...(isStrict && !able?.strictSupplementalGroups ? ['supplementalGroupsPolicy Strict'] : []),
      ...(able?.recursiveReadOnlyMounts
        ? []
        : allContainersOf(pod)
            .filter(({ volumeMounts }) => volumeMounts?.some((mount) => mount.recursiveReadOnly === 'Enabled'))
            .map(({ name }) => `recursiveReadOnly mounts (container "${name}")`)),
    ],
    'The container runtime of this node',
  );
}

/** Whether a container is to be confined by a profile of AppArmor. */
export const wantsAppArmor = (pod: Pod): boolean =>
  allContainersOf(pod).some((container) => (appArmorOf(pod, container)?.type ?? 'Unconfined') !== 'Unconfined');

/** As a kubelet says it, and what to do. */
export const noAppArmor: Refusal = {
  reason: 'AppArmor',
  message:
    'Cannot enforce AppArmor: AppArmor is not enabled on the host; ask for the profile Unconfined, or choose a node that has it',
};

const refuse = (missing: readonly string[], who = 'This node'): Refusal | undefined =>
  missing.length === 0
    ? undefined
    : { reason: 'UnsupportedFeature', message: `${who} does not support: ${missing.join(', ')}` };

function inVolume(volume: Volume): string[] {
  const kinds = Object.keys(volume).filter((kind) => !volumeKinds.has(kind));
  const trust = volume.projected?.sources?.some((source) => source.clusterTrustBundle) ? ['clusterTrustBundle'] : [];
  return [...kinds.map((kind) => `${kind} volumes ("${volume.name}")`), ...trust];
}

function inContainer(container: Container): string[] {
  const { resources, securityContext, volumeDevices, lifecycle } = container;
  const amounts = Object.keys({ ...resources?.limits, ...resources?.requests });
  const probes = [container.livenessProbe, container.readinessProbe, container.startupProbe];
  const missing = [
    ...amounts.filter((name) => !isKnownResource(name)).map((name) => `resource "${name}"`),
    ...(resources?.claims?.length ? ['resource claims'] : []),
    ...(volumeDevices?.length ? ['volumeDevices'] : []),
    ...fromLater(container, laterOfContainers),
    ...fromLater(lifecycle, laterOfLifecycles),
    ...(securityContext?.windowsOptions ? ['windowsOptions'] : []),
    ...[lifecycle?.preStop, lifecycle?.postStart].flatMap(inHook),
    ...probes.flatMap(inProbe),
  ];
  return missing.map((what) => `${what} (container "${container.name}")`);
}

/** Fields that Kubernetes has since 1.33 and later: a cloud that knows them may send them. */
const laterOfPods = ['hostnameOverride'];
const laterOfContainers = ['restartPolicyRules'];
const laterOfLifecycles = ['stopSignal'];

const fromLater = (given: object | undefined, names: readonly string[]): string[] =>
  names.filter((name) => given !== undefined && name in given);

const isKnownResource = (name: string): boolean =>
  resourceNames.has(name) || isHugePages(name) || isExtendedResource(name);

const inHook = (hook: LifecycleHandler | undefined): string[] => (hook?.tcpSocket ? ['tcpSocket hooks'] : []);
const inProbe = (probe: Probe | undefined): string[] =>
  probe && !probe.exec && !probe.httpGet && !probe.tcpSocket && !probe.grpc ? ['a probe without an action'] : [];
