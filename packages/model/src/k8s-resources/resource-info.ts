// What discovery says about one resource, and lookups over the built-in ones.
import type { GroupVersionKind } from '../k8s/index.ts';

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

/** A subresource may read or write objects of another kind than its parent: `deployments/scale` is an autoscaling/v1 Scale. */
export interface SubresourceInfo extends GroupVersionKind {
  readonly verbs: readonly Verb[];
}

export interface ResourceInfo extends GroupVersionKind {
  /** The plural, as in URLs. */
  readonly resource: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: Readonly<Record<string, SubresourceInfo>>;
}
