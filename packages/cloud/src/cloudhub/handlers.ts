// What the hub hands on: everything an edge asks or reports, and how the answer comes back.
import type { NodeName, ResourceVersion } from '@kedge/model/k8s';
import type { Outcome, Upstream } from '@kedge/model/messages';
import type { Put } from './push.ts';

export interface Answer {
  readonly outcome: Outcome<unknown>;
  readonly version?: ResourceVersion | undefined;
  /** The object as the edge will keep it: put on record when the edge acknowledges the answer. */
  readonly kept?: Put;
}

type HandledKind = Exclude<Upstream['kind'], 'keepalive' | 'ack' | 'nack'>;

/** Resolves with the answer, or undefined where none is due. A rejection becomes a failed answer. */
export type EdgeHandlers = {
  readonly [K in HandledKind]: (
    node: NodeName,
    message: Extract<Upstream, { kind: K }>,
    signal: AbortSignal,
  ) => Promise<Answer | undefined>;
};

export type Handled = Extract<Upstream, { kind: HandledKind }>;

export const handle = (
  handlers: EdgeHandlers,
  node: NodeName,
  message: Handled,
  signal: AbortSignal,
): Promise<Answer | undefined> =>
  (handlers[message.kind] as (n: NodeName, m: Handled, s: AbortSignal) => Promise<Answer | undefined>)(
    node,
    message,
    signal,
  );
