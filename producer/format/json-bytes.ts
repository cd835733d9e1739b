/** JSON strings on bytes: escapes, and invalid UTF-8 replaced, without a string or an object per value. */

/** Bytes that a JSON string copies as they are: neither control characters nor `"`, `\` or any byte above 0x7f. */
export const PLAIN = new Uint8Array(256);
for (let byte = 0x20; byte < 0x80; byte++) PLAIN[byte] = byte === 0x22 || byte === 0x5c ? 0 : 1;

/** Largest growth of one byte of input: `\u0000` for a control character. */
export const MAX_GROWTH = 6;

const HEX = Buffer.from('0123456789abcdef');
/** The letter of a two-byte escape, or 0. */
const SHORT = new Uint8Array(32);
SHORT[8] = 0x62;
SHORT[9] = 0x74;
SHORT[10] = 0x6e;
SHORT[12] = 0x66;
SHORT[13] = 0x72;

/** What went through a parser, read and set back by its owner once a turn. */
export class Tally {
  /** Events written. */
  events = 0;
  /** Events kept whole because they did not parse. */
  unparsed = 0;
  /** Lines of which only a hash was kept: a redaction could not find its field in them. */
  hashed = 0;
  /** Lines over the maximum, cut. */
  truncated = 0;
  /** Invalid UTF-8 sequences replaced by U+FFFD. */
  replaced = 0;
  /** Names and numbers changed so that strict readers take the line. */
  adjusted = 0;
  /** Zeros between lines, passed over. */
  zeros = 0;
  /** Lines that are not events: headers and comments. */
  headers = 0;
  /** Events left out by `include` or `exclude`. */
  excluded = 0;
  /** Events whose time field says no time: they go by their arrival. */
  timeless = 0;
}

// Views of the buffers that were used last: most calls are for the same two.
let lastSource: Uint8Array = new Uint8Array(0);
let lastTarget: Uint8Array = lastSource;
let sourceView = viewOf(lastSource);
let targetView = sourceView;

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** How many of the four bytes of a little-endian word are plain before the first that is not. */
export function plainBytes(word: number): number {
  // "Has a byte less than n" and "has a zero byte" of S. E. Anderson's Bit Twiddling Hacks, for a byte above 0x7f, for
  // a control character or a quote (0x20 and 0x22 change places, which makes the two one range), and for a backslash.
  // Borrows go upwards only, so the lowest bit is exact. The numbers stand here because a bundler makes variables of
  // constants outside a function, which the compiler must read each time.
  const odd = (word | ((word ^ 0x02020202) - 0x21212121) | ((word ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080;
  return odd === 0 ? 4 : (31 - Math.clz32(odd & -odd)) >> 3;
}

/**
 * Writes `source[from, to)` as the inside of a JSON string at `target[at]`, which must have room for six times the
 * bytes, and returns the position behind it. Each maximal invalid part of UTF-8 becomes U+FFFD, as in the WHATWG
 * encoding standard.
 */
export function writeString(
  target: Buffer,
  at: number,
  source: Uint8Array,
  from: number,
  to: number,
  tally: Tally,
): number {
  if (source !== lastSource) {
    lastSource = source;
    sourceView = viewOf(source);
  }
  if (target !== lastTarget) {
    lastTarget = target;
    targetView = viewOf(target);
  }
  const view = sourceView;
  const out = targetView;
  let i = from;
  for (;;) {
    let byte = 0;
    while (i + 4 <= to) {
      const word = view.getInt32(i, true);
      // There is room: the caller made six times as much.
      out.setInt32(at, word, true);
      const plain = plainBytes(word);
      i += plain;
      at += plain;
      if (plain < 4) break;
    }
    for (; i < to; i++) {
      byte = source[i]!;
      if (PLAIN[byte] === 0) break;
      target[at++] = byte;
    }
    if (i >= to) return at;
    if (byte >= 0x80) {
      const length = sequenceLength(source, i, to);
      if (length > 0) {
        for (const end = i + length; i < end; i++) target[at++] = source[i]!;
      } else {
        target[at++] = 0xef;
        target[at++] = 0xbf;
        target[at++] = 0xbd;
        tally.replaced++;
        i -= length;
      }
    } else {
      at = writeEscape(target, at, byte);
      i++;
    }
  }
}

/** Writes the escape of a control character, `"` or `\`. */
function writeEscape(target: Buffer, at: number, byte: number): number {
  target[at++] = 0x5c;
  if (byte >= 0x20) {
    target[at++] = byte;
  } else if (SHORT[byte] !== 0) {
    target[at++] = SHORT[byte]!;
  } else {
    target[at++] = 0x75;
    target[at++] = 0x30;
    target[at++] = 0x30;
    target[at++] = HEX[byte >> 4]!;
    target[at++] = HEX[byte & 15]!;
  }
  return at;
}

/**
 * Bytes of the UTF-8 sequence that begins at `i` with a byte above 0x7f; where it is invalid, the bytes of its maximal
 * subpart as a negative number (Unicode 15, table 3-7 and section 3.9, "U+FFFD Substitution of Maximal Subparts").
 */
export function sequenceLength(source: Uint8Array, i: number, to: number): number {
  const first = source[i]!;
  if (first < 0xc2 || first > 0xf4) return -1;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  // Only the second byte has bounds of its own: they keep overlong forms, surrogates and values past U+10FFFF out.
  let low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  let high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  for (let k = 1; k < length; k++) {
    const byte = i + k < to ? source[i + k]! : 0;
    if (byte < low || byte > high) return -k;
    low = 0x80;
    high = 0xbf;
  }
  return length;
}

/** Most bytes that `source[from, to)` needs inside a JSON string. */
export function stringRoom(source: Uint8Array, from: number, to: number): number {
  const bytes = to - from;
  // Counting costs a pass; only where six times the length would be a waste of memory is it worth that.
  if (bytes <= 8192) return bytes * MAX_GROWTH;
  let special = 0;
  for (let i = from; i < to; i++) special += 1 - PLAIN[source[i]!]!;
  return bytes + special * (MAX_GROWTH - 1);
}
