// What edgehub needs of its neighbours.
import type { ObjectRef, Outcome, Question, QuestionBody } from '@kedge/model/messages';
import type { KubeObject } from '@kedge/model/k8s';
import type { Secret } from '@kedge/core/log';

/** Who we are, towards the cloud. */
export interface Identity {
  current(): { readonly ca: string; readonly certificate: string; readonly key: Secret<string> };
  /** Told after the certificate was replaced. */
  listen(onRenewed: () => void): () => void;
}

export interface Asks {
  ask(question: QuestionBody, signal: AbortSignal): Promise<Outcome<unknown>>;
  attach(send: (question: Question) => Promise<void>): () => void;
}

/** Whether the store may hold less than the cloud believes. */
export interface Store {
  readonly isEmpty: boolean;
  filled(): Promise<void>;
}

export interface OutboxItem {
  readonly key: string;
  readonly send:
    | { readonly as: 'question'; readonly body: QuestionBody }
    | {
        readonly as: 'tell';
        readonly ref: ObjectRef;
        readonly event: KubeObject;
        readonly change: 'insert' | 'update';
      }
    | { readonly as: 'upload'; readonly topic: string; readonly payload: string };
}

/** `Item` is the outbox's own, handed back as it came. */
export interface Outbox<Item extends OutboxItem = OutboxItem> {
  /** `isDense`: the cloud is one of ours, and takes what upstream's does not know. */
  take(isBusy: (key: string) => boolean, isDense: boolean): Item | undefined;
  settle(item: Item, outcome: Outcome<unknown>): Promise<'done' | 'later'>;
  listen(listener: () => void): () => void;
}
