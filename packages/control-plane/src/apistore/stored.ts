// The values the object store deals in: keys, bodies as JSON text, and changes.

/** Where an object lives. `resource` is `pods` or `deployments.apps`; `namespace` is '' for cluster-scoped ones. */
export interface ObjectKey {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

/** An object as it is on disk. `body` is JSON text, and carries `revision` as its resourceVersion. */
export interface Stored {
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly body: string;
}

/** One write, as watchers see it. */
export interface StoreEvent {
  readonly revision: number;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  /** The state before; undefined for a new object. */
  readonly before: string | undefined;
  /** The state after; undefined for a removed object. */
  readonly after: string | undefined;
}

/** Part of one collection: all of it, or one namespace. */
export interface Range {
  readonly resource: string;
  readonly namespace?: string | undefined;
}

export interface ListPageRequest extends Range {
  /** Start behind this key. */
  readonly after?: { readonly namespace: string; readonly name: string } | undefined;
  readonly limit: number;
  /** The collection as it was at this revision. */
  readonly revision: number;
}

/** What became of a conditional write. */
export type WriteOutcome =
  | { readonly ok: true; readonly revision: number }
  /** Somebody else was first; `current` is what is there now. */
  | { readonly ok: false; readonly current: Stored | undefined };
