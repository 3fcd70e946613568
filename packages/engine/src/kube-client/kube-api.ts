// What controllers need of a Kubernetes API, whether it is across HTTP or in the same process.
// Failures are `StatusError`s (see `@kedge/model/k8s`), so callers branch on `isStatus(error, 'NotFound')`.
import type { Change, Listed } from '@kedge/core/control';
import type { GroupVersionResource, KubeObject } from '@kedge/model/k8s';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export const patchMediaTypes: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

export interface Selection {
  /** Undefined: all namespaces, or a cluster-scoped collection. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface Target {
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly subresource?: string | undefined;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export interface PatchOptions {
  readonly fieldManager?: string;
  readonly force?: boolean;
}

/** Impersonation and cancellation of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly asUser?: { readonly name: string; readonly groups: readonly string[] };
}

export interface KubeApi {
  get(of: GroupVersionResource, target: Target, options?: CallOptions): Promise<KubeObject>;
  /** Reads page by page and joins the pages. */
  list(of: GroupVersionResource, selection?: Selection, options?: CallOptions): Promise<Listed<KubeObject>>;
  watch(
    of: GroupVersionResource,
    selection: Selection,
    resourceVersion: string,
    signal: AbortSignal,
  ): AsyncIterable<Change<KubeObject>>;
  /** With `target.subresource` and `name` this is how `pods/binding`, `serviceaccounts/token` and `pods/eviction` are called. */
  create(
    of: GroupVersionResource,
    namespace: string | undefined,
    object: KubeObject,
    options?: CallOptions & { subresource?: { name: string; subresource: string } },
  ): Promise<KubeObject>;
  update(
    of: GroupVersionResource,
    object: KubeObject,
    options?: CallOptions & { subresource?: string },
  ): Promise<KubeObject>;
  patch(
    of: GroupVersionResource,
    target: Target,
    type: PatchType,
    /** The document as text: sent unchanged. */
    document: string,
    options?: CallOptions & PatchOptions,
  ): Promise<KubeObject>;
  delete(of: GroupVersionResource, target: Target, options?: CallOptions & DeleteOptions): Promise<void>;
  /** GET of any other path, as text (`/version`, `/healthz`). */
  raw(path: string, options?: CallOptions): Promise<{ status: number; body: string }>;
}
