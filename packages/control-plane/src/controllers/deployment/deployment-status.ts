// The status of a Deployment and the two conditions users wait for: Available and Progressing. Pure.
import { type Instant, parseTime, plus, seconds, toTime } from '@kedge/core/time';
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '@kedge/model/k8s-types';
import { availableOf, desiredReplicas, rolloutLimits, sum } from './rollout-limits.ts';

export type ProgressReason =
  | 'DeploymentPaused'
  | 'DeploymentResumed'
  | 'FailedCreate'
  | 'FoundNewReplicaSet'
  | 'NewReplicaSetAvailable'
  | 'NewReplicaSetCreated'
  | 'ProgressDeadlineExceeded'
  | 'ReplicaSetUpdated';

export interface StatusFacts {
  readonly newSet: ReplicaSet | undefined;
  readonly oldSets: readonly ReplicaSet[];
  readonly collisionCount: number;
  readonly now: Instant;
}

/** No deadline: such a Deployment has no Progressing condition. */
const noDeadline = 2_147_483_647;
export const hasDeadline = ({ spec }: Deployment): boolean => (spec?.progressDeadlineSeconds ?? 600) !== noDeadline;

export const conditionOf = ({ status }: Deployment, type: string): DeploymentCondition | undefined =>
  status?.conditions?.find((condition) => condition.type === type);

/** Sets a condition: unchanged status and reason keep both times, an unchanged status its transition time. */
export function withCondition(
  conditions: readonly DeploymentCondition[],
  next: Pick<DeploymentCondition, 'message' | 'reason' | 'status' | 'type'>,
  now: Instant,
): DeploymentCondition[] {
  const known = conditions.find(({ type }) => type === next.type);
  if (known?.status === next.status && known.reason === next.reason) return [...conditions];
  const lastTransitionTime = known?.status === next.status ? (known.lastTransitionTime ?? toTime(now)) : toTime(now);
  return [
    ...conditions.filter(({ type }) => type !== next.type),
    { ...next, lastUpdateTime: toTime(now), lastTransitionTime },
  ];
}

const without = (conditions: readonly DeploymentCondition[], type: string): DeploymentCondition[] =>
  conditions.filter((condition) => condition.type !== type);

/** Counts and the Available condition; the rest of the conditions as they were. */
export function countedStatus(
  deployment: Deployment,
  { newSet, oldSets, collisionCount, now }: StatusFacts,
): DeploymentStatus {
  const all = newSet ? [newSet, ...oldSets] : oldSets;
  const availableReplicas = sum(all, availableOf);
  const desired = desiredReplicas(deployment);
  const isEnough = availableReplicas >= desired - rolloutLimits(deployment).maxUnavailable;
  const available = isEnough
    ? { status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
    : {
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: sum(all, ({ status }) => status?.replicas ?? 0),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: sum(all, ({ status }) => status?.readyReplicas ?? 0),
    availableReplicas,
    unavailableReplicas: Math.max(0, sum(all, ({ spec }) => spec?.replicas ?? 1) - availableReplicas),
    conditions: withCondition(deployment.status?.conditions ?? [], { type: 'Available', ...available }, now),
    ...(collisionCount > 0 ? { collisionCount } : {}),
  };
}

/** The whole status during and after a rollout. */
export function rolloutStatus(deployment: Deployment, facts: StatusFacts): DeploymentStatus {
  const counted = countedStatus(deployment, facts);
  const conditions = withProgress(deployment, counted, facts);
  return { ...counted, conditions: withReplicaFailure(conditions, facts) };
}

function withProgress(
  deployment: Deployment,
  status: DeploymentStatus,
  { newSet, now }: StatusFacts,
): DeploymentCondition[] {
  const conditions = status.conditions ?? [];
  if (!hasDeadline(deployment)) return without(conditions, 'Progressing');
  const current = conditionOf(deployment, 'Progressing');
  const isSettled = status.replicas === status.updatedReplicas && current?.reason === 'NewReplicaSetAvailable';
  if (isSettled) return conditions;
  const subject = newSet ? `ReplicaSet "${newSet.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  const progressing = (status: string, reason: ProgressReason, message: string) => ({
    type: 'Progressing',
    status,
    reason,
    message: `${subject} ${message}`,
  });
  if (isComplete(deployment, status)) {
    return withCondition(
      conditions,
      progressing('True', 'NewReplicaSetAvailable', 'has successfully progressed.'),
      now,
    );
  }
  if (hasMoved(deployment.status ?? {}, status)) {
    const next = progressing('True', 'ReplicaSetUpdated', 'is progressing.');
    // Each sign of progress starts the deadline anew, so the update time moves even when nothing else does.
    const lastTransitionTime = current?.status === 'True' ? (current.lastTransitionTime ?? toTime(now)) : toTime(now);
    return [...without(conditions, 'Progressing'), { ...next, lastUpdateTime: toTime(now), lastTransitionTime }];
  }
  if (isOverdue(deployment, now)) {
    return withCondition(
      conditions,
      progressing('False', 'ProgressDeadlineExceeded', 'has timed out progressing.'),
      now,
    );
  }
  return conditions;
}

/** A failure to create pods in any of the sets becomes the Deployment's. */
function withReplicaFailure(conditions: readonly DeploymentCondition[], { newSet, oldSets, now }: StatusFacts) {
  const failures = [...(newSet ? [newSet] : []), ...oldSets].flatMap(({ status }) =>
    (status?.conditions ?? []).filter(({ type }) => type === 'ReplicaFailure'),
  );
  const [failure] = failures;
  if (!failure) return without(conditions, 'ReplicaFailure');
  const { status, reason = '', message = '' } = failure;
  return withCondition(conditions, { type: 'ReplicaFailure', status, reason, message }, now);
}

/** All pods are of the new template, all are available, and the controller has seen the latest spec. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const desired = desiredReplicas(deployment);
  return (
    status.updatedReplicas === desired &&
    status.replicas === desired &&
    status.availableReplicas === desired &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function hasMoved(before: DeploymentStatus, now: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus) => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(now) < old(before) ||
    (now.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function isOverdue(deployment: Deployment, now: Instant): boolean {
  const current = conditionOf(deployment, 'Progressing');
  if (!current || current.reason === 'NewReplicaSetAvailable') return false;
  if (current.reason === 'ProgressDeadlineExceeded') return true;
  const due = progressDue(deployment);
  return due !== undefined && due < now;
}

/** When the rollout counts as stuck unless something moves; undefined when it cannot. */
export function progressDue(deployment: Deployment): Instant | undefined {
  const current = conditionOf(deployment, 'Progressing');
  if (!hasDeadline(deployment) || !current || current.status !== 'True') return undefined;
  if (current.reason === 'NewReplicaSetAvailable') return undefined;
  const since = parseTime(current.lastUpdateTime);
  return since === undefined ? undefined : plus(since, seconds(deployment.spec?.progressDeadlineSeconds ?? 600));
}
