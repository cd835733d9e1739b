/** One generation of a log file being read: its position, and what proves that the position is still in it. */
import type { BigIntStats } from 'node:fs';
import type { Json } from '../state.ts';
import { begins, FINGERPRINT_BYTES, type Fingerprint, fingerprint, NO_FINGERPRINT } from './fingerprint.ts';
import { ALL, type Ending, MORE_TO_COME, type Splitter } from './lines.ts';
import { PlainSource, type Source } from './source.ts';

/** Bytes before the position that are read again with each turn: they are others when the file was truncated. */
export const CHECK_BYTES = 64;
/** Nanoseconds by which a time of change may come out too early that a copy or a compressor has handed on. */
const MTIME_SLACK = 2_000_000_000n;
/** Sizes from here on a gzip file does not say. */
const MAX_GZIP_SIZE = 2 ** 32;
/** Most bytes of input in one turn. */
export const TURN_BYTES = 256 * 1024;

/** A follower as it stands in the state; raw byte offsets. */
export interface SavedFollower {
  /** The path under which the log is configured, whatever this generation is called by now. */
  readonly path: string;
  readonly offset: number;
  readonly fingerprint: Fingerprint;
  /** Hash of the last bytes before `offset`. */
  readonly check: Fingerprint;
  readonly skipping: boolean;
  /** When the file was made, in nanoseconds since 1970: an inode is given out again. */
  readonly born: string;
  /** Where the file lay when it was opened, if that is another path: behind a symbolic link. */
  readonly at?: string | undefined;
}

export function toJson(saved: SavedFollower): Exclude<Json, null> {
  const { path, offset, check, skipping, born, at } = saved;
  return {
    path,
    offset,
    fingerprint: [saved.fingerprint.bytes, saved.fingerprint.hash],
    check: [check.bytes, check.hash],
    born,
    ...(skipping ? { skipping } : {}),
    ...(at === undefined ? {} : { at }),
  };
}

/** The opposite of {@link toJson}; null for what it did not write. */
export function fromJson(json: Json | undefined): SavedFollower | null {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return null;
  const value = json as { readonly [key: string]: Json };
  const mark = (pair: Json | undefined): Fingerprint | null =>
    Array.isArray(pair) && typeof pair[0] === 'number' && typeof pair[1] === 'string'
      ? { bytes: pair[0], hash: pair[1] }
      : null;
  const head = mark(value.fingerprint);
  const check = mark(value.check);
  if (typeof value.path !== 'string' || typeof value.offset !== 'number' || !head || !check) return null;
  return {
    path: value.path,
    offset: value.offset,
    fingerprint: head,
    check,
    skipping: value.skipping === true,
    born: typeof value.born === 'string' ? value.born : '',
    at: typeof value.at === 'string' ? value.at : undefined,
  };
}

/** When a file was made; null where the file system does not say, and what it says is the last change. */
function birthOf({ birthtimeNs, ctimeNs }: BigIntStats): bigint | null {
  return birthtimeNs > 0n && birthtimeNs !== ctimeNs ? birthtimeNs : null;
}

export type TurnResult =
  /** More can be read at once. */
  | 'more'
  /** All that is there was read. */
  | 'end'
  /** The file no longer holds what stood before the position: it was truncated, and perhaps written again. */
  | 'truncated';

export class Follower {
  readonly key: string;
  /** The path of the log's configuration. */
  readonly path: string;
  /** The path under which this generation was opened; symbolic links are followed. */
  readonly openedAs: string;
  /** When the file was made, in nanoseconds since 1970; empty for a compressed one. */
  readonly born: string;
  readonly source: Source;
  readonly splitter: Splitter;
  /** Position behind the last byte that went into an event. */
  offset: number;
  /** End of what was read: behind `offset` while a line is incomplete. */
  seen: number;
  /** Whether the log goes on in another file: this one ends for good some time after its last growth. */
  rotated = false;
  /** When it last grew or was found rotated, by the clock that only goes on. */
  lastGrowth: number;
  /** Whether the state has to be told. */
  dirty = true;
  /** Whether it stands in the queue of files to read. */
  queued = false;
  /** Whether the last try to read it failed. */
  failing = false;
  /** Size and time of change when it was last looked at. */
  signature = '';
  /** How the next turn takes what stands at its end. */
  ending: Ending = MORE_TO_COME;
  #head: Buffer;
  #fingerprint: Fingerprint = NO_FINGERPRINT;
  /** Its size at the last look, while it did not get shorter, and at the one before. */
  #size = 0;
  #sizeBefore = 0;
  #shrunk = false;
  readonly #check = Buffer.alloc(CHECK_BYTES);
  #checkBytes = 0;
  #holes: boolean;

  constructor(parts: {
    readonly key: string;
    readonly path: string;
    readonly openedAs: string;
    readonly born: string;
    readonly source: Source;
    readonly splitter: Splitter;
    readonly offset: number;
    /** The first bytes of the file. */
    readonly head: Buffer;
    readonly now: number;
  }) {
    this.key = parts.key;
    this.path = parts.path;
    this.openedAs = parts.openedAs;
    this.born = parts.born;
    this.source = parts.source;
    this.splitter = parts.splitter;
    this.offset = parts.offset;
    this.seen = parts.offset;
    this.#head = parts.head;
    this.lastGrowth = parts.now;
    this.#holes = parts.offset === 0;
    if (parts.offset > 0 && this.source.seekable) {
      const length = Math.min(CHECK_BYTES, parts.offset);
      this.#checkBytes = this.source.read(this.#check, 0, length, parts.offset - length);
      this.#holes = this.#check.every((byte, i) => i >= length || byte === 0);
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

  /** Whether a file that begins with `head` is a copy of this generation, or of what the file holds by now. */
  sameContent(head: Buffer): boolean {
    if (begins(head, this.fingerprint)) return true;
    if (!this.source.seekable) return false;
    const actual = Buffer.alloc(FINGERPRINT_BYTES);
    const bytes = Math.min(this.source.read(actual, 0, FINGERPRINT_BYTES, 0), head.length);
    return bytes > 0 && actual.compare(head, 0, bytes, 0, bytes) === 0;
  }

  /**
   * Whether a file that begins alike is surely no copy of this generation: it is older than this one's file, or it
   * ends with bytes that do not stand here and nothing that was read of this one has gone since.
   *
   * @param other the file; null when it is compressed
   * @param head its first bytes
   * @param size bytes of the log in it; -1 when it does not say
   */
  differs(other: PlainSource | null, head: Buffer, size: number, stats: BigIntStats): boolean {
    const { source } = this;
    if (!(source instanceof PlainSource)) return false;
    const born = birthOf(source.stats());
    if (born !== null && stats.mtimeNs < born - MTIME_SLACK) return true;
    const theirBirth = other === null ? null : birthOf(stats);
    if (born !== null && theirBirth !== null && theirBirth < born) return true;
    const sameHead = this.#startsAlike(source, head);
    if (sameHead && (size < 0 || this.#goesOnAlike(source, other, size))) return false;
    // Asked last: a copy is made before its original is truncated.
    return this.#holds(source);
  }

  #startsAlike(source: PlainSource, head: Buffer): boolean {
    const own = Buffer.alloc(FINGERPRINT_BYTES);
    const bytes = Math.min(source.read(own, 0, FINGERPRINT_BYTES, 0), head.length);
    return own.compare(head, 0, bytes, 0, bytes) === 0;
  }

  /** Whether all of another file may stand here, as far as its end and its size tell. */
  #goesOnAlike(source: PlainSource, other: PlainSource | null, size: number): boolean {
    if (other === null) {
      const own = Number(source.stats().size);
      return size <= own || own >= MAX_GZIP_SIZE;
    }
    const theirs = Buffer.alloc(Math.min(CHECK_BYTES, size));
    const ours = Buffer.alloc(theirs.length);
    other.read(theirs, 0, theirs.length, size - theirs.length);
    const read = source.read(ours, 0, ours.length, size - ours.length);
    // Zeros may be what a copy has not got yet.
    return (read === ours.length && ours.equals(theirs)) || theirs.every((byte) => byte === 0);
  }

  #holds(source: PlainSource): boolean {
    const check = Buffer.alloc(this.#checkBytes);
    const head = Buffer.alloc(this.#head.length);
    source.read(check, 0, check.length, this.offset - check.length);
    source.read(head, 0, head.length, 0);
    return this.#check.compare(check, 0, check.length, 0, check.length) === 0 && head.equals(this.#head);
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
    return (this.#shrunk ? this.#size : this.#sizeBefore) - this.offset;
  }

  saved(): SavedFollower {
    return {
      path: this.path,
      offset: this.offset,
      fingerprint: this.fingerprint,
      check: this.check,
      skipping: this.splitter.skipping,
      born: this.born,
      at: this.openedAs === this.path ? undefined : this.openedAs,
    };
  }

  /**
   * Reads up to `length` bytes and gives their events to the builders; moves the position with them.
   *
   * @param buffer has room for `length`, the check and one byte more
   */
  turn(buffer: Buffer, length: number, now: number): TurnResult {
    const ending = this.ending;
    this.ending = MORE_TO_COME;
    const check = this.#checkBytes;
    const read = this.source.read(buffer, 0, check + length, this.offset - check);
    if (read < check || this.#check.compare(buffer, 0, check, 0, check) !== 0) return 'truncated';
    if (this.source.seekable && !this.#headHolds(buffer, check, read)) return 'truncated';
    let start = check;
    this.#extendHead(buffer, check, read);
    if (this.#holes) start = this.#skipHole(buffer, start, read);
    const full = read === check + length;
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
    return full ? 'more' : 'end';
  }

  /** Begins anew at the first byte of a file that was truncated, and begins with `head` now. */
  restart(head: Buffer, now: number): void {
    this.offset = 0;
    this.seen = 0;
    this.#head = head;
    this.#fingerprint = NO_FINGERPRINT;
    this.#checkBytes = 0;
    this.#holes = true;
    this.splitter.skipping = false;
    this.signature = '';
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

  /** The head grows with what is read until the fingerprint is whole: bytes that are read once can't disagree. */
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

  /** A writer that does not append leaves zeros where a truncated file's lines were: they are no line. */
  #skipHole(buffer: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to && buffer[at] === 0) at++;
    this.#holes = at === to;
    // A byte order mark, which some programs write even into UTF-8.
    const marked = buffer[at] === 0xef && buffer[at + 1] === 0xbb && buffer[at + 2] === 0xbf;
    return marked && at + 3 <= to ? at + 3 : at;
  }
}
