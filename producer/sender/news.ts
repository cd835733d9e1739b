/**
 * What the log reports of trouble: little, however long it lasts and however often it comes and goes.
 *
 * Each kind of trouble is reported when it begins, once an hour while it lasts, and at most every five minutes where it
 * comes and goes. Metrics and status always have it.
 */

/** Milliseconds between two lines about trouble that came back, and about trouble that lasts. */
const QUIET_MS = 5 * 60_000;
const REMIND_MS = 60 * 60_000;

export class News<Kind> {
  readonly #told = new Map<Kind, number>();
  readonly #lasting = new Set<Kind>();

  /**
   * Whether trouble of this kind, which is there now, is worth a line.
   *
   * @param now milliseconds on the caller's clock
   */
  worthTelling(kind: Kind, now: number): boolean {
    const last = this.#told.get(kind) ?? Number.NEGATIVE_INFINITY;
    if (now - last < (this.#lasting.has(kind) ? REMIND_MS : QUIET_MS)) return false;
    this.#told.set(kind, now);
    this.#lasting.add(kind);
    return true;
  }

  /** All trouble is over; returns the kinds that were reported, so that their end is reported too. */
  over(): Kind[] {
    const kinds = [...this.#lasting];
    this.#lasting.clear();
    return kinds;
  }
}
