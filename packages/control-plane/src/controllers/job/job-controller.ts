// Runs the pods of a Job until enough have succeeded, or it is clear that they will not.
import { again, done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import { milliseconds } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { compareVersions, hasCondition, isStatus, objectKey } from '@kedge/model/k8s';
import { labelSelectorOf } from '@kedge/model/k8s-selectors';
import type { Job, JobStatus, Pod } from '@kedge/model/k8s-types';
import { createOwnedPods } from '../ownership/owned-pods.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { slowStart } from '../runtime/slow-start.ts';
import { writeStatus } from '../runtime/status-patch.ts';
import { planCounting, uidOf } from './job-counting.ts';
import { createJobOrphans } from './job-orphans.ts';
import { indexedPod, isManagedHere, isTracked, jobPod, releasePod, trackingFinalizer, untracked } from './job-pod.ts';
import { countedStatus, jobStatus } from './job-status.ts';
import { countsAsFailure, type Setbacks, type Tally, tallyJob } from './job-tally.ts';
import { deadlineOf, isFinished, type JobPlan, planJob } from './plan-job.ts';

const { jobs, pods } = collections;
const alwaysCounted = ['ready', 'terminating'];

/** What is known of a job that its status does not say. */
interface Memory {
  readonly uid: string | undefined;
  setbacks: Setbacks | undefined;
  /** The version of our last write of the status: until the copy has it, there is nothing new to decide from. */
  written: string | undefined;
  /** Uids of pods that were let go of, as long as the copy does not show it. */
  readonly released: Set<string>;
}

export function createJobController(deps: ControllerDeps): Module {
  const counting = createCounting(deps);
  const orphans = createJobOrphans(deps);
  return {
    name: 'job',
    async start(scope) {
      await Promise.all([counting.start(scope), orphans.start(scope)]);
    },
  };
}

function createCounting(deps: ControllerDeps): Module {
  const { api, cluster, clock } = deps;
  const events = deps.events('job-controller');
  const copy = cluster.of(jobs);
  const owned = createOwnedPods({
    api,
    cluster,
    of: jobs,
    selectorOf: ({ spec }: Job) => labelSelectorOf(spec?.selector),
    finalizer: trackingFinalizer,
  });
  const memories = new Map<string, Memory>();

  function memoryOf(key: string, { metadata }: Job): Memory {
    let memory = memories.get(key);
    if (memory?.uid !== metadata.uid || !memory)
      memories.set(key, (memory = { uid: metadata.uid, setbacks: undefined, written: undefined, released: new Set() }));
    return memory;
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const job = copy.get(key);
    if (!job || isFinished(job) || !isManagedHere(job)) {
      owned.own.forget(key);
      memories.delete(key);
      return done;
    }
    const memory = memoryOf(key, job);
    if (compareVersions(job.metadata.resourceVersion, memory.written) < 0) return done;
    const claimed = await owned.claim(key, job, signal);
    const seen = owned.present(key, job, claimed);
    forgetReleased(memory, seen);
    const before = asReleased(memory, seen);
    const tally = tallyJob({ job, pods: before, setbacks: memory.setbacks });
    const isLeaving = job.metadata.deletionTimestamp !== undefined;
    const plan: JobPlan = isLeaving ? { do: 'wait' } : planJob({ job, pods: before, tally, now: clock.now() });
    const failure = await carryOut(key, job, tally, plan, signal);

    // Whoever could not be told to stop is still at work, and the verdict has to wait.
    const verdict = plan.do === 'finish' && failure === undefined ? plan.verdict : undefined;
    const { counts, release, isAll } = planCounting({ job, pods: asReleased(memory, before), tally, verdict });
    const left = owned.present(key, job, claimed);
    const status = jobStatus({ job, pods: left, counts, verdict, now: clock.now() });
    await write(job, job, status, memory, signal);
    memory.setbacks = tally.setbacks;
    const stuck = await releaseAll(memory, release, signal);
    const stillTracked = new Set(asReleased(memory, before).filter(isTracked).map(uidOf));
    const final = countedStatus(status, stillTracked, isAll ? verdict : undefined, clock.now());
    await write(job, { ...job, status }, final, memory, signal);
    tell(job, final);
    if ((failure ?? stuck) !== undefined) throw failure ?? stuck;
    return nextLook({ ...job, status: final }, plan);
  }

  async function write(job: Job, stored: Job, status: JobStatus, memory: Memory, signal: AbortSignal): Promise<void> {
    const version = await writeStatus(api, jobs, { ...stored, metadata: job.metadata }, status, {
      keepZeros: alwaysCounted,
      signal,
    });
    if (version !== undefined) memory.written = version;
  }

  const asReleased = ({ released }: Memory, all: readonly Pod[]): Pod[] =>
    all.map((pod) => (released.has(uidOf(pod)) ? untracked(pod) : pod));

  function forgetReleased({ released }: Memory, seen: readonly Pod[]): void {
    const tracked = new Set(seen.filter(isTracked).map(uidOf));
    for (const uid of released) if (!tracked.has(uid)) released.delete(uid);
  }

  /** What went wrong is returned, because the status comes first. */
  async function releaseAll(memory: Memory, all: readonly Pod[], signal: AbortSignal): Promise<unknown> {
    const results = await Promise.allSettled(all.map((pod) => release(memory, pod, signal)));
    return results.find((result) => result.status === 'rejected')?.reason;
  }

  async function release(memory: Memory, pod: Pod, signal: AbortSignal): Promise<void> {
    await releasePod(api, pod, signal);
    memory.released.add(uidOf(pod));
  }

  /** What went wrong is returned, because the status comes first. */
  async function carryOut(key: string, job: Job, tally: Tally, plan: JobPlan, signal: AbortSignal): Promise<unknown> {
    if (plan.do === 'create') {
      const { error } = await slowStart(plan.count, (at) => {
        const index = plan.indexes?.[at];
        return createPod(key, job, index === undefined ? jobPod(job) : successor(job, index, tally), signal);
      });
      return error;
    }
    if (plan.do === 'wait') return undefined;
    // What a failed job takes down has failed; what is no longer needed has not, and is let go of before it is deleted.
    const isNeedless = plan.do === 'delete' || plan.verdict.type === 'Complete';
    const memory = memoryOf(key, job);
    const results = await Promise.allSettled(
      plan.delete.map(async (pod) => {
        if (isNeedless && isTracked(pod)) await release(memory, pod, signal);
        await deletePod(key, job, pod, signal);
      }),
    );
    return results.find((result) => result.status === 'rejected')?.reason;
  }

  function successor(job: Job, index: number, { awaited }: Tally): Pod {
    const pod = awaited.get(index);
    return indexedPod(job, index, pod && { pod, counts: countsAsFailure(job, pod) });
  }

  async function createPod(key: string, job: Job, pod: Pod, signal: AbortSignal): Promise<void> {
    try {
      const created = (await api.create(pods, job.metadata.namespace, pod, { signal })) as Pod;
      owned.own.created(key, created);
      events.normal(job, 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
    } catch (error) {
      events.warning(job, 'FailedCreate', `Error creating: ${explain(error)}`);
      throw error;
    }
  }

  async function deletePod(key: string, job: Job, pod: Pod, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid = '' } = pod.metadata;
    try {
      await api.delete(pods, { namespace, name }, { uid, signal });
      events.normal(job, 'SuccessfulDelete', `Deleted pod: ${name}`);
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) {
        events.warning(job, 'FailedDelete', `Error deleting: ${explain(error)}`);
        throw error;
      }
    }
    owned.own.deleted(key, pod);
  }

  function tell(job: Job, { conditions, succeeded = 0 }: JobStatus): void {
    const before = job.status?.conditions;
    const isNew = (type: string): boolean => hasCondition(conditions, type) && !hasCondition(before, type);
    const failed = conditions?.find(({ type }) => type === 'Failed');
    if (isNew('Complete')) {
      if (job.spec?.completions !== undefined && succeeded > job.spec.completions) {
        const message = 'Too many succeeded pods running after completion count reached';
        events.warning(job, 'TooManySucceededPods', message);
      }
      events.normal(job, 'Completed', 'Job completed');
    }
    if (isNew('Failed')) events.warning(job, failed?.reason ?? 'Failed', failed?.message ?? '');
    if (isNew('Suspended')) events.normal(job, 'Suspended', 'Job suspended');
    const wasSuspended = hasCondition(before, 'Suspended');
    if (wasSuspended && !hasCondition(conditions, 'Suspended')) events.normal(job, 'Resumed', 'Job resumed');
  }

  function nextLook(job: Job, plan: JobPlan): Next {
    // From here on it is the pods' turn: each that goes wakes us.
    if (plan.do === 'finish') return done;
    const deadline = deadlineOf(job);
    const untilDeadline = deadline === undefined ? Infinity : Math.max(0, deadline - clock.now());
    const pause = plan.do === 'wait' ? (plan.howLong ?? Infinity) : Infinity;
    if (Math.min(untilDeadline, pause) === Infinity) return done;
    return pause <= untilDeadline
      ? again(milliseconds(pause), 'pods failed, and the next ones wait')
      : again(milliseconds(untilDeadline), 'the job has a deadline');
  }

  return createController(deps, {
    name: 'job',
    reads: [copy, cluster.pods],
    watch: (queue) => [
      copy.listen({
        onPut: (job) => queue.enqueue(objectKey(job)),
        onDelete: (job) => queue.enqueue(objectKey(job)),
      }),
      owned.watch(queue),
    ],
    reconcile,
  });
}
