// How often one device may be written: so many times at once, and then once per interval on average. A bucket of tokens as one
// number, the time until which writes are paid for (the generic cell rate algorithm).
import type { Duration } from '@kedge/core/time';

export interface WriteRate {
  /** 0: as often as one likes. */
  readonly interval: Duration;
  /** Writes that may follow one another at once after a quiet time; at least 1. */
  readonly burst: number;
}

export class WriteAllowance {
  readonly #rate: WriteRate;
  #paidUntil = 0;

  constructor(rate: WriteRate) {
    this.#rate = rate;
  }

  /** When the next write may begin, by the clock that `spend` is told; it may be past. */
  get nextAt(): number {
    const { interval, burst } = this.#rate;
    return this.#paidUntil - (burst - 1) * interval;
  }

  /** Whether another write after one at this time would have to wait. */
  isShort(now: number): boolean {
    return this.#rate.interval > 0 && now < this.nextAt + this.#rate.interval;
  }

  /**
   * A write that was wanted at this time. It may begin later, when others are served first: that costs nothing, or whoever was
   * held up once would be late for ever.
   */
  spend(wantedAt: number): void {
    this.#paidUntil = Math.max(this.#paidUntil, wantedAt) + this.#rate.interval;
  }

  /** Puts off the next turn, and with it all that come after. */
  delay(by: Duration): void {
    this.#paidUntil += by;
  }
}
