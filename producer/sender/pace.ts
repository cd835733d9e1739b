/** A bound on bytes a second: a token bucket that may go into debt, so that a request larger than a second's share goes too. */
export class Pace {
  readonly #rate: number;
  #tokens: number;
  #at: number;

  /** @param rate bytes a second, Infinity for no bound; @param now milliseconds on the caller's clock */
  constructor(rate: number, now: number) {
    this.#rate = rate;
    this.#tokens = rate;
    this.#at = now;
  }

  /** The time at which the next request may go: `now`, or when the debt is paid. */
  readyAt(now: number): number {
    if (this.#rate === Number.POSITIVE_INFINITY) return now;
    this.#tokens = Math.min(this.#rate, this.#tokens + ((now - this.#at) / 1000) * this.#rate);
    this.#at = now;
    return this.#tokens > 0 ? now : now + (-this.#tokens / this.#rate) * 1000 + 1;
  }

  spend(bytes: number): void {
    this.#tokens -= bytes;
  }
}
