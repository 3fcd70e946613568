// Carries outbox entries to the cloud while the link stands: several at once, those of one key one after the other. An
// entry leaves the outbox when the cloud has confirmed it; one that it cannot take now steps aside for a while.
import { backoffDelay, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import { type Clock, seconds } from '@kedge/core/time';
import type { Outcome, Upstream } from '@kedge/model/messages';
import type { Asks, Outbox, OutboxItem } from './ports.ts';

type Told = Extract<OutboxItem['send'], { as: 'tell' | 'upload' }>;

export interface DrainOptions<Item extends OutboxItem> {
  readonly clock: Clock;
  readonly log: Log;
  readonly outbox: Outbox<Item>;
  readonly isDense: boolean;
  readonly ask: Asks['ask'];
  /** For what the cloud does not answer; resolves when handed to the network. */
  readonly tell: (item: Told) => Promise<void>;
}

/** Half of upstream's receive buffer. */
const maxUnderway = 16;
/** Our cloud answers the report of a device when it is written, which takes a second: many wait at a time. */
const maxUnderwayDense = 256;
const aside = { first: seconds(2), max: seconds(300) } as const;

export async function drainOutbox<Item extends OutboxItem>(
  { clock, log, outbox, isDense, ask, tell }: DrainOptions<Item>,
  signal: AbortSignal,
): Promise<void> {
  const underway = new Set<string>();
  const waiting = new Set<string>();
  const failures = new Map<string, number>();
  const wakeup = new Wakeup();
  const stopListening = outbox.listen(() => wakeup.wake());

  async function carry(item: Item): Promise<Outcome<unknown>> {
    if (item.send.as === 'question') return ask(item.send.body, signal);
    await tell(item.send);
    return { ok: true, value: undefined };
  }

  function stepAside(key: string): void {
    const attempt = failures.get(key) ?? 0;
    const wait = backoffDelay(attempt, aside);
    failures.set(key, attempt + 1);
    waiting.add(key);
    log.debug('a report is sent again later', { key, attempt: attempt + 1, retryInMs: wait });
    void clock
      .sleep(`${key} to be reported again`, wait, signal)
      .then(() => {
        waiting.delete(key);
        wakeup.wake();
      })
      .catch(() => undefined);
  }

  async function handle(item: Item): Promise<void> {
    try {
      if ((await outbox.settle(item, await carry(item))) === 'done') failures.delete(item.key);
      else stepAside(item.key);
    } catch (error) {
      if (signal.aborted) return;
      log.warn('a report could not be settled', { key: item.key, err: error });
      stepAside(item.key);
    } finally {
      underway.delete(item.key);
      wakeup.wake();
    }
  }

  try {
    while (!signal.aborted) {
      const isBusy = (key: string): boolean => underway.has(key) || waiting.has(key);
      const item =
        underway.size < (isDense ? maxUnderwayDense : maxUnderway) ? outbox.take(isBusy, isDense) : undefined;
      if (item) {
        underway.add(item.key);
        void handle(item);
      } else {
        await wakeup.wait(signal).catch(() => undefined);
      }
    }
  } finally {
    stopListening();
  }
}

/** What an entry without an answer is on the link. */
export function toTold(told: Told, base: Pick<Upstream, 'id' | 'at'>): Upstream {
  if (told.as === 'upload') return { ...base, kind: 'bus.upload', topic: told.topic, payload: told.payload };
  const { ref, event, change } = told;
  return { ...base, kind: 'event.put', ref, event, change };
}
