// Everything that crosses the link between a cloud and an edge, as two unions. The wire spellings live in
// `@kedge/wire/hub`; here a message is what it means. Source: KubeEdge cloud-edge protocol, v1.22 and v1.23.
import type { KubeObject, NodeName, ResourceVersion, Status, Uid } from '../k8s/index.ts';
import type { DeviceCondition, DeviceName, Member, Sample, Twins } from './devices.ts';

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
  | 'runtimeclass'
  | 'certificatesigningrequest'
  /** All services of a namespace, as far as environments name them; only between our own two sides. */
  | 'servicelist'
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

interface Located extends Base {
  /**
   * How the peer spelled the object's address, set on everything that came over the wire. Versions differ (v1.22 says
   * `default/node/x`, v1.23 `null/node/x`) and a reply has to repeat the question's spelling; undefined: spell it our way.
   */
  readonly address?: string | undefined;
}

/** Cloud to edge. */
export type Downstream =
  /** Keep this object; also resent whole after every change and after a lost connection. */
  | (Located & {
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
  | (Located & {
      readonly kind: 'object.delete';
      readonly ref: ObjectRef;
      readonly uid: Uid;
      readonly object: KubeObject;
      readonly version: ResourceVersion | undefined;
      readonly owner: 'edgecontroller' | 'devicecontroller' | 'dynamiccontroller' | 'policycontroller';
    })
  /**
   * Devices that are new on this node, and those that are no more. For upstream edges: ours derives its members from the
   * devices it is sent and takes this as a hint at most, since it is sent once and not repeated.
   */
  | (Base & {
      readonly kind: 'membership.update';
      /** DeviceTwin's id of the event. */
      readonly event: string;
      readonly added: readonly Member[];
      readonly removed: readonly Member[];
    })
  /** All devices of this node, after `membership.get`: an edge forgets those that are not listed. Sent once. */
  | (Base & { readonly kind: 'membership.detail'; readonly event: string; readonly devices: readonly Member[] })
  /** For MQTT clients of the node, from a rule of the router. Sent once. */
  | (Base & { readonly kind: 'bus.publish'; readonly topic: string; readonly payload: string })
  /** MQTT messages of this topic are wanted by a rule, or no longer. Sent once; the edge remembers. */
  | (Base & { readonly kind: 'bus.subscribe'; readonly topic: string })
  | (Base & { readonly kind: 'bus.unsubscribe'; readonly topic: string })
  /** Answer to a question of the edge; to a `DeviceReport` it is the confirmation. */
  | (Located & {
      readonly kind: 'reply';
      readonly to: MessageId;
      /** The question's kind decides the wire form. On the edge it is a guess from that form: match by `to` alone. */
      readonly question: Question['kind'] | 'legacy.status' | 'membership.get' | undefined;
      readonly ref: ObjectRef | undefined;
      /** A success that carries no object (`"OK"` on the wire) has the value undefined. */
      readonly outcome: Outcome<unknown>;
      /** What an upstream cloud puts beside a failure (a nearly empty object): kept for the record, never used. */
      readonly remnant?: unknown;
      readonly version?: ResourceVersion | undefined;
      /** An upstream peer repeats this reply until it is acknowledged. */
      readonly wantsAck: boolean;
    })
  | (Base & { readonly kind: 'unknown'; readonly raw: RawMessage });

/** What an edge asks and waits an answer for. */
export type Question =
  | (Located & { readonly kind: 'object.get'; readonly ref: ObjectRef })
  | (Located & { readonly kind: 'object.create'; readonly ref: ObjectRef; readonly object: KubeObject })
  | (Located & { readonly kind: 'object.update'; readonly ref: ObjectRef; readonly object: KubeObject })
  /** Strategic merge patch of the status subresource; the document travels as text, unchanged. */
  | (Located & { readonly kind: 'node.status'; readonly ref: ObjectRef; readonly patch: string })
  | (Located & { readonly kind: 'pod.status'; readonly ref: ObjectRef; readonly patch: string })
  | (Located & {
      readonly kind: 'pod.delete';
      readonly ref: ObjectRef;
      readonly uid: Uid | undefined;
      readonly gracePeriodSeconds: number;
    })
  | (Located & {
      readonly kind: 'token.request';
      readonly namespace: string;
      readonly serviceAccount: string;
      /** authentication.k8s.io/v1 TokenRequest. */
      readonly request: KubeObject;
    })
  /** The certificate of the Kubernetes API's CA, PEM. */
  | (Base & { readonly kind: 'ca.get' })
  | DeviceReport;

/**
 * What an edge reports of a device. Each of these stays in the edge's outbox, on disk, until the cloud's reply says ok,
 * which it does when the report or a newer one is durable in the cloud. A reply of failure is read as for any question:
 * what is hopeless (the device is gone, or another node's) is dropped, all else is sent again after a while. An upstream
 * cloud has no failure here: it leaves a report that it did not take unanswered.
 *
 * A reply takes as long as the write in the API, which is merged per device: up to a second or two. So keep the reports of
 * many devices under way at a time, one per device; the cloud takes 4,096 of a node.
 */
export type DeviceReport =
  /**
   * The twins that changed, with the versions they have at the edge. COALESCED: newest wins per property per device. An
   * edge that could not send merges later changes into the unsent report (a property's newer twin replaces its older one,
   * its other properties stay), so one row per device waits at most. While a report is under way, later changes form the
   * next one; reports of one device are sent one after the other, so the cloud sees them in the order they were made.
   */
  | (Base & {
      readonly kind: 'twin.report';
      readonly device: DeviceName;
      /** DeviceTwin's id of the event. */
      readonly event: string;
      /** When the report was made, Unix milliseconds at the edge. */
      readonly reportedAt: number;
      readonly twins: Twins;
    })
  /** COALESCED: newest wins per device. */
  | (Base & {
      readonly kind: 'device.state';
      readonly device: DeviceName;
      readonly event: string;
      readonly reportedAt: number;
      /** online, offline, ok, unknown, unhealthy; whatever the edge let pass. */
      readonly state: string;
      /** RFC 3339; empty when the edge does not know. */
      readonly lastOnlineTime: string;
    })
  /**
   * All conditions that the edge holds about a device, as they are now: what is not listed is no longer so. COALESCED:
   * newest wins per device. Ours only: sent when the link is dense.
   */
  | (Base & {
      readonly kind: 'device.conditions';
      readonly device: DeviceName;
      readonly conditions: readonly DeviceCondition[];
    })
  /**
   * Samples of a property that is marked for the delivery of every one of them, without a gap: sample i has the sequence
   * number `firstSequence + i`. NEVER COALESCED, sent in order, one report per property under way at a time; at most
   * `maxSamplesPerReport`. Ours only: sent when the link is dense, never to an upstream cloud. The cloud keeps each
   * sequence number of a stream once, so a report may be repeated at will.
   */
  | (Base & {
      readonly kind: 'samples.report';
      readonly device: DeviceName;
      readonly property: string;
      /**
       * Sequence numbers count within a stream, from 1. The edge makes up a new stream (a random text) when it begins to
       * count anew: the device is new, or the edge's store was lost.
       */
      readonly stream: string;
      readonly firstSequence: number;
      readonly samples: readonly Sample[];
      /** The edge cannot tell whether the cloud has these already: it sent them before and heard no reply. */
      readonly replayed?: true;
    });

type WithoutEnvelope<M> = M extends unknown ? Omit<M, 'id' | 'at'> : never;
/** A question before it is sent: whoever sends it gives it an id and a time. */
export type QuestionBody = WithoutEnvelope<Question>;

/** Edge to cloud. */
export type Upstream =
  | (Base & { readonly kind: 'keepalive' })
  | (Base & { readonly kind: 'ack'; readonly to: MessageId; readonly of: AckRoute })
  /** The edge could not take a push; the cloud sends it again later. */
  | (Base & { readonly kind: 'nack'; readonly to: MessageId; readonly of: AckRoute; readonly say: string })
  | Question
  | (Located & {
      readonly kind: 'event.put';
      readonly ref: ObjectRef;
      readonly event: KubeObject;
      readonly change: 'insert' | 'update';
    })
  | (Located & {
      readonly kind: 'event.patch';
      readonly ref: ObjectRef;
      readonly event: KubeObject;
      readonly patch: string;
    })
  /** Edges before v1.15 report status this way. */
  | (Located & {
      readonly kind: 'legacy.status';
      readonly of: 'node' | 'pod';
      readonly ref: ObjectRef;
      readonly reports: readonly { uid: string; name: string; status: unknown }[];
    })
  /**
   * Asked by DeviceTwin after every connect; ours answers with `membership.detail`, upstream never. `event` is
   * DeviceTwin's own text.
   */
  | (Base & { readonly kind: 'membership.get'; readonly event?: string | undefined })
  /** An MQTT client's message for the rules of the router. The cloud confirms none. */
  | (Base & { readonly kind: 'bus.upload'; readonly topic: string; readonly payload: string })
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
  'membership.update': 'once',
  'membership.detail': 'once',
  'bus.publish': 'once',
  'bus.subscribe': 'once',
  'bus.unsubscribe': 'once',
  reply: 'once',
  unknown: 'once',
} as const satisfies Record<Downstream['kind'], 'acked' | 'once'>;

/** Where a message is going or has come from. */
export interface Addressed<M> {
  readonly node: NodeName;
  readonly message: M;
}
