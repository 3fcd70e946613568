// Time as a port. Production code is handed the system clock of the platform package; tests hand in a FakeClock.
import type { Duration, Instant } from './duration.ts';

export interface Clock {
  /** Wall-clock time; it can jump. */
  now(): Instant;
  /** Milliseconds from an arbitrary start; never goes back, so intervals are measured with this one. */
  monotonic(): Duration;
  /**
   * Resolves after `howLong`. `name` says what is waited for: it shows up when a test gets stuck.
   * When `signal` aborts, the sleep rejects at once with the signal's reason.
   */
  sleep(name: string, howLong: Duration, signal?: AbortSignal): Promise<void>;
}

/** Given as the reason: without one, every abort makes a DOMException with a stack, which busy links pay for. */
const inTime = new Error('what was waited for came in time');

/** Waits for `promise`, at most `limit`; rejects with what `onTimeout` makes when time is up first. */
export async function withTimeout<T>(
  clock: Clock,
  name: string,
  limit: Duration,
  promise: Promise<T>,
  onTimeout: () => Error,
): Promise<T> {
  const stop = new AbortController();
  try {
    return await Promise.race([promise, clock.sleep(name, limit, stop.signal).then(() => Promise.reject(onTimeout()))]);
  } finally {
    stop.abort(inTime);
  }
}
