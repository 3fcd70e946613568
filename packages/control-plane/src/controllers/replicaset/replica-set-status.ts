// The status of a ReplicaSet, computed from its pods. Pure.
import { type Instant, toTime } from '@kedge/core/time';
import { matchesLabels } from '@kedge/model/k8s-selectors';
import type {
  Pod,
  ReplicationController,
  ReplicaSet,
  ReplicaSetCondition,
  ReplicaSetStatus,
} from '@kedge/model/k8s-types';
import { isAvailable, isReady } from '../pods/pod-state.ts';

export interface ReplicaFailure {
  readonly reason: 'FailedCreate' | 'FailedDelete';
  readonly message: string;
}

export function replicaSetStatus(
  { metadata, spec, status }: ReplicaSet | ReplicationController,
  pods: readonly Pod[],
  now: Instant,
  failure: ReplicaFailure | undefined,
): ReplicaSetStatus {
  const labels = Object.entries(spec?.template?.metadata?.labels ?? {});
  const template = labels.map(([key, value]) => ({ op: 'in' as const, key, values: [value] }));
  const conditions = withFailure(status?.conditions ?? [], failure, now);
  return {
    replicas: pods.length,
    fullyLabeledReplicas: pods.filter((pod) => matchesLabels(template, pod.metadata.labels)).length,
    readyReplicas: pods.filter(isReady).length,
    availableReplicas: pods.filter((pod) => isAvailable(pod, spec?.minReadySeconds ?? 0, now)).length,
    ...(metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }),
    ...(conditions.length > 0 ? { conditions } : {}),
  };
}

function withFailure(
  before: readonly ReplicaSetCondition[],
  failure: ReplicaFailure | undefined,
  now: Instant,
): ReplicaSetCondition[] {
  const others = before.filter(({ type }) => type !== 'ReplicaFailure');
  if (!failure) return others;
  const known = before.find(({ type }) => type === 'ReplicaFailure');
  const lastTransitionTime = known?.status === 'True' ? (known.lastTransitionTime ?? toTime(now)) : toTime(now);
  return [...others, { type: 'ReplicaFailure', status: 'True', lastTransitionTime, ...failure }];
}
