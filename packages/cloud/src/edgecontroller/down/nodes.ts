// Nodes on their way to the edges that read their Node from what they were sent (v1.23 and later, and ours when they say
// so). Older ones ask for it every ten seconds; pushing to them would only cost a row in their database.
import type { Informer } from '@kedge/core/control';
import { type NodeName, nodeName } from '@kedge/model/k8s';
import type { Node } from '@kedge/model/k8s-types';
import { isEdgeNode, wantsItsNode } from '../edge-nodes.ts';
import type { OwnWrites } from '../own-writes.ts';
import { significance } from '../significance.ts';
import type { ObjectSink } from '../sink.ts';
import { putOf, refOf, uidOf, versionOf } from '../wire-object.ts';

export interface NodeSyncDeps {
  readonly nodes: Informer<Node>;
  readonly sink: ObjectSink;
  readonly ownWrites: OwnWrites;
  /** Edges that asked for it in the handshake. */
  readonly asked: ReadonlySet<NodeName>;
  /** The node is an edge node from now on. */
  readonly onEdge: (node: NodeName) => void;
  readonly onGone: (node: NodeName) => void;
}

export interface NodeSync {
  listen(): () => void;
  /** The edge has just asked for it. */
  send(node: NodeName): void;
}

export function createNodeSync({ nodes, sink, ownWrites, asked, onEdge, onGone }: NodeSyncDeps): NodeSync {
  const wants = (node: Node): boolean => asked.has(nodeName(node.metadata.name ?? '')) || wantsItsNode(node);

  function onPut(node: Node, before: Node | undefined): void {
    const name = nodeName(node.metadata.name ?? '');
    if (isEdgeNode(node) && !isEdgeNode(before)) onEdge(name);
    if (!isEdgeNode(node) || !wants(node)) return;
    // Its address is spelled as v1.23 spells it.
    const put = putOf('node', node, 'update', `null/node/${name}`);
    if (!before || !wants(before)) return sink.put(name, put);
    const unchanged = (): void =>
      sink.unchanged(name, refOf('node', node), uidOf(node), versionOf(before), versionOf(node));
    switch (significance(before, node)) {
      case 'desired':
        return sink.put(name, put);
      case 'nothing':
        return unchanged();
      case 'status':
        return ownWrites.judge(uidOf(node), versionOf(node), (isOwn) => (isOwn ? unchanged() : sink.put(name, put)));
    }
  }

  return {
    listen: () =>
      nodes.listen({
        onPut,
        onDelete(last) {
          ownWrites.forget(uidOf(last));
          onGone(nodeName(last.metadata.name ?? ''));
        },
      }),
    send(name) {
      const node = nodes.get(name);
      if (node) sink.put(name, putOf('node', node, 'update', `null/node/${name}`));
    },
  };
}
