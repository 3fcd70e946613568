// An object on its way to a node, before it has an id and a time.
import type { Uid } from '@kedge/model/k8s';
import type { Downstream, ObjectRef } from '@kedge/model/messages';

type Unsent<M> = M extends unknown ? Omit<M, 'id' | 'at'> : never;

export type Push = Unsent<Extract<Downstream, { kind: 'object.put' | 'object.delete' }>>;
export type Put = Extract<Push, { kind: 'object.put' }>;
export type Delete = Extract<Push, { kind: 'object.delete' }>;

export const uidOf = (push: Push): Uid =>
  push.kind === 'object.delete' ? push.uid : ((push.object.metadata.uid ?? '') as Uid);

/** One name on the edge, which successive incarnations share. */
export const slotOf = ({ type, namespace, name }: ObjectRef): string => `${type}/${namespace ?? ''}/${name}`;
