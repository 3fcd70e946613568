// Two outboxes as one, for the one link that carries both. Each gets its own entries back.
import type { Outbox, OutboxItem } from './ports.ts';

export interface Joined extends OutboxItem {
  readonly settle: (outcome: Parameters<Outbox['settle']>[1]) => Promise<'done' | 'later'>;
}

/** What the first has goes first; keys of the two do not meet. The second may be missing. */
export function joinOutboxes<A extends OutboxItem, B extends OutboxItem>(
  a: Outbox<A>,
  b: Outbox<B> | undefined,
): Outbox<Joined> {
  const wrap = <Item extends OutboxItem>(from: Outbox<Item>, item: Item | undefined): Joined | undefined =>
    item && { key: item.key, send: item.send, settle: (outcome) => from.settle(item, outcome) };
  return {
    take: (isBusy, isDense) => wrap(a, a.take(isBusy, isDense)) ?? (b && wrap(b, b.take(isBusy, isDense))),
    settle: (item, outcome) => item.settle(outcome),
    listen(listener) {
      const ends = [a, b].map((one) => one?.listen(listener));
      return () => ends.forEach((end) => end?.());
    },
  };
}
