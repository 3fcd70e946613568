// Containers that are being stopped. A stop takes as long as its grace period, so it runs beside everything else; a
// later, shorter one hurries it up.
import { explain } from '@kedge/core/errors';
import { type Clock, type Duration, plus, type Instant, seconds, milliseconds } from '@kedge/core/time';
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Cri } from '@kedge/wire/cri';
import { rpcCodeOf } from '@kedge/wire/rpc';

export interface ContainerStops {
  /** Starts or hurries a stop. `beforehand` runs first and has its time taken from the grace. */
  stop(
    id: string,
    grace: Duration,
    done: () => void,
    beforehand?: (within: Duration, signal: AbortSignal) => Promise<void>,
  ): void;
  has(id: string): boolean;
  readonly size: number;
}

/** The runtime answers after the grace; this much later it is given up and tried again. */
const slack = seconds(30);
const shortestGrace = seconds(1);

export function createContainerStops(deps: { cri: Cri; clock: Clock; log: Log; scope: Scope }): ContainerStops {
  const { cri, clock, log, scope } = deps;
  const under = new Map<string, { due: Instant; hurry: AbortController }>();

  async function run(
    id: string,
    grace: Duration,
    hurry: AbortSignal,
    beforehand: ((within: Duration, signal: AbortSignal) => Promise<void>) | undefined,
  ): Promise<void> {
    const began = clock.monotonic();
    if (beforehand) await beforehand(grace, AbortSignal.any([hurry, scope.signal])).catch(() => undefined);
    const left = Math.max(shortestGrace, grace - (clock.monotonic() - began)) as Duration;
    // Hurried: the one who hurries makes the call.
    if (hurry.aborted) return;
    await call(id, left);
  }

  async function call(containerId: string, grace: Duration): Promise<void> {
    const timeout = BigInt(Math.ceil(grace / 1_000));
    const limit = milliseconds(grace + slack);
    try {
      await cri.stopContainer({ containerId, timeout }, { signal: scope.signal, timeout: limit });
    } catch (error) {
      if (scope.signal.aborted || rpcCodeOf(error) === 'NOT_FOUND') return;
      log.warn('container could not be stopped', { container: containerId, reason: explain(error) });
    }
  }

  return {
    stop(id, grace, done, beforehand) {
      const due = plus(clock.now(), grace);
      const before = under.get(id);
      if (before && before.due <= plus(due, seconds(1))) return;
      before?.hurry.abort();
      const entry = { due, hurry: new AbortController() };
      under.set(id, entry);
      scope.spawn(`stop ${id}`, async () => {
        await run(id, grace, entry.hurry.signal, before ? undefined : beforehand);
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
