// Pods that a Job tracked and no Job counts any more: their Job is gone, has finished, or let them go. Without this their
// finalizer would keep them for ever.
import { done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { collections } from '@kedge/engine/kube-client';
import { objectKey } from '@kedge/model/k8s';
import type { Job, Pod } from '@kedge/model/k8s-types';
import { controllerKey, controllerOf } from '../ownership/controller-ref.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { isManagedHere, isTracked, releasePod } from './job-pod.ts';
import { isFinished } from './plan-job.ts';

export function createJobOrphans(deps: ControllerDeps): Module {
  const { api, cluster, log } = deps;
  const jobs = cluster.of(collections.jobs);

  function isStray(pod: Pod): boolean {
    if (!isTracked(pod)) return false;
    const job = jobs.get(controllerKey(pod, collections.jobs) ?? '');
    if (!job || job.metadata.uid !== controllerOf(pod)?.uid) return true;
    return isManagedHere(job) && isFinished(job);
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const pod = cluster.pods.get(key);
    if (!pod || !isStray(pod)) return done;
    await releasePod(api, pod, signal);
    log.debug('pod is no longer tracked by a job', { component: 'job-controller', pod: key });
    return done;
  }

  return createController(deps, {
    name: 'job-orphans',
    reads: [jobs, cluster.pods],
    watch: (queue) => {
      const look = (pod: Pod): void => {
        if (isStray(pod)) queue.enqueue(objectKey(pod));
      };
      const lookAtAll = ({ metadata }: Job): void => {
        for (const pod of cluster.podsByController.get(metadata.uid ?? '')) look(pod);
      };
      return [
        cluster.pods.listen({ onPut: look }),
        jobs.listen({ onPut: (job) => (isFinished(job) ? lookAtAll(job) : undefined), onDelete: lookAtAll }),
      ];
    },
    reconcile,
  });
}
