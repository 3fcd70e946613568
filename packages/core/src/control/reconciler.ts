// Runs a reconcile function over keys: the same key never twice at once, different keys in parallel up to a bound,
// failures retried with back-off per key. Events only put keys in, so a lost event costs a delay, not correctness.
import { explain, retryOf } from '../errors/index.ts';
import { backoffDelay, type Scope, Wakeup } from '../flow/index.ts';
import type { Log } from '../log/index.ts';
import { type Clock, type Duration, milliseconds, minutes } from '../time/index.ts';

/** When to look at a key again: not before something changes, or after a while. */
export type Next = { readonly again: false } | { readonly again: true; readonly after: Duration; readonly why: string };

export const done: Next = { again: false };
export const again = (after: Duration, why: string): Next => ({ again: true, after, why });

export interface ReconcilerOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Next>;
  /** How many keys are worked on at once; 1 keeps them strictly serial. */
  readonly parallel?: number;
  /** A pass that takes longer gives its place to another key, so that many that hang do not hold up the rest. */
  readonly slowAfter?: Duration;
  readonly firstRetry?: Duration;
  readonly maxRetry?: Duration;
}

export interface Reconciler {
  /** Have a look at this key, soon. Cheap and idempotent. */
  enqueue(key: string): void;
  /** Have a look after a while; an earlier `enqueue` wins. */
  enqueueAfter(key: string, after: Duration): void;
  /** Runs until the scope ends. */
  start(scope: Scope): void;
  /** Keys waiting or in work. */
  readonly pending: number;
}

/** Given as the reason: without one, every abort makes a DOMException with a stack. */
const earlier = new Error('the key is looked at earlier');

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const {
    name,
    clock,
    log,
    reconcile,
    parallel = 1,
    slowAfter,
    firstRetry = milliseconds(50),
    maxRetry = minutes(2),
  } = options;
  const ready = new Set<string>();
  const working = new Map<string, Promise<void>>();
  const dirty = new Set<string>();
  const failures = new Map<string, number>();
  /** Of the passes that count against `parallel`. */
  let places = 0;
  const timers = new Map<string, { due: number; stop: AbortController }>();
  const wakeup = new Wakeup();
  let scope: Scope | undefined;

  const enqueue = (key: string): void => {
    timers.get(key)?.stop.abort(earlier);
    timers.delete(key);
    if (working.has(key)) dirty.add(key);
    else if (!ready.has(key)) ready.add(key);
    wakeup.wake();
  };

  const enqueueAfter = (key: string, after: Duration): void => {
    // Without a scope there is nothing to bound a wait: look when the work begins.
    if (!scope) return enqueue(key);
    if (scope.signal.aborted) return;
    const due = clock.monotonic() + after;
    const timer = timers.get(key);
    if (timer && timer.due <= due) return;
    timer?.stop.abort(earlier);
    const stop = new AbortController();
    timers.set(key, { due, stop });
    void clock
      .sleep(`${name}: ${key} again`, after, stop.signal)
      .then(() => enqueue(key))
      .catch(() => undefined);
  };

  /** Returns what gives the place back, at the latest when the pass ends. */
  function takePlace(key: string): () => void {
    places += 1;
    let hasLeft = false;
    const ended = slowAfter === undefined ? undefined : new AbortController();
    const leave = (): void => {
      if (hasLeft) return;
      hasLeft = true;
      ended?.abort(earlier);
      places -= 1;
      wakeup.wake();
    };
    if (slowAfter !== undefined)
      void clock.sleep(`${name}: ${key} is slow`, slowAfter, ended?.signal).then(leave, leave);
    return leave;
  }

  async function work(key: string, signal: AbortSignal): Promise<void> {
    const leave = takePlace(key);
    try {
      const next = await reconcile(key, signal);
      failures.delete(key);
      if (next.again) enqueueAfter(key, next.after);
    } catch (error) {
      if (signal.aborted) return;
      const attempt = failures.get(key) ?? 0;
      if (retryOf(error) === 'never') {
        failures.delete(key);
        log.error('reconcile gave up', { component: name, key, err: error });
        return;
      }
      const after = backoffDelay(attempt, { first: firstRetry, max: maxRetry });
      failures.set(key, attempt + 1);
      log[attempt < 3 ? 'debug' : 'warn']('reconcile failed and will be tried again', {
        component: name,
        key,
        attempt: attempt + 1,
        retryInMs: after,
        reason: explain(error),
      });
      enqueueAfter(key, after);
    } finally {
      leave();
      working.delete(key);
      if (dirty.delete(key)) enqueue(key);
      wakeup.wake();
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const key of ready) {
        if (places >= parallel) break;
        ready.delete(key);
        working.set(key, work(key, signal));
      }
      await wakeup.wait(signal).catch(() => undefined);
    }
    // What a pass has in hand it may still need: the scope puts nothing away before.
    await Promise.all(working.values());
  }

  return {
    enqueue,
    enqueueAfter,
    start(owner) {
      scope = owner;
      // One listener for all timers: a signal made of two for each of them costs more than the timer.
      owner.signal.addEventListener('abort', () => timers.forEach(({ stop }) => stop.abort(owner.signal.reason)), {
        once: true,
      });
      owner.spawn(`${name} queue`, run);
    },
    get pending() {
      return ready.size + working.size + timers.size;
    },
  };
}
