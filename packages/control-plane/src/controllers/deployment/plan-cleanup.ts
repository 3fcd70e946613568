// Which old ReplicaSets have outlived the history a Deployment keeps. Pure.
import type { Deployment, ReplicaSet } from '@kedge/model/k8s-types';
import { byAge, sizeOf } from './rollout-limits.ts';
import { revisionOf } from './revisions.ts';

const keepsAll = 2_147_483_647;

export function planCleanup({ spec }: Deployment, oldSets: readonly ReplicaSet[]): ReplicaSet[] {
  const limit = spec?.revisionHistoryLimit ?? 10;
  if (limit === keepsAll) return [];
  const present = oldSets.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const oldestFirst = present.toSorted((a, b) => revisionOf(a) - revisionOf(b) || byAge(a, b));
  return oldestFirst.slice(0, Math.max(0, present.length - limit)).filter(isIdle);
}

const isIdle = (set: ReplicaSet): boolean =>
  sizeOf(set) === 0 &&
  (set.status?.replicas ?? 0) === 0 &&
  (set.metadata.generation ?? 0) <= (set.status?.observedGeneration ?? 0);
