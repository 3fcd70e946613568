// One outbox per node, made when first needed: controllers put objects in whether or not the node is connected.
import type { Log } from '@kedge/core/log';
import type { Random } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import type { NodeName, Uid } from '@kedge/model/k8s';
import type { ObjectRef } from '@kedge/model/messages';
import { createNodeOutbox, type Deliveries, type NodeOutbox } from './node-outbox.ts';
import type { Delete, Put } from './push.ts';

/** More objects than any node runs; what does not fit is found again by the next comparison. */
const objectsPerNode = 20_000;

export interface Outboxes {
  put(node: NodeName, push: Put): void;
  delete(node: NodeName, push: Delete): void;
  unchanged(node: NodeName, ref: ObjectRef, uid: Uid, from: string, to: string): void;
  of(node: NodeName): NodeOutbox;
  forget(node: NodeName): void;
  /** Every node that has had an outbox and was not forgotten. */
  nodes(): Iterable<NodeName>;
  /** Called whenever a node's outbox may have something new; one listener per node, the newest counts. */
  onChange(node: NodeName, listener: () => void): () => void;
}

export interface OutboxesDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly deliveries: Deliveries;
}

export function createOutboxes({ clock, log, random, deliveries }: OutboxesDeps): Outboxes {
  const outboxes = new Map<NodeName, NodeOutbox>();
  const listeners = new Map<NodeName, () => void>();

  const of = (node: NodeName): NodeOutbox => {
    let outbox = outboxes.get(node);
    if (!outbox) {
      outbox = createNodeOutbox({
        node,
        deliveries,
        now: () => clock.now(),
        uuid: () => random.uuid(),
        limit: objectsPerNode,
      });
      outboxes.set(node, outbox);
    }
    return outbox;
  };

  const warnWhenFull = (node: NodeName): void => {
    if (of(node).size === objectsPerNode) log.warn('outbox of a node is full', { node, limit: objectsPerNode });
  };

  return {
    of,
    put(node, push) {
      if (of(node).put(push)) listeners.get(node)?.();
      else warnWhenFull(node);
    },
    delete(node, push) {
      if (of(node).delete(push)) listeners.get(node)?.();
      else warnWhenFull(node);
    },
    unchanged: (node, ref, uid, from, to) => of(node).unchanged(ref, uid, from, to),
    forget: (node) => void outboxes.delete(node),
    nodes: () => outboxes.keys(),
    onChange(node, listener) {
      listeners.set(node, listener);
      return () => {
        if (listeners.get(node) === listener) listeners.delete(node);
      };
    },
  };
}
