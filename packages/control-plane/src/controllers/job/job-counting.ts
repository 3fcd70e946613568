// Counting pods that have ended, exactly once. Pure. First their uids are written into the status, then their finalizer
// goes, then the numbers grow and the uids leave the status: wherever that is interrupted, the next pass goes on.
import type { Job, JobStatus, Pod } from '@kedge/model/k8s-types';
import { formatIndexes, parseIndexes } from './job-indexes.ts';
import { indexOf, isIndexed, isTracked } from './job-pod.ts';
import { countsAsFailure, hasFailed, type Tally } from './job-tally.ts';
import type { Verdict } from './plan-job.ts';

/** So that no status grows beyond measure; the next pass goes on. */
const maxUncounted = 500;

export type Counts = Pick<
  JobStatus,
  'completedIndexes' | 'failed' | 'failedIndexes' | 'succeeded' | 'uncountedTerminatedPods'
>;

export interface Counting {
  /** To be written before any finalizer goes. */
  readonly counts: Counts;
  /** Pods that may go then. */
  readonly release: readonly Pod[];
  /** False when there are more than one pass counts. */
  readonly isAll: boolean;
}

export interface CountingFacts {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly tally: Tally;
  readonly verdict: Verdict | undefined;
}

export function planCounting({ job, pods, tally, verdict }: CountingFacts): Counting {
  const indexed = isIndexed(job);
  const tracked = pods.filter(isTracked);
  const settled = settleCounts(job.status ?? {}, new Set(tracked.map(uidOf)));
  const succeeded = new Set(settled.uncountedTerminatedPods?.succeeded);
  const failed = new Set(settled.uncountedTerminatedPods?.failed);
  const known = parseIndexes(job.status?.completedIndexes, job.spec?.completions ?? 0);
  const release: Pod[] = [];
  let indexes = 0;
  let isAll = true;
  for (const pod of indexed ? tracked.toSorted(byIndex(job)) : tracked) {
    if (!mayGo(job, pod, tally, verdict)) continue;
    release.push(pod);
    const uid = uidOf(pod);
    const index = indexOf(job, pod);
    if (pod.status?.phase === 'Succeeded' && !failed.has(uid)) {
      // The index itself tells that it was counted.
      if (!indexed) succeeded.add(uid);
      else if (index !== undefined && !known.has(index)) indexes += 1;
    } else if (hasFailed(job, pod) || verdict?.type === 'Failed') {
      if ((!indexed || index !== undefined) && countsAsFailure(job, pod)) failed.add(uid);
    }
    if (indexes + succeeded.size + failed.size >= maxUncounted) {
      isAll = false;
      break;
    }
  }
  const { completed, failedIndexes } = tally;
  return {
    counts: {
      ...settled,
      ...(indexed ? { succeeded: completed.size } : {}),
      ...(indexed && completed.size > 0 ? { completedIndexes: formatIndexes(completed) } : {}),
      ...(job.spec?.backoffLimitPerIndex === undefined ? {} : { failedIndexes: formatIndexes(failedIndexes) }),
      uncountedTerminatedPods: uncounted([...succeeded], [...failed]),
    },
    release,
    isAll,
  };
}

/** Pods that are no longer tracked move from the uids to the numbers. */
export function settleCounts({ succeeded = 0, failed = 0, ...rest }: Counts, tracked: ReadonlySet<string>): Counts {
  const { succeeded: succeededUids = [], failed: failedUids = [] } = rest.uncountedTerminatedPods ?? {};
  const [stillSucceeded, stillFailed] = [succeededUids, failedUids].map((uids) =>
    uids.filter((uid) => tracked.has(uid)),
  ) as [string[], string[]];
  return {
    ...(rest.completedIndexes === undefined ? {} : { completedIndexes: rest.completedIndexes }),
    ...(rest.failedIndexes === undefined ? {} : { failedIndexes: rest.failedIndexes }),
    succeeded: succeeded + succeededUids.length - stillSucceeded.length,
    failed: failed + failedUids.length - stillFailed.length,
    uncountedTerminatedPods: uncounted(stillSucceeded, stillFailed),
  };
}

export const uidOf = ({ metadata }: Pod): string => metadata.uid ?? '';

const uncounted = (succeeded: string[], failed: string[]): NonNullable<JobStatus['uncountedTerminatedPods']> => ({
  ...(succeeded.length > 0 ? { succeeded } : {}),
  ...(failed.length > 0 ? { failed } : {}),
});

/** Nothing is left to learn from the pod. */
function mayGo(job: Job, pod: Pod, { awaited }: Tally, verdict: Verdict | undefined): boolean {
  if (job.metadata.deletionTimestamp !== undefined || verdict || pod.status?.phase === 'Succeeded') return true;
  if (!hasFailed(job, pod)) return false;
  return awaited.get(indexOf(job, pod) ?? -1) !== pod;
}

const byIndex =
  (job: Job) =>
  (a: Pod, b: Pod): number =>
    (indexOf(job, a) ?? -1) - (indexOf(job, b) ?? -1);
