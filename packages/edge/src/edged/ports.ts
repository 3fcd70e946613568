// What edged needs of its neighbours, in its own words; whoever wires the edge hands in parts that fit.
import type { Instant } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import type { Event, Pod, PodStatus, Service } from '@kedge/model/k8s-types';
import type { ObjectRef, Outcome, QuestionBody } from '@kedge/model/messages';

/** The pods that this node is to run, as stored on it. */
export interface DesiredPods {
  list(): Iterable<Pod>;
  get(uid: string): Pod | undefined;
  listen(listener: { onPut(pod: Pod): void; onDelete(last: Pod): void }): () => void;
}

/** Whether the store of wanted pods is still to be filled by the cloud, as after its loss. */
export interface DesiredStore {
  readonly isEmpty: boolean;
}

/** ConfigMaps, Secrets and RuntimeClasses: from the node's store, from the cloud when it has none. */
export interface Objects {
  get(
    type: 'configmap' | 'secret' | 'runtimeclass',
    namespace: string | undefined,
    name: string,
    signal: AbortSignal,
  ): Promise<Outcome<KubeObject>>;
  listen(
    type: 'configmap' | 'secret',
    listener: { onPut(object: KubeObject): void; onDelete(last: KubeObject): void },
  ): () => void;
}

export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: { readonly name: string; readonly uid: string };
  /** Empty: the audience of the API server. */
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
}

/** Service account tokens, kept while they are valid. */
export interface Tokens {
  request(
    request: TokenRequest,
    signal: AbortSignal,
  ): Promise<Outcome<{ readonly token: string; readonly expiresAt: Instant }>>;
}

/** Reports that reach the cloud sooner or later; a promise resolves once the report is on disk. */
export interface Outbox {
  podStatus(report: { readonly ref: ObjectRef; readonly uid: string; readonly status: PodStatus }): Promise<void>;
  /** The pod has ended here and may be removed from the API. Goes out after the statuses before it. */
  podDelete(report: { readonly ref: ObjectRef; readonly uid: string }): Promise<void>;
  event(report: { readonly ref: ObjectRef; readonly event: Event; readonly change: 'insert' | 'update' }): void;
}

/** Services as far as environments name them: name, namespace, address and ports. */
export interface Services {
  /**
   * Of the namespace, and `default/kubernetes`: as the cloud says now or, while it does not, as it said last. Rejects only
   * when `signal` aborts.
   */
  around(namespace: string, signal: AbortSignal): Promise<readonly Service[]>;
}

export interface Asks {
  /** Rejects only when `signal` aborts. */
  ask<T = KubeObject>(question: QuestionBody, signal: AbortSignal): Promise<Outcome<T>>;
  /** How far the cloud's clock is ahead, in milliseconds, and how wrong that may be. */
  cloudClock?(): { readonly ahead: number; readonly within: number } | undefined;
}

export interface Link {
  readonly isOnline: boolean;
  listen(listener: (isOnline: boolean) => void): () => void;
}
