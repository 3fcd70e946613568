// Takes pods out of the API that nobody will ever finish, so that none stays Terminating for ever.
import { again, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { type Duration, seconds, toTime } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { isStatus, objectKey } from '@kedge/model/k8s';
import type { Pod } from '@kedge/model/k8s-types';
import { isTerminal } from '../pods/pod-state.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { planPodGc, type PodRemoval } from './plan-pod-gc.ts';

const lookEvery = seconds(20);
/** A node that is absent may be one that was deleted by mistake and comes back, or one we have not heard of yet. */
const quarantine: Duration = seconds(40);
const endedLimit = 12_500;
/** The only key: pods are looked at all together. */
const everything = 'pods';

export function createPodGc(deps: ControllerDeps): Module {
  const { api, cluster, clock, log } = deps;
  const nodes = cluster.of(collections.nodes);
  /** Since when a node has been missing. */
  const missing = new Map<string, Duration>();

  async function reconcile(_: string, signal: AbortSignal): Promise<Next> {
    const facts = { nodeOf: (name: string) => nodes.get(name), now: clock.now(), endedLimit };
    const removals = planPodGc(cluster.pods.list(), facts);
    const absent = new Set(removals.flatMap(({ why, pod }) => (why === 'node is gone' ? [pod.spec!.nodeName!] : [])));
    const confirmed = await confirmGone(absent, signal);
    for (const removal of removals) {
      if (removal.why === 'node is gone' && !confirmed.has(removal.pod.spec!.nodeName!)) continue;
      await remove(removal, signal);
    }
    return again(lookEvery, 'pods are left behind without an event');
  }

  /** Which of the nodes have been missing for long enough and are really not in the API. */
  async function confirmGone(absent: ReadonlySet<string>, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const now = clock.monotonic();
    for (const name of missing.keys()) if (!absent.has(name)) missing.delete(name);
    const gone = new Set<string>();
    for (const name of absent) {
      const since = missing.get(name);
      if (since === undefined) missing.set(name, now);
      else if (now - since >= quarantine && (await isAbsent(name, signal))) gone.add(name);
    }
    return gone;
  }

  async function isAbsent(name: string, signal: AbortSignal): Promise<boolean> {
    try {
      await api.get(collections.nodes, { name }, { signal });
      return false;
    } catch (error) {
      if (isStatus(error, 'NotFound')) return true;
      throw error;
    }
  }

  async function remove({ pod, why }: PodRemoval, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid = '' } = pod.metadata;
    try {
      if (!isTerminal(pod)) await markFailed(pod, why, signal);
      await api.delete(collections.pods, { namespace, name }, { uid, gracePeriodSeconds: 0, signal });
      log.info('pod removed by force', { pod: objectKey(pod), node: pod.spec?.nodeName, reason: why });
    } catch (error) {
      if (signal.aborted) throw error;
      // One pod that cannot be removed must not keep the others; it is tried again with the next look.
      if (!isStatus(error, 'NotFound')) log.warn('pod could not be removed', { pod: objectKey(pod), err: error });
    }
  }

  /** So that whoever owns the pod sees it end, and does not wait for one that finalizers hold back. */
  async function markFailed({ metadata }: Pod, why: PodRemoval['why'], signal: AbortSignal): Promise<void> {
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByPodGC',
      message: 'PodGC: node no longer exists',
      lastTransitionTime: toTime(clock.now()),
    };
    // The others were told to stop before, by somebody who had a reason of their own.
    const conditions = why === 'node is gone' ? { conditions: [condition] } : {};
    const { namespace, name = '', uid } = metadata;
    const patch = JSON.stringify({ metadata: { uid }, status: { phase: 'Failed', ...conditions } });
    await api.patch(collections.pods, { namespace, name, subresource: 'status' }, 'strategic', patch, { signal });
  }

  return createController(deps, {
    name: 'podgc',
    parallel: 1,
    reads: [nodes, cluster.pods],
    watch: (queue) => {
      queue.enqueue(everything);
      return [nodes.listen({ onDelete: () => queue.enqueue(everything) })];
    },
    reconcile,
  });
}
