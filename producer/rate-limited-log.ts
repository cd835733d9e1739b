/** A rate-limited log: a few lines at once, then one each so often, with the number of those left out. */

export class RateLimitedLog {
  readonly #burst: number;
  readonly #interval: number;
  #tokens: number;
  #time = Number.NEGATIVE_INFINITY;
  #skipped = 0;

  /**
   * @param burst lines that may be written at once
   * @param interval milliseconds after which one more may be written
   */
  constructor(burst: number, interval: number) {
    this.#burst = burst;
    this.#interval = interval;
    this.#tokens = burst;
  }

  /**
   * Asks for a line.
   *
   * @param now milliseconds of a monotonic clock
   * @returns the number of lines left out since the last one; null if this one is left out too
   */
  take(now: number): number | null {
    const earned = Math.floor((now - this.#time) / this.#interval);
    if (earned >= 1) {
      this.#tokens = Math.min(this.#burst, this.#tokens + earned);
      this.#time = now;
    }
    if (this.#tokens === 0) {
      this.#skipped++;
      return null;
    }
    this.#tokens--;
    const skipped = this.#skipped;
    this.#skipped = 0;
    return skipped;
  }
}
