// Small coordination pieces: a bounded channel of values, a mutex by key, and a latch that wakes waiters.
import { defineErrors } from '../errors/index.ts';
import { abortError, orAbort } from './abort.ts';

export const flowErrors = defineErrors('FLOW', {
  OVERFLOW: {
    retry: 'backoff',
    say: (d: { queue: string; limit: number }) => `queue "${d.queue}" holds ${d.limit} entries and takes no more`,
  },
});

/** Values handed from producers to one consumer, first in, first out, at most `limit` waiting. */
export class BoundedQueue<T> implements AsyncIterable<T> {
  readonly #name: string;
  readonly #limit: number;
  #items: T[] = [];
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(name: string, limit: number) {
    this.#name = name;
    this.#limit = limit;
  }

  get size(): number {
    return this.#items.length;
  }

  /** Throws FLOW_OVERFLOW when full; the caller decides whether to drop, wait or hang up. Ignored after `close`. */
  push(item: T): void {
    if (this.#closed) return;
    if (this.#items.length >= this.#limit) throw flowErrors.OVERFLOW({ queue: this.#name, limit: this.#limit });
    this.#items.push(item);
    this.#wake?.();
  }

  /** No more pushes; what is queued is still delivered. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      while (this.#items.length > 0) yield this.#items.shift()!;
      if (this.#closed) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }

  /** The next value; undefined when closed and empty. Rejects when `signal` aborts first. */
  async take(signal: AbortSignal): Promise<T | undefined> {
    while (this.#items.length === 0) {
      if (this.#closed) return undefined;
      if (signal.aborted) throw abortError(signal);
      await orAbort(new Promise<void>((resolve) => (this.#wake = resolve)), signal);
    }
    return this.#items.shift();
  }
}

/** One holder per key at a time, others wait their turn. */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<void>>();

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const result = before.then(work);
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    this.#tails.set(key, tail);
    try {
      return await result;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}

/** Something changed: waiters look again. A wake that finds nobody waiting is remembered once. */
export class Wakeup {
  #pending = false;
  #waiters: (() => void)[] = [];

  wake(): void {
    if (this.#waiters.length === 0) this.#pending = true;
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (this.#pending) {
      this.#pending = false;
      return;
    }
    let woken = false;
    let mine: (() => void) | undefined;
    const wake = new Promise<void>((resolve) => {
      mine = () => {
        woken = true;
        resolve();
      };
      this.#waiters.push(mine);
    });
    try {
      await orAbort(wake, signal);
    } catch (error) {
      // Woken and aborted in the same moment: the wake is for whoever waits next.
      if (woken) this.wake();
      throw error;
    } finally {
      this.#waiters = this.#waiters.filter((waiter) => waiter !== mine);
    }
  }
}
