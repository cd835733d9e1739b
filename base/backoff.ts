/** Exponential backoff with jitter, and no cap on attempts ("Exponential Backoff And Jitter", AWS Architecture Blog). */

export interface BackoffLimits {
  /** Milliseconds: the first delay is at most `base`, none is above `cap`. */
  readonly base: number;
  readonly cap: number;
  /**
   * How much of each delay is random: `full` spreads many clients best, `half` never retries at once, and `none` is
   * for a single client. `full` unless given.
   */
  readonly jitter?: 'full' | 'half' | 'none';
}

/** Half of a delay, and up to the other half by chance, so that clients that failed together do not return together. */
export function halfJitter(ms: number, random: () => number = Math.random): number {
  return ms * (0.5 + random() / 2);
}

/** Delays for one thing that keeps failing, until a success resets them. */
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
    const { base, cap, jitter = 'full' } = this.#limits;
    const ceiling = Math.min(cap, base * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    if (jitter === 'none') return ceiling;
    return jitter === 'half' ? halfJitter(ceiling, this.#random) : this.#random() * ceiling;
  }

  reset(): void {
    this.#failures = 0;
  }
}
