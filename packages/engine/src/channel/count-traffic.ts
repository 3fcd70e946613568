// Bytes of one connection, for counters that outlive it.
import type { Counter } from '@kedge/core/metrics';
import type { Socket } from '@kedge/core/ports';

/** Returns a function that adds what has passed since it was last called. */
export function countTraffic({ traffic }: Pick<Socket, 'traffic'>, counter: Counter): () => void {
  let { sent, received } = { sent: 0, received: 0 };
  return () => {
    counter.add(traffic.sent - sent, { way: 'sent' });
    counter.add(traffic.received - received, { way: 'received' });
    ({ sent, received } = traffic);
  };
}
