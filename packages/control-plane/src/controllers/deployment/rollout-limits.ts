// Small numbers a rollout lives by: surge, unavailability, and the sums over ReplicaSets.
import type { Deployment, ReplicaSet } from '@kedge/model/k8s-types';
import { scaled } from '../runtime/scaled.ts';

export interface RolloutLimits {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

export const desiredReplicas = ({ spec }: Deployment): number => spec?.replicas ?? 1;
export const isRollingUpdate = ({ spec }: Deployment): boolean => spec?.strategy?.type !== 'Recreate';

/** Surge rounds up, unavailability down; both zero would never move, so one pod may then be unavailable. */
export function rolloutLimits(deployment: Deployment): RolloutLimits {
  const desired = desiredReplicas(deployment);
  if (!isRollingUpdate(deployment)) return { maxSurge: 0, maxUnavailable: 0 };
  const { maxSurge, maxUnavailable } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const surge = scaled(maxSurge ?? '25%', desired, Math.ceil);
  const unavailable = scaled(maxUnavailable ?? '25%', desired, Math.floor);
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, desired) };
}

export const sizeOf = ({ spec }: ReplicaSet): number => spec?.replicas ?? 1;
export const availableOf = ({ status }: ReplicaSet): number => status?.availableReplicas ?? 0;
export const sum = (sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number =>
  sets.reduce((total, set) => total + of(set), 0);

/** Oldest first; equal times by name. */
export const byAge = (a: ReplicaSet, b: ReplicaSet): number => {
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (x !== y) return x < y ? -1 : 1;
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
};
