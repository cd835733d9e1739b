/**
 * How many raw bytes make a chunk that just fits whole PUT units. One byte too many costs a unit of ten, each byte too few
 * its share of one: the margin is as wide as chunks have lately differed from what was expected of them.
 */

/** Share of the limit that is left free at most, and before anything is known. */
const MAX_MARGIN = 0.02;
/** Margins in mean deviations: more than three standard deviations where they are normally distributed. */
const DEVIATIONS = 4;
/** Weights of a new chunk. */
const RATIO_WEIGHT = 1 / 4;
const DEVIATION_WEIGHT = 1 / 8;
/** Bounds of what a builder collects before it becomes a chunk. */
const MIN_RAW_BYTES = 256 * 1024;
const MAX_RAW_BYTES = 4 * 1024 * 1024;
/** Smaller chunks compress worse; they were cut for other reasons than their size. */
const FULL_SHARE = 3 / 4;

export class ChunkAim {
  readonly #limit: number;
  #ratio = 0;
  #deviation = MAX_MARGIN / DEVIATIONS;

  /** @param limit bytes that a chunk should not exceed */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Learns from a chunk, and gives the raw bytes at which the next one is to be cut.
   *
   * @param current those of this one
   */
  next(current: number, rawBytes: number, bytes: number): number {
    if (rawBytes < MIN_RAW_BYTES) return current;
    const ratio = rawBytes / bytes;
    if (this.#ratio === 0) this.#ratio = current / this.#limit;
    else if (rawBytes >= current * FULL_SHARE) {
      const off = Math.abs(this.#ratio / ratio - 1);
      this.#deviation += (off - this.#deviation) * DEVIATION_WEIGHT;
    }
    this.#ratio += (ratio - this.#ratio) * RATIO_WEIGHT;
    const margin = Math.min(MAX_MARGIN, DEVIATIONS * this.#deviation);
    const wanted = Math.floor(this.#limit * (1 - margin) * this.#ratio);
    return Math.min(MAX_RAW_BYTES, Math.max(MIN_RAW_BYTES, wanted));
  }
}
