/**
 * Zeros in the middle of a log, as a power loss leaves them where a file grew and its data never reached the disk:
 * they are counted and passed over, and what comes before and after them are lines of their own.
 */
import type { Tally } from '../format/json-bytes.ts';
import { ALL, type Ending, MORE_TO_COME, type Splitter } from './lines.ts';

const NEWLINE = 0x0a;
/** Zeros inside a line that can no longer be content. */
const HOLE_BYTES = 16;

export class ZerosSplitter implements Splitter {
  readonly #inner: Splitter;
  readonly #tally: Tally;
  readonly #maxLine: number;

  /** @param maxLine bytes of zeros at the end of what was read that are not waited for any longer */
  constructor(inner: Splitter, tally: Tally, maxLine: number) {
    this.#inner = inner;
    this.#tally = tally;
    this.#maxLine = maxLine;
  }

  get skipping(): boolean {
    return this.#inner.skipping;
  }

  set skipping(skipping: boolean) {
    this.#inner.skipping = skipping;
  }

  take(bytes: Buffer, start: number, end: number, ending: Ending): number {
    // One pass at the speed of memory where there are none, which is nearly always.
    let zero = bytes.subarray(start, end).indexOf(0);
    if (zero < 0) return this.#inner.take(bytes, start, end, ending);
    let at = start;
    for (zero += start; zero < end && zero >= at; ) {
      let to = zero;
      while (to < end && bytes[to] === 0) to++;
      const before = zero > 0 ? bytes[zero - 1] : NEWLINE;
      const hole = to - zero >= HOLE_BYTES || before === NEWLINE || before === 0;
      // They may be space that the writer has yet to fill.
      if (hole && to === end && ending !== ALL && to - zero <= this.#maxLine)
        return this.#piece(bytes, at, zero, ending);
      if (hole) {
        this.#piece(bytes, at, zero, ALL);
        this.#tally.zeros += to - zero;
        at = to;
      }
      const next = bytes.subarray(to, end).indexOf(0);
      if (next < 0) break;
      zero = to + next;
    }
    return at === end ? end : this.#inner.take(bytes, at, end, ending);
  }

  /** Gives on what stands before zeros, with a newline in the place of the first one. */
  #piece(bytes: Buffer, at: number, zero: number, ending: Ending): number {
    if (at === zero) {
      if (ending !== MORE_TO_COME) this.#inner.skipping = false;
      return zero;
    }
    bytes[zero] = NEWLINE;
    try {
      return this.#inner.take(bytes, at, zero, ending);
    } finally {
      bytes[zero] = 0;
    }
  }
}
