// The status of a StatefulSet, counted over its pods. Pure.
import type { StatefulSetStatus } from '@kedge/model/k8s-types';
import { isAvailable, isReady } from '../pods/pod-state.ts';
import { isStaying, type StatefulFacts } from './plan-stateful-set.ts';
import { revisionOf } from './stateful-pod.ts';

export function statefulSetStatus({ set, pods, current, update, now }: StatefulFacts): StatefulSetStatus {
  const { metadata, spec, status } = set;
  const ready = pods.filter((pod) => pod.status?.phase === 'Running' && isReady(pod));
  const of = (revision: string): number => pods.filter((pod) => isStaying(pod) && revisionOf(pod) === revision).length;
  const counted: StatefulSetStatus = {
    replicas: pods.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isAvailable(pod, spec?.minReadySeconds ?? 0, now)).length,
    currentReplicas: of(current),
    updatedReplicas: of(update),
    currentRevision: current,
    updateRevision: update,
    observedGeneration: metadata.generation ?? 0,
    collisionCount: status?.collisionCount ?? 0,
    ...(status?.conditions ? { conditions: status.conditions } : {}),
  };
  const isRolling = spec?.updateStrategy?.type !== 'OnDelete';
  const isComplete = [counted.updatedReplicas, counted.readyReplicas].every((n) => n === counted.replicas);
  // The update is over: what pods were to get is what they have.
  return isRolling && isComplete
    ? { ...counted, currentRevision: update, currentReplicas: counted.updatedReplicas ?? 0 }
    : counted;
}
