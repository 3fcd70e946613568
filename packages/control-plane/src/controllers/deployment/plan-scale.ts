// Scaling a Deployment while a rollout is under way or paused: every active ReplicaSet gets its share. Pure.
import type { Deployment, ReplicaSet } from '@kedge/model/k8s-types';
import type { Resize } from './plan-rolling-update.ts';
import { desiredAnnotation, maxAnnotation } from './revisions.ts';
import { availableOf, byAge, desiredReplicas, isRollingUpdate, rolloutLimits, sizeOf, sum } from './rollout-limits.ts';

/** True when the Deployment's size changed since the active sets were last resized. */
export function isScaling(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  return sets.some((set) => {
    const known = numberIn(set, desiredAnnotation);
    return sizeOf(set) > 0 && known !== undefined && known !== desiredReplicas(deployment);
  });
}

export function planScale(
  deployment: Deployment,
  newSet: ReplicaSet | undefined,
  oldSets: readonly ReplicaSet[],
): Resize[] {
  const desired = desiredReplicas(deployment);
  const all = newSet ? [newSet, ...oldSets] : oldSets;
  const active = all.filter((set) => sizeOf(set) > 0);
  if (active.length <= 1) {
    const only = active[0] ?? newSet ?? oldSets.toSorted(byAge).at(-1);
    return only && needsWrite(only, desired, desired) ? [{ set: only, to: desired }] : [];
  }
  if (isSaturated(deployment, newSet)) {
    return oldSets.filter((set) => sizeOf(set) > 0).map((set) => ({ set, to: 0 }));
  }
  return isRollingUpdate(deployment) ? inProportion(deployment, active) : [];
}

/** The new set has everything it is to have, in its own eyes and in the world. */
function isSaturated(deployment: Deployment, newSet: ReplicaSet | undefined): boolean {
  if (!newSet) return false;
  const desired = desiredReplicas(deployment);
  return (
    sizeOf(newSet) === desired && numberIn(newSet, desiredAnnotation) === desired && availableOf(newSet) === desired
  );
}

function inProportion(deployment: Deployment, active: readonly ReplicaSet[]): Resize[] {
  const desired = desiredReplicas(deployment);
  const allowed = desired > 0 ? desired + rolloutLimits(deployment).maxSurge : 0;
  const toAdd = allowed - sum(active, sizeOf);
  // The largest first; among equals growth favours the newer and shrinking the older set.
  const bySize = active.toSorted((a, b) => sizeOf(b) - sizeOf(a) || (toAdd > 0 ? byAge(b, a) : byAge(a, b)));
  let added = 0;
  const sizes = bySize.map((set) => {
    const share = shareOf(deployment, set, toAdd, added);
    added += share;
    return { set, to: sizeOf(set) + share };
  });
  // What rounding left over goes to the largest.
  const [largest, ...others] = sizes as [Resize, ...Resize[]];
  const evened = [{ set: largest.set, to: Math.max(0, largest.to + toAdd - added) }, ...others];
  return evened.filter(({ set, to }) => needsWrite(set, to, desired));
}

/** Also when only what the set remembers of the Deployment is out of date. */
function needsWrite(set: ReplicaSet, to: number, desired: number): boolean {
  const known = numberIn(set, desiredAnnotation);
  return sizeOf(set) !== to || (known !== undefined && known !== desired);
}

function shareOf(deployment: Deployment, set: ReplicaSet, toAdd: number, added: number): number {
  const left = toAdd - added;
  if (sizeOf(set) === 0 || left === 0) return 0;
  const share = fairShare(deployment, set);
  return toAdd > 0 ? Math.min(share, left) : Math.max(share, left);
}

/** How much the set would change if everything changed by the same factor. */
function fairShare(deployment: Deployment, set: ReplicaSet): number {
  const size = sizeOf(set);
  const desired = desiredReplicas(deployment);
  if (desired === 0) return -size;
  const max = desired + rolloutLimits(deployment).maxSurge;
  const maxBefore = numberIn(set, maxAnnotation) || deployment.status?.replicas || max;
  return Math.round((size * max) / maxBefore) - size;
}

function numberIn({ metadata }: ReplicaSet, annotation: string): number | undefined {
  const text = metadata.annotations?.[annotation];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
