// What comes from the cloud goes to its handler. The acknowledgement leaves when the handler says that it is done, which
// is when the object is on disk; a handler that throws makes the cloud send the object again.
import { explain } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import { dispatch, type Downstream, type Handlers, type Upstream } from '@kedge/model/messages';
import { ackRouteOf, type ReceivedByEdge } from '@kedge/wire/hub';

export interface ReceiveDeps {
  readonly handlers: Handlers<Downstream>;
  readonly log: Log;
  /** An id and a time for a message of ours. */
  readonly stamp: () => Pick<Upstream, 'id' | 'at'>;
  readonly send: (message: Upstream) => Promise<void>;
}

/** Starts handling in the order of calls; resolves when the message is handled and answered. Rejects when sending fails. */
export type Receive = (received: ReceivedByEdge) => Promise<void>;

export function createReceive({ handlers, log, stamp, send }: ReceiveDeps): Receive {
  return async (received) => {
    if (!received.ok) {
      const { to, of, say } = received;
      log.warn('message of the cloud refused', { msg: to, resource: of.resource, reason: say });
      return send({ ...stamp(), kind: 'nack', to, of, say });
    }
    const { message } = received;
    const failure = await handle(message);
    if (!isAcked(message)) return undefined;
    const answer = { ...stamp(), to: message.id, of: ackRouteOf(message) };
    return send(failure === undefined ? { ...answer, kind: 'ack' } : { ...answer, kind: 'nack', say: failure });
  };

  async function handle(message: Downstream): Promise<string | undefined> {
    try {
      await dispatch(handlers, message);
      return undefined;
    } catch (error) {
      log.error('message of the cloud could not be handled', { kind: message.kind, msg: message.id, err: error });
      return explain(error).slice(0, 1_024);
    }
  }
}

type Acked = Extract<Downstream, { kind: 'object.put' | 'object.delete' | 'reply' }>;

/** Upstream's own edge acknowledges nearly every reply; its cloud waits for these only. */
const isAcked = (message: Downstream): message is Acked =>
  message.kind === 'object.put' || message.kind === 'object.delete' || (message.kind === 'reply' && message.wantsAck);
