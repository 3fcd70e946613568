// Structured tasks: whatever is spawned in a scope ends with it, and what was opened is put away in reverse order.
import { defineErrors, explain } from '../errors/index.ts';
import type { Clock, Duration } from '../time/index.ts';

export interface Scope {
  /** Aborted when the owner has to end. */
  readonly signal: AbortSignal;
  /** Runs `task` until it ends by itself or the signal aborts; a rejection before that fails the scope. */
  spawn(name: string, task: (signal: AbortSignal) => Promise<void>): void;
  /** Registers a clean-up; clean-ups run last-in, first-out after every task has ended. */
  defer(name: string, cleanup: () => void | Promise<void>): void;
}

export interface OwnedScope extends Scope {
  /** Settles with the first failure of a spawned task; never settles otherwise. */
  readonly failed: Promise<Error>;
  /** Aborts, waits at most `grace` for tasks, runs the clean-ups, and names what did not end or could not be put away. */
  close(grace: Duration, reason?: string): Promise<readonly string[]>;
}

export const scopeErrors = defineErrors('SCOPE', {
  CLOSED: { retry: 'never', say: (d: { task: string }) => `cannot start task "${d.task}": its scope is closed` },
});

export function openScope({ clock, name }: { clock: Clock; name: string }): OwnedScope {
  const stop = new AbortController();
  const running = new Map<Promise<void>, string>();
  const cleanups: { name: string; cleanup: () => void | Promise<void> }[] = [];
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => (fail = resolve));
  let closing: Promise<readonly string[]> | undefined;
  let ended = false;

  async function end(grace: Duration, reason: string): Promise<readonly string[]> {
    stop.abort(new Error(reason));
    const left: string[] = [];
    const timer = new AbortController();
    const allDone = Promise.allSettled(running.keys()).then(() => true);
    const timeUp = clock.sleep(`${name}: tasks to end`, grace, timer.signal).then(
      () => false,
      () => true,
    );
    if (!(await Promise.race([allDone, timeUp]))) left.push(...running.values());
    timer.abort();
    for (let next = cleanups.pop(); next; next = cleanups.pop()) {
      try {
        await next.cleanup();
      } catch (error) {
        left.push(`${next.name}: ${explain(error)}`);
      }
    }
    ended = true;
    return left;
  }

  return {
    signal: stop.signal,
    failed,
    spawn(task, run) {
      if (stop.signal.aborted) throw scopeErrors.CLOSED({ task });
      const promise: Promise<void> = Promise.resolve()
        .then(() => run(stop.signal))
        .catch((error: unknown) => {
          if (!stop.signal.aborted) fail(error instanceof Error ? error : new Error(String(error)));
        })
        .finally(() => running.delete(promise));
      running.set(promise, task);
    },
    defer(what, cleanup) {
      if (!ended) return void cleanups.push({ name: what, cleanup });
      // Opened by something that did not notice the end: put away at once, and nobody is left to tell of a failure.
      void (async () => cleanup())().catch(() => undefined);
    },
    close: (grace, reason = `${name} is closing`) => (closing ??= end(grace, reason)),
  };
}
