// What evaluating expressions may cost, counted in nodes evaluated and in the size of what they look at. An expression that
// goes over is stopped where it stands.

/** Kubernetes' limits: for one expression, and for all the rules of one object. */
export const callLimit = 1_000_000;
export const objectBudget = 10_000_000;

export class Meter {
  #left: number;
  #call = 0;
  #allowed = 0;
  constructor(budget: number = objectBudget) {
    this.#left = budget;
  }
  /** Before each expression. */
  begin(limit: number = callLimit): void {
    this.#allowed = Math.min(limit, this.#left);
    this.#call = 0;
  }
  charge(cost: number): void {
    this.#call += cost;
    if (this.#call > this.#allowed) throw new OverBudget();
  }
  /** After each expression, however it ended. */
  end(): void {
    this.#left -= Math.min(this.#call, this.#allowed);
  }
  /** The expression went over what it, or the object, may cost. */
  get isOver(): boolean {
    return this.#call > this.#allowed;
  }
  get isEmpty(): boolean {
    return this.#left <= 0;
  }
}

export class OverBudget extends Error {
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
  }
}
