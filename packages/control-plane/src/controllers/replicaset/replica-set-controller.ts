// Keeps as many pods as a ReplicaSet, or a ReplicationController, asks for: adopts orphans that match, lets go of pods that stopped to, creates and
// deletes the difference, and reports what is there.
import { again, done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import { seconds } from '@kedge/core/time';
import { type Collection, collections } from '@kedge/engine/kube-client';
import { isStatus, objectKey } from '@kedge/model/k8s';
import { type LabelSelector, labelSelectorOf } from '@kedge/model/k8s-selectors';
import type { Pod, ReplicationController, ReplicaSet } from '@kedge/model/k8s-types';
import { controllerOf, controllerRef } from '../ownership/controller-ref.ts';
import { createOwnedPods } from '../ownership/owned-pods.ts';
import { podFromTemplate } from '../pods/pod-from-template.ts';
import { isActive } from '../pods/pod-state.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { slowStart } from '../runtime/slow-start.ts';
import { writeStatus } from '../runtime/status-patch.ts';
import { planReplicas } from './plan-replicas.ts';
import { type ReplicaFailure, replicaSetStatus } from './replica-set-status.ts';

/** The two kinds differ in how they write a selector. */
interface ReplicaKind<T extends ReplicaSet | ReplicationController> {
  readonly name: string;
  readonly of: Collection<T>;
  readonly selectorOf: (set: T) => LabelSelector;
}

export const createReplicaSetController = (deps: ControllerDeps): Module =>
  createReplicaController<ReplicaSet>(deps, {
    name: 'replicaset',
    of: collections.replicaSets,
    selectorOf: ({ spec }) => labelSelectorOf(spec?.selector),
  });

export const createReplicationController = (deps: ControllerDeps): Module =>
  createReplicaController<ReplicationController>(deps, {
    name: 'replication',
    of: collections.replicationControllers,
    selectorOf: ({ spec }) => labelSelectorOf({ matchLabels: spec?.selector ?? {} }),
  });

function createReplicaController<T extends ReplicaSet | ReplicationController>(
  deps: ControllerDeps,
  { name, of, selectorOf }: ReplicaKind<T>,
): Module {
  const { api, cluster, clock } = deps;
  const events = deps.events(`${name}-controller`);
  const sets = cluster.of(of);
  const setsByNamespace = cluster.byNamespace(of);
  const owned = createOwnedPods<T>({
    api,
    cluster,
    of,
    selectorOf,
    accepts: (_, pod) => isActive(pod),
  });
  const { own } = owned;

  /** Other sets of the same owner count too, so that a rollout does not leave one node with everything. */
  function neighboursOf(set: T): (pod: Pod) => number {
    const ownerUid = controllerOf(set)?.uid;
    const siblings = ownerUid
      ? [...setsByNamespace.get(set.metadata.namespace ?? '')].filter((other) => controllerOf(other)?.uid === ownerUid)
      : [set];
    const perNode = new Map<string, number>();
    for (const sibling of siblings) {
      for (const pod of cluster.podsByController.get(sibling.metadata.uid ?? '')) {
        const node = pod.spec?.nodeName;
        if (node && isActive(pod)) perNode.set(node, (perNode.get(node) ?? 0) + 1);
      }
    }
    return (pod) => perNode.get(pod.spec?.nodeName ?? '') ?? 0;
  }

  async function createPod(key: string, set: T, signal: AbortSignal): Promise<void> {
    const names = { generateName: `${set.metadata.name}-` };
    const pod = podFromTemplate(set.spec?.template, names, controllerRef(of, set));
    try {
      const created = (await api.create(collections.pods, set.metadata.namespace, pod, { signal })) as Pod;
      own.created(key, created);
      events.normal(set, 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
    } catch (error) {
      if (!isNamespaceLeaving(error)) events.warning(set, 'FailedCreate', `Error creating: ${explain(error)}`);
      throw error;
    }
  }

  async function deletePod(key: string, set: T, pod: Pod, signal: AbortSignal): Promise<void> {
    const { namespace, name: podName = '', uid = '' } = pod.metadata;
    try {
      await api.delete(collections.pods, { namespace, name: podName }, { uid, signal });
    } catch (error) {
      // Gone, or replaced by another of the same name: either way ours is no more.
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) {
        events.warning(set, 'FailedDelete', `Error deleting: ${explain(error)}`);
        throw error;
      }
    }
    own.deleted(key, pod);
    events.normal(set, 'SuccessfulDelete', `Deleted pod: ${podName}`);
  }

  /** Creates or deletes what is missing or too much; a failure is returned, because the status has to tell it. */
  async function scale(key: string, set: T, pods: readonly Pod[], signal: AbortSignal) {
    const plan = planReplicas(set, pods, { now: clock.now(), neighbours: neighboursOf(set) });
    if (plan.do === 'create') {
      const { error } = await slowStart(plan.count, () => createPod(key, set, signal));
      return failureOf('FailedCreate', error);
    }
    if (plan.do === 'delete') {
      const results = await Promise.allSettled(plan.pods.map((pod) => deletePod(key, set, pod, signal)));
      return failureOf('FailedDelete', results.find((result) => result.status === 'rejected')?.reason);
    }
    return undefined;
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const set = sets.get(key);
    if (!set) {
      own.forget(key);
      return done;
    }
    const pods = await owned.claim(key, set, signal);
    const failed = await scale(key, set, pods, signal);
    const present = failed ? pods : owned.present(key, set, pods);
    const status = replicaSetStatus(set, present, clock.now(), failed?.condition);
    await writeStatus(api, of, set, status, { keepZeros: ['replicas'], signal });
    if (failed && !isNamespaceLeaving(failed.error)) throw failed.error;
    const isRipening = (status.readyReplicas ?? 0) > (status.availableReplicas ?? 0);
    return isRipening ? again(seconds(set.spec?.minReadySeconds ?? 0), 'pods become available') : done;
  }

  return createController(deps, {
    name,
    reads: [sets, cluster.pods],
    watch: (queue) => {
      return [
        sets.listen({
          onPut: (set) => queue.enqueue(objectKey(set)),
          onDelete: (set) => queue.enqueue(objectKey(set)),
        }),
        owned.watch(queue),
      ];
    },
    reconcile,
  });
}

const isNamespaceLeaving = (error: unknown): boolean =>
  isStatus(error, 'Forbidden') &&
  (error.status.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating');

function failureOf(reason: ReplicaFailure['reason'], error: unknown) {
  return error === undefined ? undefined : { error, condition: { reason, message: explain(error) } };
}
