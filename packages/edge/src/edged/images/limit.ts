// Lets a number of jobs run at once; the others wait in order.
import { orAbort } from '@kedge/core/flow';

export type Limit = <T>(job: () => Promise<T>, signal: AbortSignal) => Promise<T>;

export function createLimit(parallel: number): Limit {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (job, signal) => {
    if (running >= parallel) {
      let enter: () => void = () => undefined;
      const turn = new Promise<void>((resolve) => waiting.push((enter = resolve)));
      try {
        await orAbort(turn, signal);
      } catch (error) {
        const place = waiting.indexOf(enter);
        // A turn that came in the moment of giving up is passed on.
        if (place >= 0) waiting.splice(place, 1);
        else leave();
        throw error;
      }
    } else running += 1;
    try {
      return await job();
    } finally {
      leave();
    }
  };
  function leave(): void {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}
