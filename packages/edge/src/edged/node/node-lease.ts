// The node's lease: proof of life, renewed every quarter of its duration. Cheap enough to be the only thing an idle edge
// says, and the first to notice that its Node was deleted in the cloud.
import type { Clock } from '@kedge/core/time';
import { type Duration, toMicroTime } from '@kedge/core/time';
import type { NodeName } from '@kedge/model/k8s';
import type { Lease } from '@kedge/model/k8s-types';
import type { ObjectRef } from '@kedge/model/messages';
import type { Asks } from '../ports.ts';

export interface NodeLease {
  /** `gone`: there is no lease and none can be made, since the Node it belongs to is not there either. */
  renew(nodeUid: string | undefined, signal: AbortSignal): Promise<'renewed' | 'gone' | 'failed'>;
}

export function createNodeLease(deps: { asks: Asks; clock: Clock; node: NodeName; duration: Duration }): NodeLease {
  const { asks, clock, node } = deps;
  const ref: ObjectRef = { type: 'lease', namespace: 'kube-node-lease', name: node };
  let held: Lease | undefined;

  const keep = (lease: Lease | undefined): void => {
    if (lease?.metadata) {
      const { managedFields: _, ...metadata } = lease.metadata;
      held = { ...lease, metadata };
    }
  };

  const fresh = (nodeUid: string): Lease => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: node,
      namespace: 'kube-node-lease',
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node, uid: nodeUid }],
    },
    spec: {
      holderIdentity: node,
      leaseDurationSeconds: Math.round(deps.duration / 1_000),
      renewTime: toMicroTime(clock.now()),
    },
  });

  async function create(nodeUid: string, signal: AbortSignal): Promise<'renewed' | 'failed'> {
    const made = await asks.ask<Lease>({ kind: 'object.create', ref, object: fresh(nodeUid) }, signal);
    if (!made.ok) return 'failed';
    keep(made.value);
    return 'renewed';
  }

  return {
    async renew(nodeUid, signal) {
      if (!held) {
        const found = await asks.ask<Lease>({ kind: 'object.get', ref }, signal);
        if (!found.ok && found.status.reason !== 'NotFound') return 'failed';
        if (!found.ok || !found.value) return nodeUid === undefined ? 'gone' : create(nodeUid, signal);
        keep(found.value);
      }
      const spec = { ...held?.spec, holderIdentity: node, renewTime: toMicroTime(clock.now()) };
      const object = { ...held, metadata: held?.metadata ?? {}, spec };
      const renewed = await asks.ask<Lease>({ kind: 'object.update', ref, object }, signal);
      if (renewed.ok) {
        keep(renewed.value);
        return 'renewed';
      }
      // Somebody else wrote it, or it is not there any more: begin anew with the next renewal.
      if (renewed.status.reason === 'Conflict' || renewed.status.reason === 'NotFound') held = undefined;
      return renewed.status.reason === 'NotFound' ? 'gone' : 'failed';
    },
  };
}
