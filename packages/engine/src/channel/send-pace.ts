// How fast messages may leave: so many a second, with a burst allowance. Senders wait in the order they came.
import { type Clock, milliseconds } from '@kedge/core/time';

export interface SendPace {
  readonly perSecond: number;
  readonly burst: number;
}

/** Returns a function that resolves when the next message may leave. */
export function createSendPace(clock: Clock, { perSecond, burst }: SendPace): (signal: AbortSignal) => Promise<void> {
  let allowance = burst;
  let countedAt = clock.monotonic();
  return async (signal) => {
    const now = clock.monotonic();
    allowance = Math.min(burst, allowance + ((now - countedAt) / 1_000) * perSecond) - 1;
    countedAt = now;
    // Below zero is the queue: each sender waits until the allowance has made up for it.
    if (allowance < 0) {
      await clock.sleep('turn to send', milliseconds(Math.ceil((-allowance / perSecond) * 1_000)), signal);
    }
  };
}
