/** One generation of a log file being read: its position, and what proves that the position is still in it. */
import {
  FINGERPRINT_BYTES,
  type Fingerprint,
  fingerprint,
  isZeros,
  NO_FINGERPRINT,
  prefixOf,
} from './fingerprint.ts';
import { ALL, type Ending, MORE_TO_COME, type Splitter } from './lines.ts';
import type { Source } from './source.ts';
import { solidEnd, Vacancy } from './vacancy.ts';

/** Bytes before the position that are reread with each turn: they are others when the file was truncated. */
export const CHECK_BYTES = 64;
/** Most bytes of input in one turn. */
export const TURN_BYTES = 256 * 1024;

/** How far a generation was read, in raw bytes. */
export interface Position {
  /** Bytes of it that went into events. */
  readonly offset: number;
  readonly fingerprint: Fingerprint;
  /** Hash of the last bytes before `offset`. */
  readonly check: Fingerprint;
  /** Whether the bytes that follow belong to a line that was cut. */
  readonly skipping: boolean;
}

export type TurnResult =
  /** More can be read at once. */
  | 'more'
  /** All that is there was read. */
  | 'end'
  /** The file no longer holds what stood before the position: it was truncated, and perhaps rewritten. */
  | 'truncated';

export class Follower {
  /** The path under which it was opened, for messages. */
  readonly file: string;
  readonly source: Source;
  readonly splitter: Splitter;
  /** Position behind the last byte that went into an event. */
  offset: number;
  /** End of what was read: behind `offset` while a line is incomplete. */
  seen: number;
  /** Whether the log goes on in another file: this one ends for good some time after its last growth. */
  rotated = false;
  /** When it last grew or was found rotated, by the monotonic clock. */
  lastGrowth: number;
  /** Whether the state has to be updated. */
  dirty = true;
  /** Whether it is in the queue of files to read. */
  queued = false;
  /** Whether the last try to read it failed. */
  failing = false;
  /** Size and time of last change when it was last looked at. */
  sizeSeen = -1n;
  mtimeSeen = 0n;
  /** How the next turn takes what stands at its end. */
  ending: Ending = MORE_TO_COME;
  /** All whole lines that it had at this time went into events, by the monotonic clock; 0 before that is known. */
  givenUpTo = 0;
  /** Where it ended at the last turn that reached its end, and when that was. */
  #end = 0;
  #endedAt = 0;
  #head: Buffer;
  #fingerprint: Fingerprint = NO_FINGERPRINT;
  /** Its size at the last look, while it did not get shorter, and at the one before. */
  #size = 0;
  #sizeBefore = 0;
  #shrunk = false;
  readonly #check = Buffer.alloc(CHECK_BYTES);
  #checkBytes = 0;
  /** Whether the file was truncated after it was opened and before its position was checked. */
  #truncated = false;
  #holes: boolean;
  readonly #vacancy = new Vacancy();

  constructor(parts: {
    readonly file: string;
    readonly source: Source;
    readonly splitter: Splitter;
    readonly offset: number;
    /** What is known to stand before the offset; null where nothing is. */
    readonly check: Fingerprint | null;
    /** The first bytes of the file. */
    readonly head: Buffer;
    readonly now: number;
  }) {
    this.file = parts.file;
    this.source = parts.source;
    this.splitter = parts.splitter;
    this.offset = parts.offset;
    this.seen = parts.offset;
    this.#head = solidHead(parts.head, parts.offset);
    this.lastGrowth = parts.now;
    this.#holes = parts.offset === 0;
    if (parts.offset > 0 && this.source.seekable) {
      const length = Math.min(CHECK_BYTES, parts.offset);
      this.#checkBytes = this.source.read(this.#check, 0, length, parts.offset - length);
      this.#holes = this.#check.every((byte, i) => i >= length || byte === 0);
      this.#truncated = parts.check !== null && !this.#endsWith(parts.check);
      // What the ledger knows of it is right, and stays so.
      if (this.#truncated) this.dirty = false;
    }
  }

  get fingerprint(): Fingerprint {
    if (this.#fingerprint.bytes < this.#head.length) this.#fingerprint = fingerprint(this.#head);
    return this.#fingerprint;
  }

  /** The bytes before the position, as far as they are known. */
  get check(): Fingerprint {
    return fingerprint(this.#check, this.#checkBytes);
  }

  #endsWith({ bytes, hash }: Fingerprint): boolean {
    const from = this.#checkBytes - bytes;
    return from >= 0 && fingerprint(this.#check.subarray(from), bytes).hash === hash;
  }

  get prefix(): number {
    return prefixOf(this.#head);
  }

  /** Whether it begins with these bytes. */
  beginsWith(head: Buffer): boolean {
    const { length } = head;
    return length <= this.#head.length && this.#head.compare(head, 0, length, 0, length) === 0;
  }

  /** Whether its first lines, or as much of them as there is in both, are those of another head. */
  sharesLine(head: Buffer): boolean {
    const length = Math.min(head.length, this.#head.length);
    const isSame = this.#head.compare(head, 0, length, 0, length) === 0;
    return isSame && head.subarray(0, length).includes(0x0a);
  }

  /** Whether its file still holds what was read of it. */
  holds(): boolean {
    if (this.#truncated) return false;
    const { source } = this;
    const check = Buffer.alloc(this.#checkBytes);
    const head = Buffer.alloc(this.#head.length);
    source.read(check, 0, check.length, this.offset - check.length);
    source.read(head, 0, head.length, 0);
    if (this.#check.compare(check, 0, check.length, 0, check.length) !== 0) return false;
    // The first bytes may have been given back to the file system, which makes them zeros.
    const isPunched = this.offset > head.length && isZeros(head) && !isZeros(check);
    return head.equals(this.#head) || isPunched;
  }

  /** Whether all of a file that can be reopened was read, as far as it was looked at. */
  get isRead(): boolean {
    return this.source.seekable && this.seen === this.offset && this.sizeSeen === BigInt(this.offset);
  }

  /** Notes what the file begins with by now, ahead of reading it: a copy of it is to be known. */
  growHead(): void {
    if (this.#truncated || this.#head.length >= FINGERPRINT_BYTES || !this.source.seekable) return;
    const head = Buffer.alloc(FINGERPRINT_BYTES);
    const read = this.source.read(head, 0, FINGERPRINT_BYTES, 0);
    if (
      read <= this.#head.length ||
      head.compare(this.#head, 0, this.#head.length, 0, this.#head.length) !== 0
    )
      return;
    const solid = solidHead(head.subarray(0, read), this.#head.length);
    if (solid.length === this.#head.length) return;
    this.#head = solid;
    this.dirty = true;
  }

  /** Whether something was written into the zeros that it ends with: of what is mapped into memory its times say nothing. */
  get isFilled(): boolean {
    if (this.#vacancy.end < 0) return false;
    // Read into zeros, of which what the file lacks is left.
    const next = Buffer.alloc(CHECK_BYTES);
    try {
      this.source.read(next, 0, CHECK_BYTES, this.seen);
      return !isZeros(next);
    } catch {
      // The next turn meets the same error, and reports it.
      return true;
    }
  }

  /** Notes its size at a look. */
  sized(size: number): void {
    if (size < this.#size) this.#shrunk = true;
    if (this.#shrunk) return;
    this.#sizeBefore = this.#size;
    this.#size = size;
  }

  /** Bytes that stood behind the position before it was truncated, as far as looks have seen them. */
  get unread(): number {
    // Of a file that was not seen to get shorter the last look may be of what was written since.
    const size = this.#shrunk ? this.#size : this.#sizeBefore;
    return (size === this.#vacancy.end ? this.seen : size) - this.offset;
  }

  position(): Position {
    return {
      offset: this.offset,
      fingerprint: this.fingerprint,
      check: this.check,
      skipping: this.splitter.skipping,
    };
  }

  /**
   * Reads up to `length` bytes and gives their events to the builders; moves the position with them.
   *
   * @param buffer has room for `length`, the check and one byte more
   */
  turn(buffer: Buffer, length: number, now: number): TurnResult {
    if (this.#truncated) return 'truncated';
    const ending = this.ending;
    this.ending = MORE_TO_COME;
    const check = this.#checkBytes;
    let read = this.source.read(buffer, 0, check + length, this.offset - check);
    if (read < check || this.#check.compare(buffer, 0, check, 0, check) !== 0) return 'truncated';
    if (this.source.seekable && !this.#headHolds(buffer, check, read)) return 'truncated';
    let full = read === check + length;
    // A file that has ended holds no more than it does, and its zeros are passed over with it.
    if (this.rotated && ending === ALL) {
      if (full) this.ending = ALL;
    } else {
      const vacant = this.#vacant(buffer, check, read, ending);
      if (vacant.from < read) full = vacant.unsure;
      read = vacant.from;
    }
    let start = check;
    this.#extendHead(buffer, check, read);
    if (this.#holes) start = this.#skipHole(buffer, start, read);
    buffer[read] = 0x0a;
    const end = this.offset + read - check;
    if (end > this.seen) this.lastGrowth = now;
    this.seen = end;
    const taken = this.splitter.take(buffer, start, read, full && ending === ALL ? MORE_TO_COME : ending);
    if (taken > check) {
      this.offset += taken - check;
      this.dirty = true;
      if (this.source.seekable) {
        this.#checkBytes = Math.min(CHECK_BYTES, taken);
        buffer.copy(this.#check, 0, taken - this.#checkBytes, taken);
      }
    }
    if (this.offset >= this.#end) this.givenUpTo = this.#endedAt;
    if (full) return 'more';
    this.#end = end;
    this.#endedAt = now;
    if (this.offset === end || ending !== MORE_TO_COME) this.givenUpTo = now;
    return 'end';
  }

  /**
   * Where the zeros begin that a file ends with: space that its writer has yet to fill, so that nothing is there yet.
   * `unsure` when it is not known yet that there is nothing but zeros.
   */
  #vacant(buffer: Buffer, from: number, to: number, ending: Ending): { from: number; unsure: boolean } {
    if (to === from || buffer[to - 1] !== 0 || !this.source.seekable) return { from: to, unsure: false };
    const base = this.offset - from;
    const solid = solidEnd(buffer, from, to, this.splitter.unit === 2 ? base : null);
    if (solid === to) return { from: to, unsure: false };
    // Before a flush ends, what was known of them is looked at once more.
    const rest = this.#vacancy.look(this.source, base + solid, base + to, ending === ALL);
    return rest === 'solid' ? { from: to, unsure: false } : { from: solid, unsure: rest === 'unsure' };
  }

  /** Restarts at the first byte of a file that was truncated, and begins with `head` now. */
  restart(head: Buffer, now: number): void {
    this.offset = 0;
    this.seen = 0;
    this.#end = 0;
    this.#head = solidHead(head, 0);
    this.#vacancy.forget();
    this.#fingerprint = NO_FINGERPRINT;
    this.#checkBytes = 0;
    this.#truncated = false;
    this.#holes = true;
    this.splitter.skipping = false;
    this.sizeSeen = -1n;
    this.#size = 0;
    this.#sizeBefore = 0;
    this.#shrunk = false;
    this.lastGrowth = now;
    this.dirty = true;
  }

  /** Whether what is read of the head once more is what it was: at the first bytes of a file nothing stands before. */
  #headHolds(buffer: Buffer, from: number, to: number): boolean {
    const known = this.#head.length - this.offset;
    if (known <= 0) return true;
    return to - from >= known && this.#head.compare(buffer, from, from + known, this.offset) === 0;
  }

  /** The head grows with what is read until the fingerprint is whole: bytes that are read once cannot disagree. */
  #extendHead(buffer: Buffer, from: number, to: number): void {
    const known = this.#head.length;
    if (known >= FINGERPRINT_BYTES || this.offset > known) return;
    const fresh = buffer.subarray(
      from + known - this.offset,
      Math.min(to, from + FINGERPRINT_BYTES - this.offset),
    );
    if (fresh.length === 0) return;
    this.#head = Buffer.concat([this.#head, fresh]);
    this.dirty = true;
  }

  /** A writer that does not append leaves zeros where a truncated file's lines were: they are not a line. */
  #skipHole(buffer: Buffer, from: number, to: number): number {
    const { unit = 1 } = this.splitter;
    let at = from;
    while (at + unit <= to && buffer[at] === 0 && buffer[at + unit - 1] === 0) at += unit;
    this.#holes = at === to;
    // A byte order mark, which some programs write even into UTF-8.
    const marked = buffer[at] === 0xef && buffer[at + 1] === 0xbb && buffer[at + 2] === 0xbf;
    return marked && at + 3 <= to ? at + 3 : at;
  }
}

/** A head without the zeros that it ends with: until the writer has written behind them they may change. */
function solidHead(head: Buffer, known: number): Buffer {
  return head.subarray(0, solidEnd(head, Math.min(known, head.length), head.length, null));
}
