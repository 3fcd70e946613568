// Small readings of a pod's spec that planning, status and set-up share.
import { type Duration, seconds } from '@kedge/core/time';
import { parseQuantity } from '@kedge/model/k8s-quantity';
import type { Container, EphemeralContainer, Pod, PodSpec } from '@kedge/model/k8s-types';

const emptySpec: PodSpec = { containers: [] };

export const specOf = (pod: Pod): PodSpec => pod.spec ?? emptySpec;
export const uidOf = (pod: Pod): string => pod.metadata.uid ?? '';
export const restartPolicyOf = (pod: Pod): string => specOf(pod).restartPolicy ?? 'Always';
export const initContainersOf = (pod: Pod): readonly Container[] => specOf(pod).initContainers ?? [];
/** Added to a pod that runs, to look into it; they are started once and never again. */
export const ephemeralContainersOf = (pod: Pod): readonly EphemeralContainer[] => specOf(pod).ephemeralContainers ?? [];
export const allContainersOf = (pod: Pod): readonly Container[] => [
  ...initContainersOf(pod),
  ...specOf(pod).containers,
  ...ephemeralContainersOf(pod),
];
export const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

/** An init container that stays, alongside the others. */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

/** How pods are written in messages: `name_namespace(uid)`. */
export const describePod = (pod: Pod): string => `${pod.metadata.name}_${pod.metadata.namespace}(${uidOf(pod)})`;

/** How long containers get to end by themselves: what the deletion says, else the spec; at least a second. */
export function gracePeriodOf(pod: Pod): Duration {
  const asked = isTerminating(pod) ? pod.metadata.deletionGracePeriodSeconds : undefined;
  return seconds(Math.max(1, asked ?? specOf(pod).terminationGracePeriodSeconds ?? 30));
}

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** By the resources of all containers: limits that equal requests for both cpu and memory, some, or none at all. */
export function qosClassOf(pod: Pod): QosClass {
  if (pod.status?.qosClass !== undefined) return pod.status.qosClass as QosClass;
  let hasAny = false;
  let isGuaranteed = true;
  // What the pod says for itself as a whole holds, whatever its containers say.
  const whole = specOf(pod).resources;
  // What only looks into a pod asks for nothing.
  for (const { resources } of whole ? [{ resources: whole }] : [...initContainersOf(pod), ...specOf(pod).containers]) {
    for (const name of ['cpu', 'memory']) {
      const limit = amount(resources?.limits?.[name]);
      const request = amount(resources?.requests?.[name]);
      if (limit !== undefined || request !== undefined) hasAny = true;
      if (limit === undefined || (request !== undefined && request !== limit)) isGuaranteed = false;
    }
  }
  if (!hasAny) return 'BestEffort';
  return isGuaranteed ? 'Guaranteed' : 'Burstable';
}

/** A zero, however it is written, asks for nothing. */
const amount = (text: string | undefined): bigint | undefined =>
  (text === undefined ? undefined : parseQuantity(text)?.nano) || undefined;
