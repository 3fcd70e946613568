// How often pods of a Job have succeeded and failed. Pure. The numbers of the status count pods that are done with; pods
// that still carry the Job's finalizer come on top, so that none is counted twice or missed, whoever restarts when.
import { type Instant, parseTime } from '@kedge/core/time';
import type { Job, Pod } from '@kedge/model/k8s-types';
import { isActive, isReadyCondition } from '../pods/pod-state.ts';
import { parseIndexes } from './job-indexes.ts';
import { failuresBefore, indexOf, isIndexed, isTracked } from './job-pod.ts';
import { judgeFailure } from './pod-failure-policy.ts';

/** Failures without a success in between, and when the last was. */
export interface Setbacks {
  readonly inARow: number;
  readonly last: Instant;
}

/** What decisions are made from. */
export interface Tally {
  readonly succeeded: number;
  readonly failed: number;
  readonly completed: ReadonlySet<number>;
  readonly failedIndexes: ReadonlySet<number>;
  readonly setbacks: Setbacks | undefined;
  readonly setbacksOf: ReadonlyMap<number, Setbacks>;
  /** Of each index that is to be tried again, the pod whose failures its successor inherits. */
  readonly awaited: ReadonlyMap<number, Pod>;
  /** Why a pod has failed the whole job. */
  readonly failJob: string | undefined;
}

export interface TallyFacts {
  readonly job: Job;
  /** All of its pods that are there. */
  readonly pods: readonly Pod[];
  /** As they were before; kept in memory only, because they cost nothing but patience. */
  readonly setbacks: Setbacks | undefined;
}

export function tallyJob({ job, pods, setbacks }: TallyFacts): Tally {
  const { spec, status } = job;
  const limit = spec?.completions ?? 0;
  const { succeeded: uncountedSucceeded = [], failed: uncountedFailed = [] } = status?.uncountedTerminatedPods ?? {};
  const tracked = pods.filter((pod) => isTracked(pod) && (!isIndexed(job) || indexOf(job, pod) !== undefined));
  const isIn = (uids: readonly string[], { metadata }: Pod): boolean => uids.includes(metadata.uid ?? '');
  const succeeded = tracked.filter(
    (pod) => pod.status?.phase === 'Succeeded' && !isIn(uncountedSucceeded, pod) && !isIn(uncountedFailed, pod),
  );
  const failed = tracked.filter((pod) => hasFailed(job, pod) && !isIn(uncountedFailed, pod));
  const completed = parseIndexes(status?.completedIndexes, limit);
  for (const pod of isIndexed(job) ? succeeded : []) completed.add(indexOf(job, pod)!);
  const failedIndexes = parseIndexes(status?.failedIndexes, limit);
  for (const pod of tracked) {
    const index = indexOf(job, pod);
    if (index !== undefined && !completed.has(index) && failsIndex(job, pod)) failedIndexes.add(index);
  }
  const awaited = awaitedPods(job, tracked, pods, new Set([...completed, ...failedIndexes]));
  return {
    succeeded: isIndexed(job)
      ? completed.size
      : (status?.succeeded ?? 0) + uncountedSucceeded.length + succeeded.length,
    failed: (status?.failed ?? 0) + uncountedFailed.length + failed.filter((pod) => countsAsFailure(job, pod)).length,
    completed,
    failedIndexes,
    setbacks: setbacksAfter(setbacks, succeeded.map(endOf), failed.map(endOf)),
    setbacksOf: new Map(
      [...awaited].map(([index, pod]) => [index, { inARow: allFailuresBefore(pod) + 1, last: endOf(pod) }]),
    ),
    awaited,
    failJob: pods.map((pod) => failJobMessage(job, pod)).find((message) => message !== undefined),
  };
}

/** A pod that is told to stop has failed, unless the job wants to see how it ends. */
export const hasFailed = ({ spec }: Job, pod: Pod): boolean => {
  if (pod.status?.phase === 'Failed') return true;
  if (spec?.podReplacementPolicy === 'Failed' || spec?.podFailurePolicy !== undefined) return false;
  return pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded';
};

/** Not one that the failure policy ignores. */
export const countsAsFailure = (job: Job, pod: Pod): boolean => judgeFailure(job, pod).action !== 'Ignore';

function failJobMessage(job: Job, pod: Pod): string | undefined {
  if (job.spec?.podFailurePolicy === undefined || !hasFailed(job, pod)) return undefined;
  const judged = judgeFailure(job, pod);
  return judged.action === 'FailJob' ? judged.message : undefined;
}

function failsIndex(job: Job, pod: Pod): boolean {
  const limit = job.spec?.backoffLimitPerIndex;
  if (limit === undefined || !hasFailed(job, pod)) return false;
  const { action } = judgeFailure(job, pod);
  return action === 'FailIndex' || (action !== 'Ignore' && failuresBefore(pod).counted >= limit);
}

const allFailuresBefore = (pod: Pod): number => failuresBefore(pod).counted + failuresBefore(pod).ignored;

/** With limits per index, the pod that failed last stays until its successor carries the number of failures on. */
function awaitedPods(
  job: Job,
  tracked: readonly Pod[],
  pods: readonly Pod[],
  settled: ReadonlySet<number>,
): ReadonlyMap<number, Pod> {
  const awaited = new Map<number, Pod>();
  if (job.spec?.backoffLimitPerIndex === undefined) return awaited;
  const busy = new Set(pods.filter(isActive).map((pod) => indexOf(job, pod)));
  for (const pod of tracked) {
    const index = indexOf(job, pod);
    if (index === undefined || !hasFailed(job, pod) || settled.has(index) || busy.has(index)) continue;
    const known = awaited.get(index);
    if (!known || (allFailuresBefore(known) <= allFailuresBefore(pod) && endOf(known) <= endOf(pod)))
      awaited.set(index, pod);
  }
  return awaited;
}

function setbacksAfter(
  before: Setbacks | undefined,
  succeeded: readonly Instant[],
  failed: readonly Instant[],
): Setbacks | undefined {
  const lastSuccess = succeeded.length > 0 ? Math.max(...succeeded) : undefined;
  const since = lastSuccess === undefined ? failed : failed.filter((at) => at > lastSuccess);
  const kept = lastSuccess === undefined ? before : undefined;
  if (since.length === 0) return kept;
  return {
    inARow: (kept?.inARow ?? 0) + since.length,
    last: Math.max(kept?.last ?? 0, ...since) as Instant,
  };
}

/** When the pod ended: what its containers say, else when it stopped to be ready, was told to stop, or was made. */
function endOf({ metadata, status }: Pod): Instant {
  const ends = (status?.containerStatuses ?? []).map(({ state }) => parseTime(state?.terminated?.finishedAt));
  if (ends.length > 0 && ends.every((end) => end !== undefined)) return Math.max(...ends) as Instant;
  const ready = status?.conditions?.find(isReadyCondition);
  const unready = ready?.status === 'False' ? parseTime(ready.lastTransitionTime) : undefined;
  const grace = (metadata.deletionGracePeriodSeconds ?? 0) * 1_000;
  const stopped = parseTime(metadata.deletionTimestamp);
  return (unready ??
    (stopped === undefined ? undefined : stopped - grace) ??
    parseTime(metadata.creationTimestamp) ??
    0) as Instant;
}
