// The status of a Job. Pure.
import { type Instant, toTime } from '@kedge/core/time';
import { hasCondition, setCondition } from '@kedge/model/k8s';
import type { Job, JobCondition, JobStatus, Pod } from '@kedge/model/k8s-types';
import { isActive, isReady, isTerminal } from '../pods/pod-state.ts';
import { formatIndexes } from './job-indexes.ts';
import { isIndexed } from './job-pod.ts';
import type { Tally } from './job-tally.ts';
import type { Verdict } from './plan-job.ts';

export interface JobStatusFacts {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly tally: Tally;
  readonly verdict: Verdict | undefined;
  readonly now: Instant;
}

export function jobStatus({ job, pods, tally, verdict, now }: JobStatusFacts): JobStatus {
  const { spec, status } = job;
  const active = pods.filter(isActive);
  const terminating = pods.filter((pod) => !isTerminal(pod) && !isActive(pod)).length;
  const conditions = suspension(job, withVerdict(status?.conditions, verdict, active.length + terminating, now), now);
  const isDone = hasCondition(conditions, 'Complete');
  const wasSuspended = hasCondition(status?.conditions, 'Suspended');
  const startTime = !spec?.suspend && (wasSuspended || !status?.startTime) ? toTime(now) : status?.startTime;
  return {
    ...(startTime === undefined ? {} : { startTime }),
    ...(isDone ? { completionTime: status?.completionTime ?? toTime(now) } : {}),
    active: active.length,
    ready: active.filter(isReady).length,
    terminating,
    succeeded: tally.succeeded,
    failed: tally.failed,
    ...(isIndexed(job) && tally.completed.size > 0 ? { completedIndexes: formatIndexes(tally.completed) } : {}),
    ...(spec?.backoffLimitPerIndex === undefined ? {} : { failedIndexes: formatIndexes(tally.failedIndexes) }),
    ...(conditions.length > 0 ? { conditions: [...conditions] } : {}),
    // Nothing is ever counted in two steps here, but clients look for it.
    uncountedTerminatedPods: {},
  };
}

/** The verdict is announced at once and final when the last pod is gone. */
function withVerdict(
  before: readonly JobCondition[] | undefined,
  verdict: Verdict | undefined,
  left: number,
  now: Instant,
): readonly JobCondition[] {
  if (!verdict) return before ?? [];
  const { type, reason, message } = verdict;
  const said = { status: 'True', reason, message, lastProbeTime: toTime(now) };
  const announced = setCondition(
    before,
    { type: type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget', ...said },
    now,
  );
  return left > 0 ? announced : setCondition(announced, { type, ...said }, now);
}

function suspension({ spec }: Job, conditions: readonly JobCondition[], now: Instant): readonly JobCondition[] {
  const isKnown = conditions.some(({ type }) => type === 'Suspended');
  if (spec?.suspend === hasCondition(conditions, 'Suspended') || (!spec?.suspend && !isKnown)) return conditions;
  const said = spec?.suspend
    ? { status: 'True', reason: 'JobSuspended', message: 'Job suspended' }
    : { status: 'False', reason: 'JobResumed', message: 'Job resumed' };
  return setCondition(conditions, { type: 'Suspended', ...said, lastProbeTime: toTime(now) }, now);
}
