// When a container that ended may be started again: at once the first time, then after ten seconds, doubling up to five
// minutes. A run of ten minutes clears its name.
import { type Duration, type Instant, minutes, plus, seconds } from '@kedge/core/time';

export interface RestartBackoff {
  readonly delay: Duration;
  /** End of the run after which `delay` was last set. */
  readonly setAt: Instant;
}

const firstRestartDelay = seconds(10);
const longestRestartDelay = minutes(5);

export type RestartDecision =
  | { readonly restart: true; readonly backoff: RestartBackoff }
  | { readonly restart: false; readonly at: Instant; readonly delay: Duration };

/** `endedAt` is when the last run ended; `before` is the outcome of the decision before that run. */
export function decideRestart(before: RestartBackoff | undefined, endedAt: Instant, now: Instant): RestartDecision {
  if (!before || endedAt - before.setAt > 2 * longestRestartDelay) {
    return { restart: true, backoff: { delay: firstRestartDelay, setAt: endedAt } };
  }
  const due = plus(endedAt, before.delay);
  // A clock that was set back must not hold a container for longer than its delay.
  if (now < due && endedAt <= now) return { restart: false, at: due, delay: before.delay };
  const delay = Math.min(before.delay * 2, longestRestartDelay) as Duration;
  return { restart: true, backoff: { delay, setAt: endedAt } };
}
