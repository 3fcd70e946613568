// One connection to a target: made when there is something to send, and kept. Whatever goes wrong on it costs it, and so does
// a wait that is given up; that the target says no to a value does not.
import { orAbort } from '@kedge/core/flow';
import { mapperErrors } from '../sdk-errors.ts';

export interface KeptConnection<C> {
  use(signal: AbortSignal, work: (connection: C) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export function keepConnection<C>(
  open: () => Promise<C>,
  drop: (connection: C) => Promise<unknown> | void,
): KeptConnection<C> {
  let kept: Promise<C> | undefined;
  // One that comes when nobody waits for it any more is dropped as well.
  const forget = async (): Promise<void> => {
    const last = kept;
    kept = undefined;
    await last?.then(drop).catch(() => undefined);
  };
  return {
    async use(signal, work) {
      kept ??= open();
      try {
        await orAbort(kept.then(work), signal);
      } catch (error) {
        if (!mapperErrors.PUSH_REFUSED.is(error)) void forget();
        throw error;
      }
    },
    close: forget,
  };
}
