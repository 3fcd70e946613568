// Everything that crosses the link between a cloud and an edge, as two unions. The wire spellings live in
// `@kedge/wire/hub`; here a message is what it means. Source: KubeEdge cloud-edge protocol, v1.22 and v1.23.
import type { KubeObject, NodeName, ResourceVersion, Status, Uid } from '../k8s/index.ts';

declare const messageIdBrand: unique symbol;
/** A random UUID; replies and acknowledgements name the message they answer. */
export type MessageId = string & { readonly [messageIdBrand]: true };
export const messageId = (text: string): MessageId => text as MessageId;

/** The kinds of object the link carries, by the segment they have in a wire resource. */
export type LinkedType =
  | 'pod'
  | 'configmap'
  | 'secret'
  | 'node'
  | 'lease'
  | 'event'
  | 'persistentvolume'
  | 'persistentvolumeclaim'
  | 'volumeattachment'
  | 'certificatesigningrequest'
  | 'serviceaccounttoken'
  | 'serviceaccountaccess'
  | 'device'
  | 'devicemodel'
  | 'rule'
  | 'ruleendpoint';

/** An object as both sides name it. `type` may be one that this version does not know (dynamic watches). */
export interface ObjectRef {
  readonly type: LinkedType | (string & {});
  /** Undefined for cluster-scoped objects. */
  readonly namespace: string | undefined;
  readonly name: string;
}

/** The result of a question: an object, a bare success, or a Kubernetes failure. */
export type Outcome<T = KubeObject> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly status: Status };

/** The envelope of a message that this version does not understand: kept as it came. */
export interface RawMessage {
  readonly header: {
    readonly msg_id: string;
    readonly parent_msg_id?: string;
    readonly timestamp: number;
    readonly resourceversion?: string;
    readonly sync?: boolean;
    readonly type?: string;
  };
  readonly route: {
    readonly source?: string;
    readonly destination?: string;
    readonly group?: string;
    readonly operation?: string;
    readonly resource?: string;
  };
  readonly content?: unknown;
}

interface Base {
  readonly id: MessageId;
  /** Unix milliseconds at the sender. */
  readonly at: number;
}

/** Cloud to edge. */
export type Downstream =
  /** Keep this object; also resent whole after every change and after a lost connection. */
  | (Base & {
      readonly kind: 'object.put';
      readonly ref: ObjectRef;
      readonly version: ResourceVersion;
      readonly object: KubeObject;
      /** The module that owns the object in the cloud; an upstream edge routes by it. */
      readonly owner: 'edgecontroller' | 'devicecontroller' | 'dynamiccontroller' | 'policycontroller';
      /** How the cloud came to send it; equal for storage. */
      readonly change: 'insert' | 'update';
    })
  /** Forget this object if it is still the incarnation `uid`. */
  | (Base & {
      readonly kind: 'object.delete';
      readonly ref: ObjectRef;
      readonly uid: Uid;
      readonly object: KubeObject;
      readonly version: ResourceVersion | undefined;
      readonly owner: 'edgecontroller' | 'devicecontroller' | 'dynamiccontroller' | 'policycontroller';
    })
  /** Answer to a question of the edge. */
  | (Base & {
      readonly kind: 'reply';
      readonly to: MessageId;
      /** The question's kind decides the wire form; undefined on the edge, which matches by `to` alone. */
      readonly question: Question['kind'] | undefined;
      readonly ref: ObjectRef | undefined;
      readonly outcome: Outcome<unknown>;
      readonly version?: ResourceVersion | undefined;
      /** An upstream peer repeats this reply until it is acknowledged. */
      readonly wantsAck: boolean;
    })
  | (Base & { readonly kind: 'unknown'; readonly raw: RawMessage });

/** What an edge asks and waits an answer for. */
export type Question =
  | (Base & { readonly kind: 'object.get'; readonly ref: ObjectRef })
  | (Base & { readonly kind: 'object.create'; readonly ref: ObjectRef; readonly object: KubeObject })
  | (Base & { readonly kind: 'object.update'; readonly ref: ObjectRef; readonly object: KubeObject })
  /** Strategic merge patch of the status subresource; the document travels as text, unchanged. */
  | (Base & { readonly kind: 'node.status'; readonly ref: ObjectRef; readonly patch: string })
  | (Base & { readonly kind: 'pod.status'; readonly ref: ObjectRef; readonly patch: string })
  | (Base & {
      readonly kind: 'pod.delete';
      readonly ref: ObjectRef;
      readonly uid: Uid | undefined;
      readonly gracePeriodSeconds: number;
    })
  | (Base & {
      readonly kind: 'token.request';
      readonly namespace: string;
      readonly serviceAccount: string;
      /** authentication.k8s.io/v1 TokenRequest. */
      readonly request: KubeObject;
    })
  /** The certificate of the Kubernetes API's CA, PEM. */
  | (Base & { readonly kind: 'ca.get' });

/** Edge to cloud. */
export type Upstream =
  | (Base & { readonly kind: 'keepalive' })
  | (Base & { readonly kind: 'ack'; readonly to: MessageId; readonly of: AckRoute })
  /** The edge could not take a push; the cloud sends it again later. */
  | (Base & { readonly kind: 'nack'; readonly to: MessageId; readonly of: AckRoute; readonly say: string })
  | Question
  | (Base & {
      readonly kind: 'event.put';
      readonly ref: ObjectRef;
      readonly event: KubeObject;
      readonly change: 'insert' | 'update';
    })
  | (Base & {
      readonly kind: 'event.patch';
      readonly ref: ObjectRef;
      readonly event: KubeObject;
      readonly patch: string;
    })
  /** Edges before v1.15 report status this way. */
  | (Base & {
      readonly kind: 'legacy.status';
      readonly of: 'node' | 'pod';
      readonly ref: ObjectRef;
      readonly reports: readonly { uid: string; name: string; status: unknown }[];
    })
  /** Asked by DeviceTwin after every connect; upstream never answers. */
  | (Base & { readonly kind: 'membership.get' })
  | (Base & { readonly kind: 'unknown'; readonly raw: RawMessage });

/** What an acknowledgement repeats of the message it is for; an upstream cloud matches by `to` only. */
export interface AckRoute {
  readonly source: string;
  readonly group: string;
  readonly resource: string;
}

export type Handlers<M extends { readonly kind: string }> = {
  readonly [K in M['kind']]: (message: Extract<M, { kind: K }>) => Promise<void>;
};

/** Hands a message to the handler of its kind. */
export const dispatch = <M extends { readonly kind: string }>(handlers: Handlers<M>, message: M): Promise<void> =>
  (handlers[message.kind as M['kind']] as (m: M) => Promise<void>)(message);

/** `acked` messages are repeated until the edge says that it has them; `once` messages are sent and forgotten. */
export const delivery = {
  'object.put': 'acked',
  'object.delete': 'acked',
  reply: 'once',
  unknown: 'once',
} as const satisfies Record<Downstream['kind'], 'acked' | 'once'>;

/** Where a message is going or has come from. */
export interface Addressed<M> {
  readonly node: NodeName;
  readonly message: M;
}
