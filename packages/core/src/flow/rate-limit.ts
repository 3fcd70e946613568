// Limits how often something is done per second, with a burst allowance. Callers wait in the order they came.
import { type Clock, milliseconds } from '../time/index.ts';

export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** Returns a function that resolves when it is the caller's turn; `name` says for what, in tests that are stuck. */
export function createRateLimit(
  clock: Clock,
  name: string,
  { perSecond, burst }: RateLimit,
): (signal: AbortSignal) => Promise<void> {
  let tokens = burst;
  let refilledAt = clock.monotonic();
  return async (signal) => {
    const now = clock.monotonic();
    tokens = Math.min(burst, tokens + ((now - refilledAt) / 1_000) * perSecond);
    refilledAt = now;
    // A negative balance is the queue: each caller takes its token at once and waits until the bucket has made up for it.
    tokens -= 1;
    if (tokens >= 0) return;
    try {
      await clock.sleep(name, milliseconds(Math.ceil((-tokens / perSecond) * 1_000)), signal);
    } catch (error) {
      tokens += 1;
      throw error;
    }
  };
}
