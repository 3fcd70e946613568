// How often pods of a Job have succeeded and failed. Each pod counts once, by its uid, and what was counted stays so when
// the pod goes. The tally is kept in memory and the status shows it. After a restart it begins with whatever is more, the
// status or the pods that are there: that may be too little when pods ended and went meanwhile, but never too much.
import { type Instant, parseTime } from '@kedge/core/time';
import type { Job, Pod } from '@kedge/model/k8s-types';
import { isTerminal } from '../pods/pod-state.ts';
import { parseIndexes } from './job-indexes.ts';
import { failuresBefore, indexOf, isIndexed } from './job-pod.ts';
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
  /** Why a pod has failed the whole job. */
  readonly failJob: string | undefined;
}

export class JobTally implements Tally {
  readonly uid: string | undefined;
  succeeded: number;
  failed: number;
  readonly completed: Set<number>;
  readonly failedIndexes: Set<number>;
  setbacks: Setbacks | undefined;
  readonly setbacksOf = new Map<number, Setbacks>();
  failJob: string | undefined;
  /** Uids that have been counted, or never will be; of pods that are there. */
  #settled = new Set<string>();

  constructor(job: Job, present: readonly Pod[], now: Instant) {
    const limit = job.spec?.completions ?? 0;
    this.uid = job.metadata.uid;
    this.succeeded = 0;
    this.failed = 0;
    this.completed = parseIndexes(job.status?.completedIndexes, limit);
    this.failedIndexes = parseIndexes(job.status?.failedIndexes, limit);
    // Those that are leaving may have been told to by us.
    for (const pod of present) if (pod.metadata.deletionTimestamp && !isTerminal(pod)) this.settle(pod);
    this.count(job, present, [], now);
    this.succeeded = Math.max(this.succeeded, job.status?.succeeded ?? 0);
    this.failed = Math.max(this.failed, job.status?.failed ?? 0);
  }

  /** Takes in the pods that are there, and those that went since the last time, as they last were. */
  count(job: Job, present: readonly Pod[], departed: readonly Pod[], now: Instant): void {
    const ended = [
      ...present.filter((pod) => hasEnded(job, pod)).map((pod) => ({ pod, at: endOf(pod) ?? now })),
      ...departed.map((pod) => ({ pod, at: endOf(pod) ?? now })),
    ].filter(({ pod }) => !this.#settled.has(pod.metadata.uid ?? ''));
    for (const { pod, at } of ended.sort((a, b) => a.at - b.at)) {
      this.settle(pod);
      if (pod.status?.phase === 'Succeeded') this.#succeed(job, pod);
      else this.#fail(job, pod, at);
    }
    if (isIndexed(job)) this.succeeded = this.completed.size;
    const there = new Set(present.map(({ metadata }) => metadata.uid ?? ''));
    for (const uid of this.#settled) if (!there.has(uid)) this.#settled.delete(uid);
  }

  /** The pod is none of those that count: it is deleted because there is no need for it. */
  settle({ metadata }: Pod): void {
    this.#settled.add(metadata.uid ?? '');
  }

  #succeed(job: Job, pod: Pod): void {
    this.setbacks = undefined;
    const index = indexOf(job, pod);
    if (!isIndexed(job)) this.succeeded += 1;
    else if (index !== undefined) this.completed.add(index);
  }

  #fail(job: Job, pod: Pod, at: Instant): void {
    const failure = judgeFailure(job, pod);
    if (failure.action === 'Ignore') return;
    this.failed += 1;
    this.setbacks = { inARow: (this.setbacks?.inARow ?? 0) + 1, last: at };
    if (failure.action === 'FailJob') this.failJob ??= failure.message;
    const index = indexOf(job, pod);
    if (index === undefined || !isIndexed(job)) return;
    const before = Math.max(failuresBefore(pod), this.setbacksOf.get(index)?.inARow ?? 0);
    this.setbacksOf.set(index, { inARow: before + 1, last: at });
    const limit = job.spec?.backoffLimitPerIndex;
    if (limit === undefined) return;
    if ((failure.action === 'FailIndex' || before >= limit) && !this.completed.has(index))
      this.failedIndexes.add(index);
  }
}

/** A pod that is told to stop has failed, unless the job wants to see how it ends. */
const hasEnded = ({ spec }: Job, pod: Pod): boolean =>
  isTerminal(pod) || (pod.metadata.deletionTimestamp !== undefined && spec?.podReplacementPolicy !== 'Failed');

function endOf({ status }: Pod): Instant | undefined {
  const ends = (status?.containerStatuses ?? []).map(({ state }) => parseTime(state?.terminated?.finishedAt) ?? 0);
  const last = Math.max(0, ...ends);
  return last > 0 ? (last as Instant) : undefined;
}
