// What controllers want to know about a pod, from its spec and status.
import { type Instant, parseTime } from '@kedge/core/time';
import type { Pod, PodCondition } from '@kedge/model/k8s-types';

export const isTerminal = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Counts towards the replicas of its controller. */
export const isActive = (pod: Pod): boolean => !isTerminal(pod) && pod.metadata.deletionTimestamp === undefined;

export const isReadyCondition = ({ type }: PodCondition): boolean => type === 'Ready';

const podCondition = ({ status }: Pod, type: string): PodCondition | undefined =>
  status?.conditions?.find((condition) => condition.type === type);

export const isReady = (pod: Pod): boolean => podCondition(pod, 'Ready')?.status === 'True';

/** Since when the pod is ready; undefined when it is not. */
export const readySince = (pod: Pod): Instant | undefined =>
  isReady(pod) ? parseTime(podCondition(pod, 'Ready')?.lastTransitionTime) : undefined;

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: Pod, minReadySeconds: number, now: Instant): boolean {
  if (!isReady(pod)) return false;
  if (minReadySeconds === 0) return true;
  const since = readySince(pod);
  return since !== undefined && since + minReadySeconds * 1_000 <= now;
}

/** Restarts of the container that was restarted most. */
export const maxRestarts = ({ status }: Pod): number =>
  Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
