// Deletes Jobs some time after they have finished, if they say when.
import { again, done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { type Duration, type Instant, milliseconds, parseTime, seconds } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { isStatus, objectKey } from '@kedge/model/k8s';
import type { Job } from '@kedge/model/k8s-types';
import { type ControllerDeps, createController } from '../runtime/controller.ts';

const { jobs } = collections;

/** How long the job stays; undefined when it has not finished or stays for good. */
export function timeLeft({ spec, status }: Job, now: Instant): Duration | undefined {
  const end = status?.conditions?.find(
    (condition) => (condition.type === 'Complete' || condition.type === 'Failed') && condition.status === 'True',
  );
  const ended = parseTime(end?.lastTransitionTime);
  if (spec?.ttlSecondsAfterFinished === undefined || ended === undefined) return undefined;
  return milliseconds(ended + seconds(spec.ttlSecondsAfterFinished) - now);
}

export function createTtlAfterFinished(deps: ControllerDeps): Module {
  const { api, cluster, clock, log } = deps;
  const copy = cluster.of(jobs);

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const seen = copy.get(key);
    const left = seen && timeLeft(seen, clock.now());
    if (!seen || seen.metadata.deletionTimestamp !== undefined || left === undefined) return done;
    if (left > 0) return again(left, 'the job is kept for a while');
    const { namespace, name = '', uid = '' } = seen.metadata;
    try {
      // Somebody may just have given it more time.
      const fresh = (await api.get(jobs, { namespace, name }, { signal })) as Job;
      const leftNow = timeLeft(fresh, clock.now());
      if (leftNow === undefined || leftNow > 0) return done;
      await api.delete(jobs, { namespace, name }, { uid, propagationPolicy: 'Foreground', signal });
      log.info('finished job deleted, its time is over', { component: 'ttl-after-finished', key });
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
    return done;
  }

  return createController(deps, {
    name: 'ttl-after-finished',
    reads: [copy],
    watch: (queue) => [copy.listen({ onPut: (job) => queue.enqueue(objectKey(job)) })],
    reconcile,
  });
}
