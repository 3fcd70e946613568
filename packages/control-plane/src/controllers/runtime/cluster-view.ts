// The local copies that several controllers read, with the lookups they share: one copy per kind in the process.
import { type Index, indexBy, type Informer } from '@kedge/core/control';
import { type Collection, collections, type SharedInformers } from '@kedge/engine/kube-client';
import { type KubeObject, objectKey } from '@kedge/model/k8s';
import type { Pod } from '@kedge/model/k8s-types';
import { controllerOf } from '../ownership/controller-ref.ts';

export interface ClusterView {
  readonly pods: Informer<Pod>;
  readonly podsByNamespace: Index<Pod>;
  /** By the uid of the controlling owner. */
  readonly podsByController: Index<Pod>;
  readonly podsByNode: Index<Pod>;
  /** Pods without a controlling owner, by namespace: whoever matches them may adopt them. */
  readonly orphansByNamespace: Index<Pod>;
  /** The copy of any other collection, or of a part of it. */
  readonly of: SharedInformers['of'];
  /** That copy by namespace; one index however often it is asked for. */
  byNamespace<T extends KubeObject>(collection: Collection<T>): Index<T>;
  /** The copy of a whole collection if some controller has it. */
  readonly known: SharedInformers['known'];
}

export function createClusterView(informers: SharedInformers): ClusterView {
  const pods = informers.of(collections.pods);
  const namespaceIndexes = new Map<string, Index<KubeObject>>();
  const byNamespace = <T extends KubeObject>(collection: Collection<T>): Index<T> => {
    const name = `${collection.resource}.${collection.group}`;
    let index = namespaceIndexes.get(name) as Index<T> | undefined;
    if (!index) {
      index = indexBy(informers.of(collection), objectKey, ({ metadata }) => [metadata.namespace ?? '']);
      namespaceIndexes.set(name, index as unknown as Index<KubeObject>);
    }
    return index;
  };
  return {
    pods,
    podsByNamespace: byNamespace(collections.pods),
    podsByController: indexBy(pods, objectKey, (pod) => present(controllerOf(pod)?.uid)),
    podsByNode: indexBy(pods, objectKey, (pod) => present(pod.spec?.nodeName)),
    orphansByNamespace: indexBy(pods, objectKey, (pod) => (controllerOf(pod) ? [] : [pod.metadata.namespace ?? ''])),
    of: informers.of,
    byNamespace,
    known: informers.known,
  };
}

const present = (value: string | undefined): string[] => (value ? [value] : []);
