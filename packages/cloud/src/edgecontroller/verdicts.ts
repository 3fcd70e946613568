// What is decided elsewhere: whether a node may read an object that was found.
import type { KubeObject, NodeName } from '@kedge/model/k8s';
import type { ObjectRef } from '@kedge/model/messages';

export interface Verdicts {
  mayRead(node: NodeName, ref: ObjectRef, object: KubeObject): { allow: true } | { allow: false; say: string };
}
