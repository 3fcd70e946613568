// Creates a Job whenever a CronJob's schedule says so, and keeps the last few.
import { again, done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import { type Instant, parseTime, toTime } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { compareVersions, isStatus, type KubeObject, objectKey } from '@kedge/model/k8s';
import type { CronJob, CronJobStatus, Job, ObjectReference } from '@kedge/model/k8s-types';
import { isFinished } from '../job/plan-job.ts';
import { controllerKey, controllerOf, controllerRef } from '../ownership/controller-ref.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { OwnWrites } from '../runtime/own-writes.ts';
import { writeStatus } from '../runtime/status-patch.ts';
import { parseSchedule, toZonedTime } from './cron-schedule.ts';
import { type CronPlan, hasSucceeded, planCronJob, planHistory } from './plan-cron-job.ts';

const { cronJobs, jobs } = collections;

export function createCronJobController(deps: ControllerDeps): Module {
  const { api, cluster, clock } = deps;
  const events = deps.events('cronjob-controller');
  const copy = cluster.of(cronJobs);
  const jobCopy = cluster.of(jobs);
  const jobsByNamespace = cluster.byNamespace(jobs);
  const own = new OwnWrites<Job>(jobCopy);
  /** The version of our last write of a status: until the copy has it, a time that was served would look due. */
  const written = new Map<string, string>();

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const cronJob = copy.get(key);
    if (!cronJob) {
      own.forget(key);
      written.delete(key);
      return done;
    }
    if (cronJob.metadata.deletionTimestamp !== undefined) return done;
    if (compareVersions(cronJob.metadata.resourceVersion, written.get(key)) < 0) return done;
    const owned = jobsOf(key, cronJob);
    for (const job of planHistory(cronJob, owned)) await deleteJob(key, cronJob, job, signal);
    tellOfJobs(cronJob, owned);
    const status = { ...cronJob.status, ...settled(cronJob, owned) };
    const schedule = parseSchedule(cronJob.spec?.schedule ?? '', cronJob.spec?.timeZone);
    if (!schedule) {
      const { schedule: text, timeZone } = cronJob.spec ?? {};
      events.warning(cronJob, 'UnparseableSchedule', `unparseable schedule: "${text}" in time zone "${timeZone}"`);
      await save(key, cronJob, status, signal);
      return done;
    }
    const active = owned.filter((job) => !isFinished(job));
    const plan = planCronJob(cronJob, active, schedule, clock.now());
    tell(cronJob, plan);
    if (plan.run !== undefined) {
      for (const job of plan.replace) await deleteJob(key, cronJob, job, signal);
      await createJob(key, cronJob, plan.run, signal);
    }
    const after = jobsOf(key, cronJob).filter((job) => !isFinished(job));
    const next: CronJobStatus = {
      ...status,
      active: after.map(referenceTo),
      ...(plan.run === undefined ? {} : { lastScheduleTime: toTime(plan.run) }),
    };
    await save(key, cronJob, next, signal);
    return plan.wait === undefined ? done : again(plan.wait, 'the schedule says when');
  }

  async function save(key: string, cronJob: CronJob, status: CronJobStatus, signal: AbortSignal): Promise<void> {
    const { active, ...rest } = status;
    const kept = active && active.length > 0 ? { ...rest, active } : rest;
    const version = await writeStatus(api, cronJobs, cronJob, kept, { signal });
    if (version !== undefined) written.set(key, version);
  }

  const jobsOf = (key: string, { metadata }: CronJob): Job[] =>
    own
      .view(
        key,
        [...jobsByNamespace.get(metadata.namespace ?? '')].filter((job) => controllerOf(job)?.uid === metadata.uid),
      )
      .filter((job) => job.metadata.deletionTimestamp === undefined);

  /** What has happened to the jobs that were active. */
  function settled({ status }: CronJob, owned: readonly Job[]): CronJobStatus {
    const ends = owned
      .filter(hasSucceeded)
      .map((job) => parseTime(job.status?.completionTime) ?? 0)
      .concat(parseTime(status?.lastSuccessfulTime) ?? 0);
    const last = Math.max(...ends);
    return last > 0 ? { lastSuccessfulTime: toTime(last as Instant) } : {};
  }

  /** What became of the jobs that the status calls active. */
  function tellOfJobs(cronJob: CronJob, owned: readonly Job[]): void {
    for (const { uid, name = '' } of cronJob.status?.active ?? []) {
      const job = owned.find(({ metadata }) => metadata.uid === uid);
      if (!job) events.normal(cronJob, 'MissingJob', `Active job went missing: ${name}`);
      else if (isFinished(job)) {
        const condition = hasSucceeded(job) ? 'Complete' : 'Failed';
        events.normal(cronJob, 'SawCompletedJob', `Saw completed job: ${name}, condition: ${condition}`);
      }
    }
  }

  function tell(cronJob: CronJob, { skipped, missed, run, late }: CronPlan): void {
    if (skipped === 'still running') {
      events.normal(
        cronJob,
        'JobAlreadyActive',
        'Not starting job because prior execution is running and concurrency policy is Forbid',
      );
    }
    if (late !== undefined) {
      const message = `Missed scheduled time to start a job: ${toTime(late)}`;
      events.warning(cronJob, 'MissSchedule', message);
    }
    if (missed === 'many' && run !== undefined) {
      const advice = 'Set or decrease .spec.startingDeadlineSeconds or check clock skew';
      events.warning(cronJob, 'TooManyMissedTimes', `too many missed start times. ${advice}`);
    }
  }

  async function createJob(key: string, cronJob: CronJob, at: Instant, signal: AbortSignal): Promise<void> {
    const { name, namespace } = cronJob.metadata;
    const { metadata = {}, spec } = cronJob.spec?.jobTemplate ?? {};
    const annotations = {
      ...metadata.annotations,
      'batch.kubernetes.io/cronjob-scheduled-timestamp': toZonedTime(at, cronJob.spec?.timeZone),
    };
    const job: KubeObject = {
      apiVersion: jobs.apiVersion,
      kind: jobs.kind,
      metadata: {
        // One time, one name: it cannot be started twice.
        name: `${name}-${Math.floor(at / 60_000)}`,
        ...(metadata.labels ? { labels: metadata.labels } : {}),
        annotations,
        ownerReferences: [controllerRef(cronJobs, cronJob)],
      },
      spec,
    };
    try {
      own.created(key, (await api.create(jobs, namespace, job, { signal })) as Job);
      events.normal(cronJob, 'SuccessfulCreate', `Created job ${job.metadata.name}`);
    } catch (error) {
      if (isStatus(error, 'AlreadyExists')) return;
      events.warning(cronJob, 'FailedCreate', `Error creating job: ${explain(error)}`);
      throw error;
    }
  }

  async function deleteJob(key: string, cronJob: CronJob, job: Job, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid = '' } = job.metadata;
    try {
      await api.delete(jobs, { namespace, name }, { uid, propagationPolicy: 'Background', signal });
      events.normal(cronJob, 'SuccessfulDelete', `Deleted job ${name}`);
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) {
        events.warning(cronJob, 'FailedDelete', `Deleted job: ${explain(error)}`);
        throw error;
      }
    }
    own.deleted(key, job);
  }

  return createController(deps, {
    name: 'cronjob',
    reads: [copy, jobCopy],
    watch: (queue) => {
      const wake = (job: Job) => {
        const key = controllerKey(job, cronJobs);
        if (key) queue.enqueue(key);
      };
      return [
        copy.listen({
          onPut: (cronJob) => queue.enqueue(objectKey(cronJob)),
          onDelete: (cronJob) => queue.enqueue(objectKey(cronJob)),
        }),
        jobCopy.listen({ onPut: wake, onDelete: wake }),
      ];
    },
    reconcile,
  });
}

const referenceTo = ({ metadata }: Job): ObjectReference => ({
  apiVersion: jobs.apiVersion,
  kind: jobs.kind,
  name: metadata.name ?? '',
  namespace: metadata.namespace ?? '',
  uid: metadata.uid ?? '',
  ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
});
