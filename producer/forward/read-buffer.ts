/** What a connection has read and not handled yet: in the last read itself, or copied behind what came before it. */

/** An unfinished message's buffer starts at this size. */
const MIN_BUFFER_BYTES = 64 * 1024;
/** A buffer larger than this is released when its message is done and nothing follows. */
const KEPT_BUFFER_BYTES = 1024 * 1024;
/** A client that has sent the first number of bytes of a message gets room for the second number at once. */
const SHOWN_BYTES = 256 * 1024;
const TRUSTED_BYTES = 16 * 1024 * 1024;

const EMPTY = Buffer.alloc(0);

export class ReadBuffer {
  /** The unhandled bytes are those in `[at, end)`. */
  bytes: Buffer = EMPTY;
  at = 0;
  end = 0;
  #own: Buffer = EMPTY;

  get length(): number {
    return this.end - this.at;
  }

  /**
   * Adds a read.
   *
   * @param pinned whether the bytes before `at` are still being worked on and must stay where they are
   * @param announced the least length, as far as is known, of the message that begins at `at`
   * @returns how far down the unhandled bytes moved; null if offsets into the old bytes mean nothing any more
   */
  add(read: Buffer, pinned: boolean, announced: number): number | null {
    if (this.at === this.end && !pinned) {
      this.bytes = read;
      this.at = 0;
      this.end = read.length;
      return null;
    }
    const { at, length } = this;
    const inOwn = this.bytes === this.#own;
    if (inOwn && this.end + read.length <= this.#own.length) {
      read.copy(this.#own, this.end);
      this.end += read.length;
      return 0;
    }
    const needed = length + read.length;
    // While a message is worked on, its bytes stay in place; what comes meanwhile goes into a buffer of its own.
    if (needed <= this.#own.length && !(pinned && inOwn)) {
      if (inOwn) this.#own.copyWithin(0, at, this.end);
      else this.bytes.copy(this.#own, 0, at, this.end);
    } else {
      const larger = Buffer.allocUnsafeSlow(roomFor(needed, announced));
      this.bytes.copy(larger, 0, at, this.end);
      this.#own = larger;
    }
    read.copy(this.#own, length);
    this.bytes = this.#own;
    this.at = 0;
    this.end = needed;
    return at;
  }

  /** Releases a buffer that a large message has left behind. */
  shrink(): void {
    if (this.end === this.at && this.#own.length > KEPT_BUFFER_BYTES) this.clear();
  }

  clear(): void {
    this.bytes = EMPTY;
    this.#own = EMPTY;
    this.at = 0;
    this.end = 0;
  }
}

/**
 * Room for what the message has announced, as far as the client has shown that it means it: an announcement alone gets
 * no memory. Otherwise twice what is there.
 */
function roomFor(needed: number, announced: number): number {
  const doubled = Math.max(MIN_BUFFER_BYTES, needed * 2);
  if (announced <= needed) return doubled;
  const trusted = needed >= SHOWN_BYTES ? Math.max(doubled, TRUSTED_BYTES) : doubled;
  return Math.max(MIN_BUFFER_BYTES, Math.min(announced, trusted));
}
