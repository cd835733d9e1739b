/** Exponential backoff with full jitter, and no cap on tries ("Exponential Backoff And Jitter", AWS Architecture Blog). */

export interface BackoffLimits {
  /** Milliseconds: the first delay is below `base`, none is above `cap`. */
  readonly base: number;
  readonly cap: number;
}

/** Delays for one thing that fails again and again, until it is reset by a success. */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: () => number;
  #failures = 0;

  /** @param random a number in [0, 1) */
  constructor(limits: BackoffLimits, random: () => number = Math.random) {
    this.#limits = limits;
    this.#random = random;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure and returns the milliseconds to wait. */
  next(): number {
    const { base, cap } = this.#limits;
    const ceiling = Math.min(cap, base * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return this.#random() * ceiling;
  }

  reset(): void {
    this.#failures = 0;
  }
}
