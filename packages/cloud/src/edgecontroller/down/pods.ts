// Pods on their way to their nodes: sent when bound, when metadata or spec change, and when somebody other than the node
// itself changes the status.
import type { Informer } from '@kedge/core/control';
import type { NodeName } from '@kedge/model/k8s';
import type { Pod } from '@kedge/model/k8s-types';
import type { OwnWrites } from '../own-writes.ts';
import { significance } from '../significance.ts';
import type { ObjectSink } from '../sink.ts';
import { deleteOf, putOf, refOf, uidOf, versionOf } from '../wire-object.ts';

export interface PodSyncDeps {
  readonly pods: Informer<Pod>;
  readonly isEdge: (node: string) => boolean;
  readonly ownWrites: OwnWrites;
  readonly sink: ObjectSink;
}

export interface PodSync {
  listen(): () => void;
  /** Everything bound to a node that has just become an edge node. */
  sendAll(node: NodeName): void;
}

export function createPodSync({ pods, isEdge, ownWrites, sink }: PodSyncDeps): PodSync {
  const edgeOf = (pod: Pod | undefined): NodeName | undefined => {
    const node = pod?.spec?.nodeName;
    return node && isEdge(node) ? (node as NodeName) : undefined;
  };

  function onPut(pod: Pod, before: Pod | undefined): void {
    // The name was taken over while the watch was away: its node has to hear that the old one is gone.
    if (before && uidOf(before) !== uidOf(pod)) onDelete(before);
    const node = edgeOf(pod);
    if (!node) return;
    const known = before && edgeOf(before) && uidOf(before) === uidOf(pod) ? before : undefined;
    if (!known) return sink.put(node, putOf('pod', pod, isNew(pod, before) ? 'insert' : 'update'));
    switch (significance(known, pod)) {
      case 'desired':
        return sink.put(node, putOf('pod', pod, 'update'));
      case 'nothing':
        return unchanged(node, known, pod);
      case 'status':
        return ownWrites.judge(uidOf(pod), versionOf(pod), (isOwn) => {
          if (isOwn) unchanged(node, known, pod);
          else sink.put(node, putOf('pod', pod, 'update'));
        });
    }
  }

  const unchanged = (node: NodeName, from: Pod, to: Pod): void =>
    sink.unchanged(node, refOf('pod', to), uidOf(to), versionOf(from), versionOf(to));

  function onDelete(pod: Pod): void {
    ownWrites.forget(uidOf(pod));
    const node = edgeOf(pod);
    if (node) sink.delete(node, deleteOf('pod', pod));
  }

  return {
    listen: () => pods.listen({ onPut, onDelete }),
    sendAll(node) {
      for (const pod of pods.list()) if (pod.spec?.nodeName === node) sink.put(node, putOf('pod', pod, 'update'));
    },
  };
}

/** Upstream calls it an insert when the pod was bound before it was first seen. */
const isNew = (pod: Pod, before: Pod | undefined): boolean => before === undefined && !pod.metadata.deletionTimestamp;
