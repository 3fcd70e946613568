// A clock that stands still until told otherwise, for tests. `until` moves it only when nothing else can run.
import type { Clock } from '../time/clock.ts';
import { type Duration, type Instant, instant, milliseconds } from '../time/duration.ts';

interface Sleeper {
  readonly name: string;
  readonly due: number;
  readonly wake: () => void;
}

export class FakeClock implements Clock {
  #elapsed = 0;
  #wallOffset: number;
  #sleepers: Sleeper[] = [];
  readonly #settle: () => Promise<void>;

  /** `settle` lets everything that can run, run (a real timer tick or two); supplied by the test runtime. */
  constructor(options: { startAt?: Instant; settle: () => Promise<void> }) {
    this.#wallOffset = options.startAt ?? Date.UTC(2026, 0, 1);
    this.#settle = options.settle;
  }

  now(): Instant {
    return instant(this.#wallOffset + this.#elapsed);
  }

  monotonic(): Duration {
    return milliseconds(this.#elapsed);
  }

  /** Sets the wall clock, as an operator or NTP would; monotonic time and sleepers do not notice. */
  jumpTo(at: Instant): void {
    this.#wallOffset = at - this.#elapsed;
  }

  sleep(name: string, howLong: Duration, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return void reject(signal.reason);
      const onAbort = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        name,
        due: this.#elapsed + Math.max(0, howLong),
        wake: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** What is being waited for, earliest first. */
  get waiting(): readonly string[] {
    return [...this.#sleepers].sort((a, b) => a.due - b.due).map((s) => `${s.name} (in ${s.due - this.#elapsed} ms)`);
  }

  /** Moves time on by `howLong`, waking sleepers in order and letting each run. */
  async advance(howLong: Duration): Promise<void> {
    const target = this.#elapsed + howLong;
    for (;;) {
      await this.#settle();
      const next = this.#earliest();
      if (!next || next.due > target) break;
      this.#wake(next);
    }
    this.#elapsed = target;
    await this.#settle();
  }

  /** Moves time on until `promise` settles; gives up after `limit` of fake time and says who still waits for what. */
  async until<T>(promise: Promise<T>, limit: Duration = milliseconds(24 * 3_600_000)): Promise<T> {
    let settled = false;
    const watched = promise.finally(() => {
      settled = true;
    });
    watched.catch(() => undefined);
    const end = this.#elapsed + limit;
    let idle = 0;
    for (;;) {
      await this.#settle();
      if (settled) return watched;
      const next = this.#earliest();
      if (next && next.due <= end) {
        idle = 0;
        this.#wake(next);
        continue;
      }
      if (++idle > 200) throw new Error(`nothing settles the promise; waiting: ${this.waiting.join(', ') || 'nobody'}`);
    }
  }

  #earliest(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) if (!first || sleeper.due < first.due) first = sleeper;
    return first;
  }

  #wake(sleeper: Sleeper): void {
    this.#elapsed = Math.max(this.#elapsed, sleeper.due);
    this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
    sleeper.wake();
  }
}
