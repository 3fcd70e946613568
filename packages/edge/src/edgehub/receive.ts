// What comes from the cloud: bytes -> message -> handler. The acknowledgement leaves when the handler says that it is
// done, which is when the object is on disk; a handler that throws makes the cloud send the object again.
import { explain } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import { dispatch, type Downstream, type Handlers, type RawMessage, type Upstream } from '@kedge/model/messages';
import { ackRouteOf, downstreamFromWire, hubPeerErrors } from '@kedge/wire/hub';

export interface ReceiveDeps {
  readonly handlers: Handlers<Downstream>;
  readonly log: Log;
  /** An id and a time for a message of ours. */
  readonly stamp: () => Pick<Upstream, 'id' | 'at'>;
  readonly send: (message: Upstream) => Promise<void>;
}

/** Starts handling in the order of calls; resolves when the message is handled and answered. Rejects when sending fails. */
export type Receive = (raw: RawMessage) => Promise<void>;

export function createReceive({ handlers, log, stamp, send }: ReceiveDeps): Receive {
  return async (raw) => {
    const message = read(raw);
    if ('refused' in message) {
      log.warn('message of the cloud refused', { msg: raw.header.msg_id, reason: message.refused });
      const { source = '', group = '', resource = '' } = raw.route;
      const to = raw.header.msg_id as Downstream['id'];
      await send({ ...stamp(), kind: 'nack', to, of: { source, group, resource }, say: message.refused });
      return;
    }
    const failure = await handle(message);
    if (!isAcked(message)) return;
    const answer = { ...stamp(), to: message.id, of: ackRouteOf(message) };
    await send(failure === undefined ? { ...answer, kind: 'ack' } : { ...answer, kind: 'nack', say: failure });
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

/** Content that makes no sense costs that message only; the cloud hears why, and the link stays. */
function read(raw: RawMessage): Downstream | { readonly refused: string } {
  try {
    return downstreamFromWire(raw);
  } catch (error) {
    if (!hubPeerErrors.BAD_CONTENT.is(error)) throw error;
    return { refused: error.message };
  }
}

type Acked = Extract<Downstream, { kind: 'object.put' | 'object.delete' | 'reply' }>;

/** Upstream's own edge acknowledges nearly every reply; its cloud waits for these only. */
const isAcked = (message: Downstream): message is Acked =>
  message.kind === 'object.put' || message.kind === 'object.delete' || (message.kind === 'reply' && message.wantsAck);
