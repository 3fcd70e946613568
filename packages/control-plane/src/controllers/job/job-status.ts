// The status of a Job. Pure. It is written twice a pass: what was seen, and then, when pods are let go of, what is counted.
import { type Instant, toTime } from '@kedge/core/time';
import { findCondition, hasCondition, setCondition } from '@kedge/model/k8s';
import type { Job, JobCondition, JobStatus, Pod } from '@kedge/model/k8s-types';
import { isActive, isReady, isTerminal } from '../pods/pod-state.ts';
import { type Counts, settleCounts } from './job-counting.ts';
import type { Verdict } from './plan-job.ts';

export interface JobStatusFacts {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly counts: Counts;
  readonly verdict: Verdict | undefined;
  readonly now: Instant;
}

export function jobStatus({ job, pods, counts, verdict, now }: JobStatusFacts): JobStatus {
  const { spec, status, metadata } = job;
  const active = pods.filter(isActive);
  const announced = withAnnouncement(status?.conditions, verdict, now);
  const isOpen = verdict === undefined && metadata.deletionTimestamp === undefined;
  const conditions = isOpen ? withSuspension(job, announced, now) : announced;
  const isResumed = hasCondition(status?.conditions, 'Suspended') && !hasCondition(conditions, 'Suspended');
  const startTime = !spec?.suspend && (isResumed || !status?.startTime) ? toTime(now) : status?.startTime;
  return {
    ...(startTime === undefined ? {} : { startTime }),
    active: active.length,
    ready: active.filter(isReady).length,
    terminating: pods.filter((pod) => !isTerminal(pod) && !isActive(pod)).length,
    ...counts,
    ...(conditions.length > 0 ? { conditions: [...conditions] } : {}),
  };
}

/** The status once pods were let go of: final if the verdict is, everything is counted, and nobody is on the way out. */
export function countedStatus(
  status: JobStatus,
  stillTracked: ReadonlySet<string>,
  verdict: Verdict | undefined,
  now: Instant,
): JobStatus {
  const counted = { ...status, ...settleCounts(status, stillTracked) };
  const { succeeded = [], failed = [] } = counted.uncountedTerminatedPods ?? {};
  if (!verdict || succeeded.length + failed.length > 0 || (status.terminating ?? 0) > 0) return counted;
  const { type, reason, message } = verdict;
  const said = { type, status: 'True', reason, message, lastProbeTime: toTime(now) };
  return {
    ...counted,
    conditions: [...setCondition(status.conditions, said, now)],
    ...(type === 'Complete' ? { completionTime: toTime(now) } : {}),
  };
}

function withAnnouncement(
  before: readonly JobCondition[] | undefined,
  verdict: Verdict | undefined,
  now: Instant,
): readonly JobCondition[] {
  if (!verdict) return before ?? [];
  const type = verdict.type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
  if (hasCondition(before, type)) return before ?? [];
  const { reason, message } = verdict;
  return setCondition(before, { type, status: 'True', reason, message, lastProbeTime: toTime(now) }, now);
}

function withSuspension({ spec }: Job, conditions: readonly JobCondition[], now: Instant): readonly JobCondition[] {
  const isSuspended = spec?.suspend === true;
  const known = findCondition(conditions, 'Suspended');
  if (isSuspended === (known?.status === 'True')) return conditions;
  const said = isSuspended
    ? { status: 'True', reason: 'JobSuspended', message: 'Job suspended' }
    : { status: 'False', reason: 'JobResumed', message: 'Job resumed' };
  return setCondition(conditions, { type: 'Suspended', ...said, lastProbeTime: toTime(now) }, now);
}
