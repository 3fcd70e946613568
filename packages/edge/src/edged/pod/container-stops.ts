// Containers that are being stopped. A stop takes as long as its grace period, so it runs beside everything else; a
// later, shorter one hurries it up.
import { explain } from '@kedge/core/errors';
import { type Clock, type Duration, plus, type Instant, seconds, milliseconds } from '@kedge/core/time';
import { backoffDelay, type Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Cri } from '@kedge/wire/cri';
import { rpcCodeOf, rpcMessage } from '@kedge/wire/rpc';

export interface ContainerStops {
  /** Starts or hurries a stop. */
  stop(id: string, stop: Stop): void;
  has(id: string): boolean;
  readonly size: number;
}

export interface Stop {
  readonly grace: Duration;
  /** The container has ended, or is gone. */
  readonly done: () => void;
  /** The runtime would not; it is asked again. */
  readonly refused?: (reason: string) => void;
  /** Runs first and has its time taken from the grace. */
  readonly beforehand?: ((within: Duration, signal: AbortSignal) => Promise<void>) | undefined;
}

/** The runtime answers after the grace; this much later it is given up and tried again. */
const slack = seconds(30);
const shortestGrace = seconds(1);
const firstRetry = seconds(1);
const longestRetry = seconds(30);
const absentPause = seconds(5);

export function createContainerStops(deps: { cri: Cri; clock: Clock; log: Log; scope: Scope }): ContainerStops {
  const { cri, clock, log, scope } = deps;
  const under = new Map<string, { due: Instant; hurry: AbortController }>();

  async function run(id: string, { grace, beforehand, refused }: Stop, hurry: AbortSignal): Promise<void> {
    const began = clock.monotonic();
    const either = AbortSignal.any([hurry, scope.signal]);
    if (beforehand) await beforehand(grace, either).catch(() => undefined);
    for (let attempt = 0; ; attempt++) {
      const left = Math.max(shortestGrace, grace - (clock.monotonic() - began)) as Duration;
      // Hurried: the one who hurries makes the call.
      if (either.aborted) return;
      const answer = await call(id, left);
      if (answer === 'stopped') return;
      // Who lists it nevertheless is asked again, but not without a pause.
      if (answer === 'absent')
        return void (await clock.sleep('container that is gone', absentPause, either).catch(() => undefined));
      refused?.(answer.reason);
      const wait = backoffDelay(attempt, { first: firstRetry, max: longestRetry });
      await clock.sleep('another try to stop a container', wait, either).catch(() => undefined);
    }
  }

  async function call(
    containerId: string,
    grace: Duration,
  ): Promise<'stopped' | 'absent' | { readonly reason: string }> {
    const timeout = BigInt(Math.ceil(grace / 1_000));
    const limit = milliseconds(grace + slack);
    try {
      await cri.stopContainer({ containerId, timeout }, { signal: scope.signal, timeout: limit });
      return 'stopped';
    } catch (error) {
      if (scope.signal.aborted) return 'stopped';
      if (rpcCodeOf(error) === 'NOT_FOUND') return 'absent';
      log.warn('container could not be stopped', { container: containerId, reason: explain(error) });
      return { reason: rpcMessage(error) };
    }
  }

  return {
    stop(id, stop) {
      const { grace, done, beforehand } = stop;
      const due = plus(clock.now(), grace);
      const before = under.get(id);
      if (before && before.due <= plus(due, seconds(1))) return;
      before?.hurry.abort();
      const entry = { due, hurry: new AbortController() };
      under.set(id, entry);
      scope.spawn(`stop ${id}`, async () => {
        await run(id, { ...stop, beforehand: before ? undefined : beforehand }, entry.hurry.signal);
        if (under.get(id) !== entry) return;
        under.delete(id);
        done();
      });
    },
    has: (id) => under.has(id),
    get size() {
      return under.size;
    },
  };
}
