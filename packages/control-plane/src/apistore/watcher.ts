// One watch: a position in the stream of events that is pulled from, so a slow reader costs nothing but its own delay.
// Recent events come from memory, older ones from the history table, and a position that was compacted ends the watch.
import { abortError } from '@kedge/core/flow';
import type { Range, StoreEvent } from './stored.ts';

export interface Watcher {
  /**
   * The next events in order, at most a batch; none when the watcher has caught up. `revision` is how far it is now, also
   * when nothing happened in this collection. Throws APISTORE_COMPACTED when it fell too far behind.
   */
  next(): { readonly events: readonly StoreEvent[]; readonly revision: number };
  /** Resolves when `next()` may have something; rejects when `signal` aborts. */
  wait(signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface WatcherSource {
  readonly range: Range;
  readonly revision: number;
  newest(): number;
  recent(after: number, limit: number): readonly StoreEvent[] | undefined;
  history(after: number, limit: number): readonly StoreEvent[];
  listen(wake: () => void): () => void;
}

const batch = 100;

export function createWatcher(source: WatcherSource): Watcher {
  let at = source.revision;
  let pending = true;
  let waiter: { resolve(): void; reject(reason: unknown): void } | undefined;
  const stopListening = source.listen(() => {
    pending = true;
    waiter?.resolve();
    waiter = undefined;
  });
  const { namespace } = source.range;

  /** Listened to once for all waits: a watcher waits again for every change, mostly with the same signal. */
  let known: AbortSignal | undefined;
  const onAbort = (): void => {
    waiter?.reject(abortError(known!));
    waiter = undefined;
  };
  const listenTo = (signal: AbortSignal | undefined): void => {
    if (signal === known) return;
    known?.removeEventListener('abort', onAbort);
    signal?.addEventListener('abort', onAbort, { once: true });
    known = signal;
  };

  return {
    next() {
      const newest = source.newest();
      if (at >= newest) {
        pending = false;
        return { events: [], revision: at };
      }
      const read = source.recent(at, batch) ?? source.history(at, batch);
      const full = read.length === batch;
      at = full ? read.at(-1)!.revision : newest;
      pending = full;
      return {
        events: namespace === undefined ? read : read.filter((event) => event.namespace === namespace),
        revision: at,
      };
    },
    wait(signal) {
      if (signal.aborted) return Promise.reject(abortError(signal));
      if (pending) return Promise.resolve();
      listenTo(signal);
      return new Promise((resolve, reject) => {
        waiter = { resolve, reject };
      });
    },
    close() {
      stopListening();
      listenTo(undefined);
    },
  };
}
