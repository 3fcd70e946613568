// What the REST layer needs of whatever keeps the objects: the embedded API server, or an edge's MetaServer.
// Failures are StatusErrors. Bodies travel as JSON text wherever nobody has to look inside.
import type { ServedResource } from './catalog.ts';
import type { KubeObject, Status } from '@kedge/model/k8s';
import type { PatchType } from '../kube-client/index.ts';

export interface ApiUser {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** Who calls, and how to tell them something beside the answer. */
export interface Call {
  readonly user: ApiUser;
  readonly signal: AbortSignal;
  /** Adds a Warning header to the answer. */
  warn(text: string): void;
  /** Adds an annotation to the request's line in the audit log, where there is one. */
  annotate?(key: string, value: string): void;
}

/** An object as JSON text and as a value; each is made from the other when somebody asks. */
export interface Document {
  readonly text: string;
  readonly object: KubeObject;
}

export const documentOfText = (text: string): Document => {
  let parsed: KubeObject | undefined;
  return {
    text,
    get object() {
      return (parsed ??= JSON.parse(text) as KubeObject);
    },
  };
};

export const documentOfObject = (object: KubeObject): Document => {
  let written: string | undefined;
  return {
    object,
    get text() {
      return (written ??= JSON.stringify(object));
    },
  };
};

export interface CollectionTarget {
  readonly resource: ServedResource;
  /** Undefined: all namespaces, or a cluster-scoped collection. */
  readonly namespace: string | undefined;
}

export interface ObjectTarget extends CollectionTarget {
  readonly name: string;
  readonly subresource: string | undefined;
}

export type VersionMatch = 'exact' | 'not-older-than';

/** Which objects of a collection. `matches` decides; the rest are short cuts that it implies. */
export interface ObjectFilter {
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  /** Strings, as JSON writes them, that the text of every match holds: an object without one of them need not be parsed. */
  readonly words: readonly string[];
  matches(object: KubeObject): boolean;
}

export interface ListOptions {
  readonly filter: ObjectFilter | undefined;
  /** 0: no limit. */
  readonly limit: number;
  readonly continueToken: string | undefined;
  /** Undefined: the newest state. */
  readonly resourceVersion: string | undefined;
  readonly match: VersionMatch;
}

export interface Listing {
  readonly resourceVersion: string;
  pages(): AsyncIterable<readonly Document[]>;
  /** Known once `pages` is exhausted. */
  tail(): { readonly continueToken?: string; readonly remainingItemCount?: number };
}

export interface WatchChange {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly document: Document;
}

/** A position in a stream of changes; pulled, so that a slow client costs nothing but its own delay. */
export interface WatchSource {
  /** What happened since the last call, at most a batch, and how far that reaches. Throws Expired. */
  next(): { readonly changes: readonly WatchChange[]; readonly resourceVersion: string };
  /** Resolves when there may be more. */
  wait(signal: AbortSignal): Promise<void>;
  close(): void;
}

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: FieldValidation;
  /** Server-side apply: take over fields that others own. */
  readonly force: boolean;
  /** Field paths the decoder found twice; reported under `fieldValidation`. */
  readonly duplicates: readonly string[];
}

export type Propagation = 'Foreground' | 'Background' | 'Orphan';

export interface RemoveOptions {
  readonly dryRun: boolean;
  readonly gracePeriodSeconds: number | undefined;
  readonly propagation: Propagation | undefined;
  readonly preconditions: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined };
}

export interface Patch {
  readonly type: PatchType;
  /** As it came: JSON, or YAML for apply. */
  readonly text: string;
}

export interface Written {
  readonly document: Document;
  readonly created: boolean;
}

export interface ObjectApi {
  get(target: ObjectTarget, options: { resourceVersion: string | undefined }, call: Call): Promise<Document>;
  list(target: CollectionTarget, options: ListOptions, call: Call): Promise<Listing>;
  watch(
    target: CollectionTarget,
    options: { filter: ObjectFilter | undefined; resourceVersion: string },
    call: Call,
  ): Promise<WatchSource>;
  /** `target.name` is '' for a new object, and the parent's for a subresource such as `binding`. */
  create(target: ObjectTarget, body: KubeObject, options: WriteOptions, call: Call): Promise<Written>;
  update(target: ObjectTarget, body: KubeObject, options: WriteOptions, call: Call): Promise<Written>;
  patch(target: ObjectTarget, patch: Patch, options: WriteOptions, call: Call): Promise<Written>;
  /** The object when it lives on (finalizers, grace), or a Status when it is gone. */
  remove(
    target: ObjectTarget,
    options: RemoveOptions,
    call: Call,
  ): Promise<{ readonly done: boolean; readonly body: Document | Status }>;
  removeCollection(target: CollectionTarget, list: ListOptions, options: RemoveOptions, call: Call): Promise<Listing>;
}
