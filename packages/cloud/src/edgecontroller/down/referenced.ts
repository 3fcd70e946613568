// ConfigMaps and Secrets on their way to the nodes whose pods refer to them.
import type { Informer } from '@kedge/core/control';
import type { KubeObject, NodeName } from '@kedge/model/k8s';
import type { ObjectSink } from '../sink.ts';
import { deleteOf, putOf } from '../wire-object.ts';

export interface ReferencedSyncDeps {
  readonly type: 'configmap' | 'secret';
  readonly objects: Informer<KubeObject>;
  readonly nodesOf: (namespace: string, name: string) => readonly NodeName[];
  readonly isEdge: (node: string) => boolean;
  readonly sink: ObjectSink;
}

/** Returns how to stop. Upstream sends every new Secret as an update; to an edge both are the same. */
export function syncReferenced({ type, objects, nodesOf, isEdge, sink }: ReferencedSyncDeps): () => void {
  const nodesFor = ({ metadata }: KubeObject): readonly NodeName[] =>
    nodesOf(metadata.namespace ?? '', metadata.name ?? '').filter(isEdge);
  return objects.listen({
    onPut(object, before) {
      const change = before === undefined && type === 'configmap' ? 'insert' : 'update';
      for (const node of nodesFor(object)) sink.put(node, putOf(type, object, change));
    },
    onDelete(last) {
      for (const node of nodesFor(last)) sink.delete(node, deleteOf(type, last));
    },
  });
}
