// What a subresource with a mind of its own looks like. `status` is not among them: it is a part of the generic path.
import type { Call, Document, Patch, WriteOptions, Written } from '@kedge/engine/kube-api';
import type { KubeObject } from '@kedge/model/k8s';
import type { Kind } from '../kinds/kind.ts';

export interface SubresourceTarget {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
}

export interface Subresource {
  get?(of: SubresourceTarget, call: Call): Promise<Document>;
  create?(of: SubresourceTarget, body: KubeObject, options: WriteOptions, call: Call): Promise<Written>;
  update?(of: SubresourceTarget, body: KubeObject, options: WriteOptions, call: Call): Promise<Written>;
  patch?(of: SubresourceTarget, patch: Patch, options: WriteOptions, call: Call): Promise<Written>;
}

/** A kind that is asked, never kept: reviews and the like. */
export type Question = (body: KubeObject, namespace: string | undefined, call: Call) => Promise<KubeObject>;
