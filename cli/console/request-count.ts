/** Counts the calls of S3 that the console makes: an open page must cost little, and says what it costs. */

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

export class RequestCount {
  #total = 0;
  /** By minutes since 1970. */
  readonly #minutes = new Map<number, number>();

  add(now: number): void {
    const minute = Math.floor(now / MINUTE_MS);
    this.#total += 1;
    this.#minutes.set(minute, (this.#minutes.get(minute) ?? 0) + 1);
  }

  counts(now: number): { total: number; lastHour: number } {
    let lastHour = 0;
    for (const [minute, requests] of this.#minutes) {
      if (minute * MINUTE_MS < now - HOUR_MS) this.#minutes.delete(minute);
      else lastHour += requests;
    }
    return { total: this.#total, lastHour };
  }
}
