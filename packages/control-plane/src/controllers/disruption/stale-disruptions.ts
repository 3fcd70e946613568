// Takes back what was said of pods that were to be disrupted and are still there: an eviction that came to nothing must
// not count as one when the pod fails for a reason of its own, later.
import { again, done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { type Duration, type Instant, milliseconds, minutes, parseTime, toTime } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { findCondition, isStatus, objectKey } from '@kedge/model/k8s';
import type { Pod } from '@kedge/model/k8s-types';
import { isActive } from '../pods/pod-state.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';

const type = 'DisruptionTarget';
const patience = minutes(2);

/** How long the condition may still stand; undefined when it is not stale, or not one to be taken back. */
export function staleIn(pod: Pod, now: Instant): Duration | undefined {
  const condition = findCondition(pod.status?.conditions, type);
  // A kubelet may take its time between saying so and ending the pod.
  if (condition?.status !== 'True' || condition.reason === 'TerminationByKubelet' || !isActive(pod)) return undefined;
  const since = parseTime(condition.lastTransitionTime) ?? now;
  return milliseconds(Math.max(0, since + patience - now));
}

export function createStaleDisruptions(deps: ControllerDeps): Module {
  const { api, cluster, clock } = deps;

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const pod = cluster.pods.get(key);
    const left = pod && staleIn(pod, clock.now());
    if (!pod || left === undefined) return done;
    if (left > 0) return again(left, 'the pod may still be disrupted');
    const { namespace, name = '', uid, resourceVersion } = pod.metadata;
    const condition = { type, status: 'False', reason: null, message: null, lastTransitionTime: toTime(clock.now()) };
    const patch = JSON.stringify({ metadata: { uid, resourceVersion }, status: { conditions: [condition] } });
    try {
      await api.patch(collections.pods, { namespace, name, subresource: 'status' }, 'strategic', patch, { signal });
    } catch (error) {
      // Changed meanwhile: the change wakes us.
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
    return done;
  }

  return createController(deps, {
    name: 'stale-disruptions',
    parallel: 1,
    reads: [cluster.pods],
    watch: (queue) => [
      cluster.pods.listen({
        onPut(pod) {
          if (staleIn(pod, clock.now()) !== undefined) queue.enqueue(objectKey(pod));
        },
      }),
    ],
    reconcile,
  });
}
