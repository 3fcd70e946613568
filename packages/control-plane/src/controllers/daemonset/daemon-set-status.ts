// The status of a DaemonSet, counted over its nodes. Pure.
import type { DaemonSetStatus, Pod } from '@kedge/model/k8s-types';
import { isAvailable, isReady } from '../pods/pod-state.ts';
import { type DaemonFacts, eligibility, isOf } from './plan-daemons.ts';

export function daemonSetStatus({ set, nodes, podsByNode, hash, now }: DaemonFacts): DaemonSetStatus {
  const count = { desired: 0, current: 0, misplaced: 0, ready: 0, updated: 0, available: 0 };
  for (const node of nodes) {
    const pods = (podsByNode.get(node.metadata.name ?? '') ?? []).toSorted(oldestFirst);
    const { runs } = eligibility(set, node);
    if (!runs) {
      if (pods.length > 0) count.misplaced += 1;
      continue;
    }
    count.desired += 1;
    const [oldest] = pods;
    if (!oldest) continue;
    count.current += 1;
    // During a surge the older pod serves until the newer one does.
    const serving = pods.find(isReady) ?? oldest;
    if (isReady(serving)) count.ready += 1;
    if (isAvailable(serving, set.spec?.minReadySeconds ?? 0, now)) count.available += 1;
    if (pods.some((pod) => isOf(pod, hash))) count.updated += 1;
  }
  return {
    desiredNumberScheduled: count.desired,
    currentNumberScheduled: count.current,
    numberMisscheduled: count.misplaced,
    numberReady: count.ready,
    updatedNumberScheduled: count.updated,
    numberAvailable: count.available,
    numberUnavailable: count.desired - count.available,
    observedGeneration: set.metadata.generation ?? 0,
    ...(set.status?.collisionCount ? { collisionCount: set.status.collisionCount } : {}),
  };
}

const oldestFirst = (a: Pod, b: Pod): number =>
  (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1;
