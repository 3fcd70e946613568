// Exponential back-off with jitter, as a plain sequence of waits.
import { type Duration, milliseconds } from '../time/index.ts';

export interface BackoffOptions {
  readonly first: Duration;
  readonly max: Duration;
  readonly factor?: number;
  /** 0 to 1: how much of a wait may be taken off at random. */
  readonly jitter?: number;
  /** Uniform in [0, 1); required when jitter is not 0. */
  readonly random?: () => number;
}

/** The wait before try number `attempt` (0 is the first retry). */
export function backoffDelay(attempt: number, options: BackoffOptions): Duration {
  const { first, max, factor = 2, jitter = 0, random } = options;
  const full = Math.min(max, first * factor ** Math.min(attempt, 64));
  return milliseconds(Math.round(full - full * jitter * (random ? random() : 0)));
}

export interface Backoff {
  next(): Duration;
  reset(): void;
  readonly attempt: number;
}

export function createBackoff(options: BackoffOptions): Backoff {
  let attempt = 0;
  return {
    next: () => backoffDelay(attempt++, options),
    reset: () => {
      attempt = 0;
    },
    get attempt() {
      return attempt;
    },
  };
}
