// Runs the pods of a Job until enough have succeeded, or it is clear that they will not.
import { again, done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import { milliseconds } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { compareVersions, hasCondition, isStatus, objectKey } from '@kedge/model/k8s';
import { labelSelectorOf } from '@kedge/model/k8s-selectors';
import type { Job, JobStatus, Pod } from '@kedge/model/k8s-types';
import { controllerKey, controllerOf } from '../ownership/controller-ref.ts';
import { createOwnedPods } from '../ownership/owned-pods.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { slowStart } from '../runtime/slow-start.ts';
import { writeStatus } from '../runtime/status-patch.ts';
import { indexedPod, jobPod } from './job-pod.ts';
import { jobStatus } from './job-status.ts';
import { JobTally } from './job-tally.ts';
import { deadlineOf, isFinished, type JobPlan, planJob } from './plan-job.ts';

const { jobs, pods } = collections;
const alwaysCounted = ['ready', 'terminating'];
const ourselves = 'kubernetes.io/job-controller';

export function createJobController(deps: ControllerDeps): Module {
  const { api, cluster, clock } = deps;
  const events = deps.events('job-controller');
  const copy = cluster.of(jobs);
  const owned = createOwnedPods({
    api,
    cluster,
    of: jobs,
    selectorOf: ({ spec }: Job) => labelSelectorOf(spec?.selector),
  });
  const tallies = new Map<string, JobTally>();
  /** Pods that went since the last pass, as they last were, by the uid of their job. */
  const departed = new Map<string, Pod[]>();
  /** The version of our last write of a status: until the copy has it, there is nothing new to decide from. */
  const written = new Map<string, string>();

  function forget(key: string): void {
    owned.own.forget(key);
    departed.delete(tallies.get(key)?.uid ?? '');
    tallies.delete(key);
    written.delete(key);
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const job = copy.get(key);
    if (!job || isFinished(job) || (job.spec?.managedBy ?? ourselves) !== ourselves) {
      forget(key);
      return done;
    }
    if (job.metadata.deletionTimestamp !== undefined) return done;
    if (compareVersions(job.metadata.resourceVersion, written.get(key)) < 0) return done;
    await owned.claim(key, job, signal);
    const tally = count(key, job);
    const plan = planJob({ job, pods: owned.present(key, job), tally, now: clock.now() });
    const failure = await carryOut(key, job, tally, plan, signal);
    count(key, job);
    const left = owned.present(key, job);
    const verdict = plan.do === 'finish' ? plan.verdict : undefined;
    const status = jobStatus({ job, pods: left, tally, verdict, now: clock.now() });
    const version = await writeStatus(api, jobs, job, status, { keepZeros: alwaysCounted, signal });
    if (version !== undefined) written.set(key, version);
    tell(job, status);
    if (failure !== undefined) throw failure;
    return nextLook({ ...job, status }, plan);
  }

  function count(key: string, job: Job): JobTally {
    const uid = job.metadata.uid ?? '';
    const present = owned.present(key, job);
    const gone = departed.get(uid) ?? [];
    departed.delete(uid);
    let tally = tallies.get(key);
    if (tally?.uid === uid) tally.count(job, present, gone, clock.now());
    else tallies.set(key, (tally = new JobTally(job, present, clock.now())));
    return tally;
  }

  /** What went wrong is returned, because the status comes first. */
  async function carryOut(
    key: string,
    job: Job,
    tally: JobTally,
    plan: JobPlan,
    signal: AbortSignal,
  ): Promise<unknown> {
    if (plan.do === 'create') {
      const { error } = await slowStart(plan.count, (at) => {
        const index = plan.indexes?.[at];
        const failures = index === undefined ? 0 : (tally.setbacksOf.get(index)?.inARow ?? 0);
        return createPod(key, job, index === undefined ? jobPod(job) : indexedPod(job, index, failures), signal);
      });
      return error;
    }
    if (plan.do === 'wait') return undefined;
    // What a failed job takes down has failed; what is no longer needed has not.
    const isNeedless = plan.do === 'delete' || plan.verdict.type === 'Complete';
    const results = await Promise.allSettled(
      plan.delete.map(async (pod) => {
        await deletePod(key, job, pod, signal);
        if (isNeedless) tally.settle(pod);
      }),
    );
    return results.find((result) => result.status === 'rejected')?.reason;
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

  function tell(job: Job, { conditions }: JobStatus): void {
    const before = job.status?.conditions;
    const isNew = (type: string): boolean => hasCondition(conditions, type) && !hasCondition(before, type);
    const failed = conditions?.find(({ type }) => type === 'Failed');
    if (isNew('Complete')) events.normal(job, 'Completed', 'Job completed');
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

  function noteDeparture(pod: Pod): void {
    const job = copy.get(controllerKey(pod, jobs) ?? '');
    const uid = controllerOf(pod)?.uid ?? '';
    if (!job || job.metadata.uid !== uid || isFinished(job)) return;
    const all = departed.get(uid);
    if (all) all.push(pod);
    else departed.set(uid, [pod]);
  }

  return createController(deps, {
    name: 'job',
    reads: [copy, cluster.pods],
    watch: (queue) => [
      copy.listen({
        onPut: (job) => queue.enqueue(objectKey(job)),
        onDelete: (job) => queue.enqueue(objectKey(job)),
      }),
      cluster.pods.listen({ onDelete: noteDeparture }),
      owned.watch(queue),
    ],
    reconcile,
  });
}
