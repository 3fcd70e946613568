// What a handler of an edge's question comes back with, and how it is put together.
import { withoutManagedFields } from '@kedge/engine/kube-client';
import type { KubeObject, NodeName, ResourceVersion } from '@kedge/model/k8s';
import type { DeviceReport, Outcome, Question, Upstream } from '@kedge/model/messages';
import type { Put } from '../sink.ts';
import { type KnownType, versionOf, withKind } from '../wire-object.ts';

export interface Answer {
  readonly outcome: Outcome<unknown>;
  readonly version?: ResourceVersion | undefined;
  /** The object as the edge keeps it, for the ledger. */
  readonly kept?: Put;
}

export type Asked<K extends Question['kind']> = Extract<Question, { kind: K }>;

/** Devices are another controller's. */
type HandledKind = Exclude<Upstream['kind'], 'keepalive' | 'ack' | 'nack' | 'membership.get' | DeviceReport['kind']>;
export type EdgeHandlers = {
  readonly [K in HandledKind]: (
    node: NodeName,
    message: Extract<Upstream, { kind: K }>,
    signal: AbortSignal,
  ) => Promise<Answer | undefined>;
};

/** Without the record of who set which field: half of an object, and nothing that an edge looks at. */
export const answer = (type: KnownType, object: KubeObject): Answer => ({
  outcome: { ok: true, value: withKind(type, withoutManagedFields(object)) },
  version: versionOf(object),
});

/** A success without content. */
export const ok: Answer = { outcome: { ok: true, value: undefined } };
