// Rolling update: how far the new ReplicaSet may grow and the old ones shrink right now. Pure.
import type { Deployment, ReplicaSet } from '@kedge/model/k8s-types';
import { availableOf, byAge, desiredReplicas, isRollingUpdate, rolloutLimits, sizeOf, sum } from './rollout-limits.ts';

export interface Resize {
  readonly set: ReplicaSet;
  readonly to: number;
}

/** The size the new set may have now, given everything else that runs. */
export function newSetSize(deployment: Deployment, newSet: ReplicaSet | undefined, all: readonly ReplicaSet[]): number {
  const desired = desiredReplicas(deployment);
  if (!isRollingUpdate(deployment)) return desired;
  const size = newSet ? sizeOf(newSet) : 0;
  const room = desired + rolloutLimits(deployment).maxSurge - sum(all, sizeOf);
  if (room <= 0) return size;
  return size + Math.min(room, Math.max(0, desired - size));
}

/**
 * One step of a rolling update: grow the new set if there is room, else shrink old ones; the next step follows when the
 * pods have come or gone.
 */
export function planRollingUpdate(
  deployment: Deployment,
  newSet: ReplicaSet,
  oldSets: readonly ReplicaSet[],
): Resize[] {
  const desired = desiredReplicas(deployment);
  const size = sizeOf(newSet);
  const target = size > desired ? desired : newSetSize(deployment, newSet, [newSet, ...oldSets]);
  if (target !== size) return [{ set: newSet, to: target }];
  return shrinkOldSets(deployment, newSet, oldSets);
}

function shrinkOldSets(deployment: Deployment, newSet: ReplicaSet, oldSets: readonly ReplicaSet[]): Resize[] {
  if (sum(oldSets, sizeOf) === 0) return [];
  const minAvailable = desiredReplicas(deployment) - rolloutLimits(deployment).maxUnavailable;
  const notYetAvailable = sizeOf(newSet) - availableOf(newSet);
  const mayGo = sum([newSet, ...oldSets], sizeOf) - minAvailable - notYetAvailable;
  if (mayGo <= 0) return [];

  const sizes = new Map(oldSets.map((set) => [set, sizeOf(set)]));
  const oldestFirst = oldSets.toSorted(byAge);
  // Pods that are not available anyway go first: they hold nothing up.
  let left = mayGo;
  for (const set of oldestFirst) {
    const unhealthy = Math.max(0, sizeOf(set) - availableOf(set));
    const less = Math.min(left, unhealthy);
    sizes.set(set, sizeOf(set) - less);
    left -= less;
  }
  // Then healthy ones, as many as the new set has made up for.
  let spare = sum([newSet, ...oldSets], availableOf) - minAvailable;
  for (const set of oldestFirst) {
    const less = Math.max(0, Math.min(spare, sizes.get(set)!));
    sizes.set(set, sizes.get(set)! - less);
    spare -= less;
  }
  return oldSets.filter((set) => sizes.get(set) !== sizeOf(set)).map((set) => ({ set, to: sizes.get(set)! }));
}
