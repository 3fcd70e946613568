// The real clock.
import { abortError } from '@kedge/core/flow';
import { type Clock, instant, milliseconds } from '@kedge/core/time';

/** Timers take at most this; longer sleeps are made of several. */
const longestTimer = 2_147_483_647;

export const systemClock: Clock = {
  now: () => instant(Date.now()),
  monotonic: () => milliseconds(performance.now()),
  sleep(_name, howLong, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return void reject(abortError(signal));
      const due = performance.now() + howLong;
      let timer: NodeJS.Timeout;
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(abortError(signal!));
      };
      const step = (): void => {
        const left = due - performance.now();
        if (left > longestTimer) {
          timer = setTimeout(step, longestTimer);
        } else {
          timer = setTimeout(
            () => {
              signal?.removeEventListener('abort', onAbort);
              resolve();
            },
            Math.max(0, left),
          );
        }
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      step();
    });
  },
};
