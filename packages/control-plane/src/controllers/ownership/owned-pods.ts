// The pods of a controller's objects: which objects a pod wakes, and which pods an object has, adopts and lets go of.
import type { Informer, Reconciler } from '@kedge/core/control';
import { type Collection, collections, type KubeApi } from '@kedge/engine/kube-client';
import { type KubeObject, type ObjectMeta, objectKey } from '@kedge/model/k8s';
import { type LabelSelector, matchesLabels } from '@kedge/model/k8s-selectors';
import type { Pod } from '@kedge/model/k8s-types';
import type { ClusterView } from '../runtime/cluster-view.ts';
import { OwnWrites } from '../runtime/own-writes.ts';
import { carryOutClaims, planClaims } from './claim.ts';
import { controllerKey, controllerOf, controllerRef } from './controller-ref.ts';

interface Owner {
  readonly metadata: ObjectMeta;
}

export interface OwnedPods<T extends Owner> {
  /** What was created and deleted by ourselves; tell it of both. */
  readonly own: OwnWrites<Pod>;
  /** Adopts and releases; returns the pods that belong to the owner then. */
  claim(key: string, owner: T, signal: AbortSignal): Promise<Pod[]>;
  /** The owner's pods as they are after our own writes, without another round of claims; those just `claimed` among them. */
  present(key: string, owner: T, claimed?: readonly Pod[]): Pod[];
  /** Wakes owners whose pods change. */
  watch(queue: Pick<Reconciler, 'enqueue'>): () => void;
}

export interface OwnedPodsOptions<T extends KubeObject & Owner> {
  readonly api: KubeApi;
  readonly cluster: ClusterView;
  readonly of: Collection<T>;
  readonly selectorOf: (owner: T) => LabelSelector;
  /** Which pods can be the owner's at all. */
  readonly accepts?: (owner: T, pod: Pod) => boolean;
  /** What adopted pods are given, and released ones lose. */
  readonly finalizer?: string;
}

export function createOwnedPods<T extends KubeObject & Owner>(options: OwnedPodsOptions<T>): OwnedPods<T> {
  const { api, cluster, of, selectorOf, accepts = () => true, finalizer } = options;
  const pods: Informer<Pod> = cluster.pods;
  const ownersByNamespace = cluster.byNamespace(of);
  const own = new OwnWrites<Pod>(pods);

  const candidates = (key: string, { metadata }: T): Pod[] =>
    own.view(key, [
      ...cluster.podsByController.get(metadata.uid ?? ''),
      ...cluster.orphansByNamespace.get(metadata.namespace ?? ''),
    ]);

  function ownersFor(pod: Pod): string[] {
    if (controllerOf(pod)) {
      const key = controllerKey(pod, of);
      return key ? [key] : [];
    }
    const owners = [...ownersByNamespace.get(pod.metadata.namespace ?? '')];
    return owners
      .filter((owner) => accepts(owner, pod) && matchesLabels(selectorOf(owner), pod.metadata.labels))
      .map(objectKey);
  }

  return {
    own,
    async claim(key, owner, signal) {
      const { namespace, name = '', uid } = owner.metadata;
      const possible = candidates(key, owner).filter((pod) => accepts(owner, pod));
      const plan = planClaims(owner, selectorOf(owner), possible);
      const isOwnerAlive = async () => {
        const { metadata } = await api.get(of, { namespace, name }, { signal });
        return metadata.uid === uid && metadata.deletionTimestamp === undefined;
      };
      const reference = controllerRef(of, owner);
      const held = finalizer === undefined ? {} : { finalizer };
      return carryOutClaims({ api, of: collections.pods, reference, isOwnerAlive, plan, ...held }, signal);
    },
    present(key, owner, claimed = []) {
      // The copy does not show yet whose they are.
      const adopted = new Set(claimed.map(({ metadata }) => metadata.uid));
      const isOwned = (pod: Pod): boolean =>
        controllerOf(pod)?.uid === owner.metadata.uid || adopted.has(pod.metadata.uid);
      return candidates(key, owner).filter((pod) => isOwned(pod) && accepts(owner, pod));
    },
    watch(queue) {
      const wake = (pod: Pod) => ownersFor(pod).forEach((key) => queue.enqueue(key));
      return pods.listen({
        onPut(pod, before) {
          // Labels or owner may have changed: whoever had the pod before has to look as well.
          if (before) wake(before);
          wake(pod);
        },
        onDelete: wake,
      });
    },
  };
}
