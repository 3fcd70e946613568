// What a CronJob does at a moment. Pure.
import { type Duration, type Instant, milliseconds, minus, parseTime, seconds } from '@kedge/core/time';
import type { CronJob, Job } from '@kedge/model/k8s-types';
import { isFinished } from '../job/plan-job.ts';
import { type CronSchedule, dueTimes } from './cron-schedule.ts';

export interface CronPlan {
  /** The time that is due, and gets a job. */
  readonly run: Instant | undefined;
  /** Jobs that have to go before. */
  readonly replace: readonly Job[];
  /** Why a due time gets none. */
  readonly skipped: 'suspended' | 'too late' | 'still running' | undefined;
  /** The time that was due, and is too late. */
  readonly late: Instant | undefined;
  readonly missed: number | 'many';
  /** Until the next time. */
  readonly wait: Duration | undefined;
}

export function planCronJob(cronJob: CronJob, active: readonly Job[], schedule: CronSchedule, now: Instant): CronPlan {
  const { spec, status, metadata } = cronJob;
  const next = schedule.next(now);
  const wait = next === undefined ? undefined : milliseconds(Math.max(1, next - now));
  const idle = { run: undefined, replace: [], missed: 0, skipped: undefined, late: undefined, wait };
  if (spec?.suspend) return { ...idle, skipped: 'suspended', wait: undefined };
  const last = parseTime(status?.lastScheduleTime) ?? parseTime(metadata.creationTimestamp) ?? now;
  const deadline = spec?.startingDeadlineSeconds;
  const oldest = deadline === undefined ? last : minus(now, seconds(deadline));
  const due = dueTimes(schedule, oldest > last ? minus(oldest, milliseconds(1)) : last, now);
  const { missed } = due;
  if (due.latest === undefined) {
    const late = oldest > last ? dueTimes(schedule, last, now).latest : undefined;
    return late === undefined ? idle : { ...idle, late, skipped: 'too late' };
  }
  const policy = spec?.concurrencyPolicy;
  if (policy === 'Forbid' && active.length > 0) return { ...idle, skipped: 'still running', missed };
  return { ...idle, run: due.latest, replace: policy === 'Replace' ? active : [], missed };
}

/** Finished jobs beyond what is to be kept of each sort, oldest first. */
export function planHistory({ spec }: CronJob, jobs: readonly Job[]): Job[] {
  const finished = jobs.filter(isFinished).toSorted((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
  const succeeded = finished.filter(hasSucceeded);
  const failed = finished.filter((job) => !hasSucceeded(job));
  const surplus = (of: readonly Job[], limit: number | undefined): Job[] =>
    limit === undefined ? [] : of.slice(0, Math.max(0, of.length - limit));
  return [...surplus(succeeded, spec?.successfulJobsHistoryLimit), ...surplus(failed, spec?.failedJobsHistoryLimit)];
}

export const hasSucceeded = ({ status }: Job): boolean =>
  status?.conditions?.some((condition) => condition.type === 'Complete' && condition.status === 'True') ?? false;

const startOf = ({ metadata, status }: Job): string => status?.startTime ?? metadata.creationTimestamp ?? '';
