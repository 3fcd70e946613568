// The real clock.
import { abortError } from '@kedge/core/flow';
import { type Clock, instant, milliseconds } from '@kedge/core/time';

/** Milliseconds from an arbitrary start. `performance.now` would load a module for what the kernel tells. */
const elapsed = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Timers take at most this; longer sleeps are made of several. */
const longestTimer = 2_147_483_647;

export const systemClock: Clock = {
  now: () => instant(Date.now()),
  monotonic: () => milliseconds(elapsed()),
  sleep(_name, howLong, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return void reject(abortError(signal));
      const due = elapsed() + howLong;
      let timer: NodeJS.Timeout;
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(abortError(signal!));
      };
      // A timer may fire a little early, and it has an upper bound: look at the time again when it fires.
      const wait = (left: number): void => {
        timer = setTimeout(onTimer, Math.min(longestTimer, Math.max(0, Math.ceil(left))));
      };
      const onTimer = (): void => {
        const left = due - elapsed();
        if (left > 0) return wait(left);
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      wait(howLong);
    });
  },
};
