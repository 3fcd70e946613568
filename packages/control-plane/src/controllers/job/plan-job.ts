// What a Job does now: finish, wait, or have more or fewer pods. Pure.
import { type Duration, type Instant, milliseconds, parseTime, seconds } from '@kedge/core/time';
import { findCondition, hasCondition } from '@kedge/model/k8s';
import type { Job, Pod, SuccessPolicyRule } from '@kedge/model/k8s-types';
import { isActive, isTerminal } from '../pods/pod-state.ts';
import { rankForDeletion } from '../pods/rank-pods.ts';
import { parseIndexes } from './job-indexes.ts';
import { indexOf, isIndexed } from './job-pod.ts';
import type { Setbacks, Tally } from './job-tally.ts';

export interface JobFacts {
  readonly job: Job;
  /** All of its pods that are there. */
  readonly pods: readonly Pod[];
  readonly tally: Tally;
  readonly now: Instant;
}

export interface Verdict {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

export type JobPlan =
  /** The verdict stands as soon as no pod is left. */
  | { readonly do: 'finish'; readonly verdict: Verdict; readonly delete: readonly Pod[] }
  | { readonly do: 'delete'; readonly delete: readonly Pod[] }
  /** Pods without an index, or one for each of these. */
  | { readonly do: 'create'; readonly count: number; readonly indexes?: readonly number[] }
  | { readonly do: 'wait'; readonly howLong?: Duration };

/** No pass creates or deletes more than this; the next pass goes on. */
const burst = 500;
const firstBackoff = seconds(10);
const maxBackoff = seconds(600);

export const isFinished = ({ status }: Job): boolean =>
  hasCondition(status?.conditions, 'Complete') || hasCondition(status?.conditions, 'Failed');

export function planJob(facts: JobFacts): JobPlan {
  const { job, pods } = facts;
  const active = pods.filter(isActive);
  const verdict = verdictOn(facts, active);
  if (verdict) return { do: 'finish', verdict, delete: active };
  if (job.spec?.suspend) return active.length > 0 ? { do: 'delete', delete: active } : { do: 'wait' };
  const surplus = surplusPods(facts, active);
  if (surplus.length > 0) return { do: 'delete', delete: surplus.slice(0, burst) };
  // Whoever waits to see how pods end does not replace those that are still at it.
  const leaving = pods.filter((pod) => !isTerminal(pod) && pod.metadata.deletionTimestamp !== undefined);
  const occupied = job.spec?.podReplacementPolicy === 'Failed' ? [...active, ...leaving] : active;
  const missing = Math.min(wantedActive(facts, active.length) - occupied.length, burst);
  if (missing <= 0) return { do: 'wait' };
  return isIndexed(job) ? planIndexes(facts, occupied, missing) : planUnindexed(facts, missing);
}

function planUnindexed({ tally, now }: JobFacts, missing: number): JobPlan {
  const pause = pauseAfter(tally.setbacks, now);
  return pause > 0 ? { do: 'wait', howLong: pause } : { do: 'create', count: missing };
}

function planIndexes({ job, tally, now }: JobFacts, occupied: readonly Pod[], missing: number): JobPlan {
  const taken = new Set(occupied.map((pod) => indexOf(job, pod)));
  const perIndex = job.spec?.backoffLimitPerIndex !== undefined;
  const indexes: number[] = [];
  let shortest: Duration | undefined;
  for (let index = 0; index < (job.spec?.completions ?? 0) && indexes.length < missing; index++) {
    if (taken.has(index) || tally.completed.has(index) || tally.failedIndexes.has(index)) continue;
    const pause = pauseAfter(perIndex ? tally.setbacksOf.get(index) : tally.setbacks, now);
    if (pause <= 0) indexes.push(index);
    else if (shortest === undefined || pause < shortest) shortest = pause;
  }
  if (indexes.length > 0) return { do: 'create', count: indexes.length, indexes };
  return { do: 'wait', ...(shortest === undefined ? {} : { howLong: shortest }) };
}

/** How much is left of the pause after failures. */
function pauseAfter(setbacks: Setbacks | undefined, now: Instant): Duration {
  if (!setbacks) return milliseconds(0);
  const whole = Math.min(maxBackoff, firstBackoff * 2 ** Math.min(setbacks.inARow - 1, 16));
  return milliseconds(Math.max(0, setbacks.last + whole - now));
}

function wantedActive({ job: { spec }, tally }: JobFacts, active: number): number {
  const parallelism = spec?.parallelism ?? 1;
  // A queue that one pod has seen the end of needs no more workers.
  if (spec?.completions === undefined) return tally.succeeded > 0 ? Math.min(active, parallelism) : parallelism;
  return Math.max(0, Math.min(parallelism, spec.completions - tally.succeeded));
}

/** Pods beyond the parallelism, and of an indexed job those whose index is not theirs to work on. */
function surplusPods(facts: JobFacts, active: readonly Pod[]): Pod[] {
  const { job, tally, now } = facts;
  const ranked = rankForDeletion(active, { now, neighbours: () => 0 });
  const stray = new Set<Pod>();
  if (isIndexed(job)) {
    const taken = new Set<number>();
    for (const pod of ranked.toReversed()) {
      const index = indexOf(job, pod);
      const isTaken = index === undefined || taken.has(index) || tally.completed.has(index);
      if (isTaken || tally.failedIndexes.has(index)) stray.add(pod);
      else taken.add(index);
    }
  }
  const surplus = active.length - stray.size - wantedActive(facts, active.length);
  return [...stray, ...ranked.filter((pod) => !stray.has(pod)).slice(0, Math.max(0, surplus))];
}

/** When the job is active for too long from now on; undefined when it may take its time. */
export function deadlineOf({ spec, status }: Job): Instant | undefined {
  const started = parseTime(status?.startTime);
  if (spec?.activeDeadlineSeconds === undefined || spec.suspend || started === undefined) return undefined;
  return (started + seconds(spec.activeDeadlineSeconds)) as Instant;
}

function verdictOn(facts: JobFacts, active: readonly Pod[]): Verdict | undefined {
  const { job, tally, now } = facts;
  const { spec, status } = job;
  const spoken = findCondition(status?.conditions, 'FailureTarget');
  const failed = (reason: string, message: string): Verdict => ({ type: 'Failed', reason, message });
  if (spoken?.status === 'True') return failed(spoken.reason ?? '', spoken.message ?? '');
  if (tally.failJob !== undefined) return failed('PodFailurePolicy', tally.failJob);
  const limit = spec?.backoffLimit ?? 6;
  if (tally.failed > limit || restartsExceed(job, active, limit))
    return failed('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  if ((deadlineOf(job) ?? Infinity) <= now)
    return failed('DeadlineExceeded', 'Job was active longer than specified deadline');
  const isOver = spec?.completions !== undefined && tally.succeeded + tally.failedIndexes.size >= spec.completions;
  if (spec?.maxFailedIndexes !== undefined && tally.failedIndexes.size > spec.maxFailedIndexes)
    return failed('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
  if (isOver && tally.failedIndexes.size > 0) return failed('FailedIndexes', 'Job has failed indexes');
  return successOf(facts, active, isOver);
}

function successOf({ job, tally }: JobFacts, active: readonly Pod[], isOver: boolean): Verdict | undefined {
  const { spec, status } = job;
  const complete = (reason: string, message: string): Verdict => ({ type: 'Complete', reason, message });
  const spoken = findCondition(status?.conditions, 'SuccessCriteriaMet');
  if (spoken?.status === 'True') return complete(spoken.reason ?? '', spoken.message ?? '');
  const rule = (spec?.successPolicy?.rules ?? []).findIndex((one) => isMet(one, job, tally));
  if (rule >= 0) return complete('SuccessPolicy', `Matched rules at index ${rule}`);
  const isDrained = spec?.completions === undefined && tally.succeeded > 0 && active.length === 0;
  if (!isOver && !isDrained) return undefined;
  return complete('CompletionsReached', 'Reached expected number of succeeded pods');
}

function isMet({ succeededCount, succeededIndexes }: SuccessPolicyRule, { spec }: Job, { completed }: Tally): boolean {
  if (succeededIndexes === undefined) return succeededCount !== undefined && completed.size >= succeededCount;
  const named = parseIndexes(succeededIndexes, spec?.completions ?? 0);
  const met = [...named].filter((index) => completed.has(index)).length;
  return met >= (succeededCount ?? named.size);
}

/** Pods that restart their containers themselves count by their restarts. */
function restartsExceed({ spec }: Job, active: readonly Pod[], limit: number): boolean {
  if (spec?.template.spec?.restartPolicy !== 'OnFailure') return false;
  const statuses = active.flatMap(({ status }) => [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []),
  ]);
  const restarts = statuses.reduce((sum, { restartCount }) => sum + restartCount, 0);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}
