// Where devices and models for nodes go: the hub's outboxes and its sessions, as far as this module needs them.
import type { NodeName, Uid } from '@kedge/model/k8s';
import type { Downstream, ObjectRef } from '@kedge/model/messages';

type Unsent<M> = M extends unknown ? Omit<M, 'id' | 'at'> : never;
export type Put = Unsent<Extract<Downstream, { kind: 'object.put' }>>;
export type Delete = Unsent<Extract<Downstream, { kind: 'object.delete' }>>;
export type Membership = Unsent<Extract<Downstream, { kind: 'membership.update' | 'membership.detail' }>>;

export interface DeviceSink {
  /** Kept until the node has acknowledged it; ignored when the node has that version. */
  put(node: NodeName, put: Put): void;
  delete(node: NodeName, gone: Delete): void;
  /** The object changed in a way the node need not know of. */
  unchanged(node: NodeName, ref: ObjectRef, uid: Uid, from: string, to: string): void;
  /** The node was sent the object before. */
  isKnown(node: NodeName, uid: Uid): boolean;
  /** Once, and only if the node is connected. */
  tell(node: NodeName, message: Membership): void;
}
