/**
 * Zeros at the end of a file: a writer that reserves space, as one that maps its log into memory does, has yet to fill
 * them. They are a hole, which can be passed over, only once something stands behind them.
 */
import type { Source } from './source.ts';

const SCRATCH = Buffer.alloc(64 * 1024);
const ZEROS = Buffer.alloc(SCRATCH.length);
/** Bytes that are looked through at a time. */
const LOOK_BYTES = 16 * 1024 * 1024;

/** What stands behind zeros: something, nothing so far as is known, or nothing. */
export type Rest = 'solid' | 'unsure' | 'vacant';

/** What is known of the zeros in a file; what was vacant when it was looked at is taken to be so until the file grows. */
export class Vacancy {
  /** Zeros from here … */
  #from = 0;
  /** … up to here, where the file ended unless something stood there. */
  #to = 0;
  /** A position at which something stands; -1 while none is known. */
  #solid = -1;
  #ended = false;

  /** The size of a file that ended in zeros; -1 where it did not. */
  get end(): number {
    return this.#ended ? this.#to : -1;
  }

  forget(): void {
    this.#from = 0;
    this.#to = 0;
    this.#solid = -1;
    this.#ended = false;
  }

  /**
   * Looks behind zeros.
   *
   * @param from where they begin
   * @param to up to where they have just been read
   * @param afresh whether what was known of them is to be looked at once more
   */
  look(source: Source, from: number, to: number, afresh: boolean): Rest {
    if (this.#solid >= to) return 'solid';
    // Known zeros that the writer has come up to.
    const known = !afresh && this.#from <= to && this.#to >= to;
    let at = known ? this.#to : to;
    this.#from = from;
    this.#ended = false;
    for (const limit = at + LOOK_BYTES; at < limit; ) {
      const read = source.read(SCRATCH, 0, SCRATCH.length, at);
      if (ZEROS.compare(SCRATCH, 0, read, 0, read) !== 0) {
        this.#solid = at + solidEnd(SCRATCH, 0, read, null) - 1;
        this.#to = at;
        return 'solid';
      }
      at += read;
      this.#to = at;
      if (read < SCRATCH.length) {
        this.#ended = true;
        return 'vacant';
      }
    }
    return 'unsure';
  }
}

/**
 * Where the zeros begin that `bytes[from, to)` ends with.
 *
 * @param wide the position in the file of `bytes[0]` when its characters are of two bytes; null when not
 */
export function solidEnd(bytes: Uint8Array, from: number, to: number, wide: number | null): number {
  let end = to;
  while (end > from && bytes[end - 1] === 0) end--;
  // The other byte of the last character may be zero.
  return wide !== null && end > from && end < to && (wide + end) % 2 === 1 ? end + 1 : end;
}
