// Between the Kubernetes API and the nodes: sends down what belongs to a node, carries out what a node asks.
import type { Informer } from '@kedge/core/control';
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { CertificateAuthorities } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import { decodeBase64 } from '@kedge/engine/identity-cloud';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject, NodeName } from '@kedge/model/k8s';
import type { Node, Pod } from '@kedge/model/k8s-types';
import { createNodeSync } from './down/nodes.ts';
import { createPodSync } from './down/pods.ts';
import { syncReferenced } from './down/referenced.ts';
import { isEdgeNode } from './edge-nodes.ts';
import type { Locations } from './locations.ts';
import { createOwnWrites } from './own-writes.ts';
import type { ObjectSink } from './sink.ts';
import type { EdgeHandlers } from './up/answer.ts';
import { createHandlers } from './up/handlers.ts';
import { createNodeUp } from './up/nodes.ts';
import { createObjectUp } from './up/objects.ts';
import { createPodUp } from './up/pods.ts';
import type { Verdicts } from './verdicts.ts';

export interface EdgeControllerDeps extends Verdicts {
  readonly clock: Clock;
  readonly log: Log;
  readonly kube: KubeApi;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly configMaps: Informer<KubeObject>;
  readonly secrets: Informer<KubeObject>;
  readonly authorities: Pick<CertificateAuthorities, 'readRequest'>;
  readonly sink: ObjectSink;
  readonly locations: Locations;
  readonly ownAddress: string;
  readonly kubeCa: string | undefined;
  /** A Node was deleted: whatever is kept for it can go. */
  readonly onNodeGone: (node: NodeName) => void;
}

export interface EdgeController extends Module {
  readonly handlers: EdgeHandlers;
  /** The edge wants to be told of changes of its Node. */
  wantsNode(node: NodeName): void;
  /** Never rejects; the next sign of life renews it again. */
  renewLease(node: NodeName): void;
}

export function createEdgeController(deps: EdgeControllerDeps): EdgeController {
  const { clock, kube, pods, nodes, configMaps, secrets, sink, locations } = deps;
  const log = deps.log.child({ module: 'edgecontroller' });
  const ownWrites = createOwnWrites();
  const askedForNode = new Set<NodeName>();
  const isEdge = (node: string): boolean => isEdgeNode(nodes.get(node));
  let running: Scope | undefined;

  const podSync = createPodSync({ pods, isEdge, ownWrites, sink });
  const nodeUp = createNodeUp({ clock, log, kube, nodes, ownWrites, ownAddress: deps.ownAddress });
  const nodeSync = createNodeSync({
    nodes,
    sink,
    ownWrites,
    asked: askedForNode,
    onEdge: podSync.sendAll,
    onGone(node) {
      nodeUp.forget(node);
      askedForNode.delete(node);
      deps.onNodeGone(node);
    },
  });
  const handlers = createHandlers({
    log,
    nodes: nodeUp,
    pods: createPodUp({ log, kube, pods, ownWrites, sink }),
    objects: createObjectUp({ ...deps, decodeBase64 }),
    kubeCa: deps.kubeCa,
  });

  return {
    name: 'edgecontroller',
    handlers,
    wantsNode(node) {
      askedForNode.add(node);
      nodeSync.send(node);
    },
    renewLease(node) {
      const signal = running?.signal;
      if (!signal || signal.aborted) return;
      void nodeUp.renewLease(node, signal).catch((error: unknown) => {
        if (!signal.aborted) log.debug('cannot renew the lease of a node', { node, err: error });
      });
    },
    async start(scope) {
      running = scope;
      // Every copy is complete before the first object is sent: where a Secret goes depends on all pods.
      await Promise.all([pods, nodes, configMaps, secrets].map((copy) => copy.synced(scope.signal)));
      const stops = [
        pods.listen({ onPut: (pod) => locations.put(pod), onDelete: (pod) => locations.remove(pod) }),
        podSync.listen(),
        nodeSync.listen(),
        ...(['configmap', 'secret'] as const).map((type) =>
          syncReferenced({
            type,
            objects: type === 'configmap' ? configMaps : secrets,
            nodesOf: (namespace, name) => locations.nodesOf(type, namespace, name),
            isEdge,
            sink,
          }),
        ),
      ];
      scope.defer('listening to the API', () => stops.forEach((stop) => stop()));
    },
  };
}
