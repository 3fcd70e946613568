// An edge and its Node: registration, reading, status, and the Lease that says it is alive.
import type { Informer } from '@kedge/core/control';
import type { Log } from '@kedge/core/log';
import { type Clock, toMicroTime } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { compareVersions, isStatus, type KubeObject, type NodeName } from '@kedge/model/k8s';
import type { Node } from '@kedge/model/k8s-types';
import type { OwnWrites } from '../own-writes.ts';
import { linkedKinds, uidOf, versionOf } from '../wire-object.ts';
import { answer, type Answer } from './answer.ts';

export interface NodeUpDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly kube: KubeApi;
  readonly nodes: Informer<Node>;
  readonly ownWrites: OwnWrites;
  /** What the Node is annotated with: which cloudcore serves it. */
  readonly ownAddress: string;
}

const nodeResource = linkedKinds.node.resource;
const leases = linkedKinds.lease.resource;
const leaseNamespace = 'kube-node-lease';
const leaseSeconds = 40;

/** An edge that called itself a control plane would be given the secrets of one. */
const controlPlaneLabels = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];

export function createNodeUp({ clock, log, kube, nodes, ownWrites, ownAddress }: NodeUpDeps) {
  /** Versions that edges have been answered with: a copy older than that would look like a step back in time. */
  const answered = new Map<NodeName, string>();

  const noted = (node: NodeName, object: KubeObject): Answer => {
    if (compareVersions(object.metadata.resourceVersion, answered.get(node)) > 0) {
      answered.set(node, object.metadata.resourceVersion ?? '');
    }
    return answer('node', object);
  };

  const withoutControlPlane = (node: NodeName, labels: Record<string, string> = {}): Record<string, string> => {
    const kept = Object.entries(labels).filter(([label]) => !controlPlaneLabels.includes(label));
    if (kept.length < Object.keys(labels).length) log.warn('edge may not label itself a control plane', { node });
    return Object.fromEntries(kept);
  };

  return {
    async get(node: NodeName, signal: AbortSignal): Promise<Answer> {
      const copy = nodes.get(node);
      const isFresh = copy && compareVersions(copy.metadata.resourceVersion, answered.get(node)) >= 0;
      return noted(node, isFresh ? (copy as KubeObject) : await kube.get(nodeResource, { name: node }, { signal }));
    },

    /**
     * Creates it with all its labels at once. Upstream adds those of kubernetes.io in a second step, because admission
     * refuses them from a node; we create it in our own name.
     */
    async create(node: NodeName, object: KubeObject, signal: AbortSignal): Promise<Answer> {
      const { labels, annotations = {} } = object.metadata;
      const wanted: KubeObject = {
        ...object,
        apiVersion: 'v1',
        kind: 'Node',
        metadata: {
          name: node,
          labels: withoutControlPlane(node, labels),
          annotations: { ...annotations, cloudcore: ownAddress },
        },
      };
      const created = await kube.create(nodeResource, undefined, wanted, { signal });
      log.info('node registered', { node });
      return noted(node, created);
    },

    /** Labels and annotations are added; nothing else of a Node is a node's to change this way. */
    async update(node: NodeName, object: KubeObject, signal: AbortSignal): Promise<Answer> {
      const { labels, annotations = {} } = object.metadata;
      const document = JSON.stringify({ metadata: { labels: withoutControlPlane(node, labels), annotations } });
      return noted(node, await kube.patch(nodeResource, { name: node }, 'merge', document, { signal }));
    },

    async patchStatus(node: NodeName, patch: string, signal: AbortSignal): Promise<Answer> {
      const target = { name: node, subresource: 'status' };
      const uid = nodes.get(node)?.metadata.uid ?? '';
      const patched = await ownWrites.track(
        uid,
        () => kube.patch(nodeResource, target, 'strategic', patch, { signal }),
        versionOf,
      );
      return noted(node, patched);
    },

    lease: {
      get: async (node: NodeName, signal: AbortSignal): Promise<Answer> =>
        answer('lease', await kube.get(leases, { namespace: leaseNamespace, name: node }, { signal })),
      create: async (node: NodeName, object: KubeObject, signal: AbortSignal): Promise<Answer> =>
        answer('lease', await kube.create(leases, leaseNamespace, named(object, node), { signal })),
      update: async (node: NodeName, object: KubeObject, signal: AbortSignal): Promise<Answer> =>
        answer('lease', await kube.update(leases, named(object, node), { signal })),
    },

    /** In place of an edge that leaves it to us. */
    async renewLease(node: NodeName, signal: AbortSignal): Promise<void> {
      const spec = { holderIdentity: node, leaseDurationSeconds: leaseSeconds, renewTime: toMicroTime(clock.now()) };
      const target = { namespace: leaseNamespace, name: node };
      try {
        await kube.patch(leases, target, 'merge', JSON.stringify({ spec }), { signal });
      } catch (error) {
        if (!isStatus(error, 'NotFound')) throw error;
        const owner = await kube.get(nodeResource, { name: node }, { signal });
        const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: node, uid: uidOf(owner) }];
        await kube.create(
          leases,
          leaseNamespace,
          { ...named({ metadata: { ownerReferences } }, node), spec },
          { signal },
        );
      }
    },

    forget: (node: NodeName): void => void answered.delete(node),
  };
}

const named = (object: KubeObject, node: NodeName): KubeObject => ({
  ...object,
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { ...object.metadata, name: node, namespace: leaseNamespace },
});
