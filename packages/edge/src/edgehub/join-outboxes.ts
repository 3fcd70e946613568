// Several outboxes as one, for the one link that carries them all. Each gets its own entries back.
import type { Outbox, OutboxItem } from './ports.ts';

interface Joined extends OutboxItem {
  readonly settle: (outcome: Parameters<Outbox['settle']>[1]) => Promise<'done' | 'later'>;
}
/** An outbox whose kind of entry is nobody else's business. */
export type AnyOutbox = Outbox<Joined>;

export function toAnyOutbox<Item extends OutboxItem>(outbox: Outbox<Item>): AnyOutbox {
  return {
    take(isBusy, isDense) {
      const item = outbox.take(isBusy, isDense);
      return item && { key: item.key, send: item.send, settle: (outcome) => outbox.settle(item, outcome) };
    },
    settle: (item, outcome) => item.settle(outcome),
    listen: (listener) => outbox.listen(listener),
  };
}

/** What an earlier one has goes first; their keys do not meet. */
export const joinOutboxes = (...outboxes: readonly AnyOutbox[]): AnyOutbox => ({
  take(isBusy, isDense) {
    for (const outbox of outboxes) {
      const item = outbox.take(isBusy, isDense);
      if (item) return item;
    }
    return undefined;
  },
  settle: (item, outcome) => item.settle(outcome),
  listen(listener) {
    const ends = outboxes.map((outbox) => outbox.listen(listener));
    return () => ends.forEach((end) => end());
  },
});
