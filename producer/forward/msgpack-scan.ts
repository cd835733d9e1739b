/** Finds where msgpack values end, without decoding them. */
import { MAX_DEPTH } from '../builder.ts';
import { malformed, RefusedError } from './errors.ts';

/**
 * Finds the ends of messages in a byte stream that arrives in pieces. Each byte is looked at once, however the
 * stream is cut: what is kept between reads is where the scan stands and how many values are still to come.
 */
export class MessageScanner {
  readonly #maxBytes: number;
  #start = 0;
  #at = 0;
  /** Values that must still begin before the message is complete; 0 between messages. */
  #pending = 0;

  /** @param maxBytes the longest message that is taken */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Begins a message at `offset`. */
  begin(offset: number): void {
    this.#start = offset;
    this.#at = offset;
    this.#pending = 1;
  }

  /** Says that the message's bytes now stand `by` lower in their buffer. */
  moved(by: number): void {
    this.#start -= by;
    this.#at -= by;
  }

  /** The least end that the message can have, as far as is known: room for it can be made at once. */
  get leastEnd(): number {
    return this.#at + this.#pending;
  }

  /**
   * Goes on with the scan as far as `bytes` go.
   *
   * @returns the offset behind the message, or -1 when it goes on after `end`
   * @throws RefusedError for what is not msgpack, and as soon as the message must become longer than the maximum
   */
  scan(bytes: Uint8Array, end: number): number {
    let at = this.#at;
    let pending = this.#pending;
    while (pending > 0 && at < end) {
      const type = bytes[at]!;
      if (type < 0x80 || type >= 0xe0) {
        at++;
        pending--;
      } else if (type < 0x90) {
        at++;
        pending += 2 * (type & 0x0f) - 1;
      } else if (type < 0xa0) {
        at++;
        pending += (type & 0x0f) - 1;
      } else if (type < 0xc0) {
        at += 1 + (type & 0x1f);
        pending--;
      } else {
        const head = HEAD_BYTES[type - 0xc0]!;
        if (head === 0) throw malformed('byte 0xc1 begins no msgpack value');
        if (at + head > end) break;
        switch (KIND[type - 0xc0]) {
          case FIXED:
            pending--;
            break;
          case SIZED:
            at += bodyBytes(bytes, at, type);
            pending--;
            break;
          case ARRAY:
            pending += readCount(bytes, at, head) - 1;
            break;
          default:
            pending += 2 * readCount(bytes, at, head) - 1;
        }
        at += head;
      }
      if (at + pending - this.#start > this.#maxBytes) {
        throw new RefusedError('too_large', `a message of more than ${this.#maxBytes} bytes`);
      }
    }
    this.#at = at;
    this.#pending = pending;
    return pending === 0 && at <= end ? at : -1;
  }
}

/**
 * Steps over one value inside complete bytes.
 *
 * @param depth how many arrays and maps the value is in
 * @returns the offset behind the value
 * @throws RefusedError when it does not end before `end`, is not msgpack, or is nested deeper than {@link MAX_DEPTH}
 */
export function skipValue(bytes: Uint8Array, at: number, end: number, depth: number): number {
  if (at >= end) throw malformed('a value ends after its message');
  const type = bytes[at]!;
  let values: number;
  if (type < 0x80 || type >= 0xe0) return at + 1;
  if (type < 0x90) {
    values = 2 * (type & 0x0f);
    at++;
  } else if (type < 0xa0) {
    values = type & 0x0f;
    at++;
  } else if (type < 0xc0) {
    return within(at + 1 + (type & 0x1f), end);
  } else {
    const head = HEAD_BYTES[type - 0xc0]!;
    if (head === 0) throw malformed('byte 0xc1 begins no msgpack value');
    within(at + head, end);
    const kind = KIND[type - 0xc0]!;
    if (kind === FIXED) return at + head;
    if (kind === SIZED) return within(at + head + bodyBytes(bytes, at, type), end);
    values = readCount(bytes, at, head) * (kind === MAP ? 2 : 1);
    at += head;
  }
  if (depth >= MAX_DEPTH) throw new RefusedError('too_deep', `values nested deeper than ${MAX_DEPTH}`);
  for (let i = 0; i < values; i++) {
    // Short strings and small numbers are most of any record: they don't pay for a call.
    const inner = at < end ? bytes[at]! : 0xc1;
    if (inner < 0x80 || inner >= 0xe0) at++;
    else if (inner >= 0xa0 && inner < 0xc0) at = within(at + 1 + (inner & 0x1f), end);
    else at = skipValue(bytes, at, end, depth + 1);
  }
  return at;
}

/**
 * Steps over one value of any depth.
 *
 * @returns the offset behind the value; -1 if it does not end before `end` or is not msgpack
 */
export function skipAny(bytes: Uint8Array, at: number, end: number): number {
  let pending = 1;
  while (pending > 0) {
    if (at >= end) return -1;
    const type = bytes[at]!;
    pending--;
    if (type < 0x80 || type >= 0xe0) at++;
    else if (type < 0xa0) {
      pending += type < 0x90 ? 2 * (type & 0x0f) : type & 0x0f;
      at++;
    } else if (type < 0xc0) at += 1 + (type & 0x1f);
    else {
      const head = HEAD_BYTES[type - 0xc0]!;
      if (head === 0 || at + head > end) return -1;
      const kind = KIND[type - 0xc0]!;
      if (kind === SIZED) at += bodyBytes(bytes, at, type);
      else if (kind !== FIXED) pending += readCount(bytes, at, head) * (kind === MAP ? 2 : 1);
      at += head;
    }
  }
  return at <= end ? at : -1;
}

function within(at: number, end: number): number {
  if (at > end) throw malformed('a value ends after its message');
  return at;
}

/** How a type from 0xc0 to 0xdf goes on behind its head. */
const FIXED = 0;
const SIZED = 1;
const ARRAY = 2;
const MAP = 3;

/** Bytes of type, length and fixed-size body for the types 0xc0 to 0xdf; 0 for the one that isn't used. */
const HEAD_BYTES = Uint8Array.of(
  ...[1, 0, 1, 1, 2, 3, 5, 3, 4, 6, 5, 9, 2, 3, 5, 9],
  ...[2, 3, 5, 9, 3, 4, 6, 10, 18, 2, 3, 5, 3, 5, 3, 5],
);
const KIND = Uint8Array.of(
  ...[0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
  ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3],
);

/** Bytes behind the head of a bin, ext or str whose length is in its head. */
function bodyBytes(bytes: Uint8Array, at: number, type: number): number {
  switch (type) {
    case 0xc4:
    case 0xc7:
    case 0xd9:
      return bytes[at + 1]!;
    case 0xc5:
    case 0xc8:
    case 0xda:
      return (bytes[at + 1]! << 8) | bytes[at + 2]!;
    default:
      return readUint32(bytes, at + 1);
  }
}

function readCount(bytes: Uint8Array, at: number, head: number): number {
  return head === 3 ? (bytes[at + 1]! << 8) | bytes[at + 2]! : readUint32(bytes, at + 1);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
