/** Notices a format that does not match its lines, as when a server's log format was changed while the agent runs. */

/** Lines that did not parse, from which on a format can be called wrong, and their share of all. */
const LEAST_LINES = 10;
const SHARE = 0.5;
/** Milliseconds that are looked at together. */
const WINDOW = 60_000;
/** Lines that are enough before a window is over. */
const ENOUGH_LINES = 100;

export class Fit {
  #windowStart = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #unparsed = 0;
  #wrong: { readonly lines: number; readonly unparsed: number } | null = null;

  /**
   * Takes what was read since the last call.
   *
   * @param now milliseconds of a monotonic clock
   * @returns whether the format has begun to be wrong, or has come right; null when nothing changed
   */
  add(lines: number, unparsed: number, now: number): 'wrong' | 'right' | null {
    if (lines === 0) return null;
    if (now - this.#windowStart >= WINDOW) {
      this.#windowStart = now;
      this.#lines = 0;
      this.#unparsed = 0;
    }
    this.#lines += lines;
    this.#unparsed += unparsed;
    const many = this.#unparsed >= SHARE * this.#lines;
    if (many && this.#unparsed >= LEAST_LINES) {
      const before = this.#wrong;
      this.#wrong = { lines: this.#lines, unparsed: this.#unparsed };
      return before === null ? 'wrong' : null;
    }
    const enough = this.#lines >= ENOUGH_LINES || (this.#unparsed === 0 && this.#lines >= LEAST_LINES);
    if (many || this.#wrong === null || !enough) return null;
    this.#wrong = null;
    return 'right';
  }

  /** What is wrong, as a sentence; null while the format matches. */
  get reason(): string | null {
    if (this.#wrong === null) return null;
    const { lines, unparsed } = this.#wrong;
    return `${unparsed} of the last ${lines} lines do not match the format and are kept as text: compare the server's log format with the input's, and run \`tailrace agent --check\``;
  }
}
