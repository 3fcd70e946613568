// Takes pods off nodes whose NoExecute taints they do not tolerate, or no longer. Pods on a silent edge may well go on
// running there; what is deleted here is only what the API promises.
import { again, done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { milliseconds, toTime } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { isStatus, objectKey } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { Pod } from '@kedge/model/k8s-types';
import { isTerminal } from '../pods/pod-state.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { evictionDue } from './eviction.ts';

export function createTaintEviction(deps: ControllerDeps): Module {
  const { api, cluster, clock, log } = deps;
  const events = deps.events('taint-eviction-controller');
  const nodes = cluster.of(collections.nodes);

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const pod = cluster.pods.get(key);
    const node = pod?.spec?.nodeName ? nodes.get(pod.spec.nodeName) : undefined;
    if (!pod || !node || isTerminal(pod) || pod.metadata.deletionTimestamp !== undefined) return done;
    const now = clock.now();
    const due = evictionDue(pod, node, now);
    if (due === undefined) return done;
    if (due > now) return again(milliseconds(due - now), 'tolerated for a while');
    await evict(key, pod, signal);
    return done;
  }

  async function evict(key: string, pod: Pod, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid = '' } = pod.metadata;
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
      lastTransitionTime: toTime(clock.now()),
    };
    const patch = JSON.stringify({ metadata: { uid }, status: { conditions: [condition] } });
    events.normal(pod, 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
    try {
      await api.patch(collections.pods, { namespace, name, subresource: 'status' }, 'strategic', patch, { signal });
      await api.delete(collections.pods, { namespace, name }, { uid, signal });
      log.info('pod evicted from a node it does not tolerate', { pod: key, node: pod.spec?.nodeName });
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
  }

  return createController(deps, {
    name: 'tainteviction',
    reads: [nodes, cluster.pods],
    watch: (queue) => [
      nodes.listen({
        onPut({ metadata, spec }, before) {
          if (before ? jsonEqual(before.spec?.taints, spec?.taints) : !spec?.taints) return;
          for (const pod of cluster.podsByNode.get(metadata.name ?? '')) queue.enqueue(objectKey(pod));
        },
      }),
      cluster.pods.listen({
        onPut(pod, before) {
          const moved = before?.spec?.nodeName !== pod.spec?.nodeName;
          if (moved || !jsonEqual(before?.spec?.tolerations, pod.spec?.tolerations)) queue.enqueue(objectKey(pod));
        },
      }),
    ],
    reconcile,
  });
}
