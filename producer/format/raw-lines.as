/**
 * AssemblyScript: turns whole lines of text into lines of JSON, `{"message":"…"}` with whatever members follow it. The
 * same as writeMessage in parser.ts, byte for byte, for lines of valid UTF-8. At anything else it stops, and the line is
 * written by the other way. Built by `npm run build:wasm`; never edit raw-lines-wasm.ts.
 *
 * Whole vectors are read and written: the caller leaves room behind both regions (see raw-lines.ts).
 */

const NEWLINE: u32 = 0x0a;
const RETURN: u32 = 0x0d;

/** Results, read by the caller: where the first line begins that was not taken, and where what was written ends. */
export let consumed: usize = 0;
export let produced: usize = 0;
export let count: u32 = 0;

let out: usize = 0;

// @ts-ignore: decorator
@inline
function put(byte: u32): void {
  store<u8>(out++, <u8>byte);
}

/**
 * Writes the lines of `[at, end)`, each with its line break before `end`.
 *
 * @param to,limit where to write, and where no line may reach
 * @param enough the position from which on no further line is begun
 * @param longest bytes of the longest line, without its line break
 * @param head,headLength what stands before each line
 * @param tail,tailLength what stands behind it, with the newline
 */
export function run(
  at: usize,
  end: usize,
  to: usize,
  limit: usize,
  enough: usize,
  longest: usize,
  head: usize,
  headLength: usize,
  tail: usize,
  tailLength: usize,
): void {
  out = to;
  consumed = at;
  produced = to;
  count = 0;
  const low = i8x16.splat(0x20);
  const quote = i8x16.splat(0x22);
  const backslash = i8x16.splat(0x5c);
  // A step writes a vector or an escape.
  const last = limit - tailLength - 16;
  while (at < end && out < enough) {
    const start = at;
    if (out + headLength > last) return;
    memory.copy(out, head, headLength);
    out += headLength;
    for (;;) {
      if (out > last) return;
      const block = v128.load(at);
      v128.store(out, block);
      // As signed bytes, those above 0x7f are less than a space, too.
      const special = v128.or(
        v128.or(i8x16.lt_s(block, low), i8x16.eq(block, quote)),
        i8x16.eq(block, backslash),
      );
      const mask: u32 = i8x16.bitmask(special);
      const plain: usize = mask == 0 ? 16 : ctz<u32>(mask);
      at += plain;
      out += plain;
      if (at >= end) return;
      if (mask == 0) continue;
      const byte: u32 = load<u8>(at);
      if (byte >= 0x80) {
        const bytes = sequence(at, byte, end);
        if (bytes == 0) return;
        store<u32>(out, load<u32>(at));
        at += bytes;
        out += bytes;
        continue;
      }
      const broken = byte == NEWLINE || (byte == RETURN && load<u8>(at + 1) == NEWLINE && at + 1 < end);
      if (broken) {
        if (at - start > longest) return;
        at += byte == NEWLINE ? 1 : 2;
        break;
      }
      escape(byte);
      at++;
    }
    memory.copy(out, tail, tailLength);
    out += tailLength;
    count++;
    consumed = at;
    produced = out;
  }
}

function escape(byte: u32): void {
  put(0x5c);
  if (byte >= 0x20) put(byte);
  else if (byte == 8) put(0x62);
  else if (byte == 9) put(0x74);
  else if (byte == 12) put(0x66);
  else if (byte == RETURN) put(0x72);
  else {
    put(0x75);
    put(0x30);
    put(0x30);
    put(48 + (byte >> 4));
    const half = byte & 15;
    put(half < 10 ? 48 + half : 87 + half);
  }
}

/** Bytes of the UTF-8 sequence at `at`; 0 where it is not one (Unicode 15, table 3-7). */
function sequence(at: usize, first: u32, end: usize): usize {
  if (first < 0xc2 || first > 0xf4) return 0;
  const length: usize = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + length > end) return 0;
  const second: u32 = load<u8>(at + 1);
  // Overlong forms, surrogates and values past U+10FFFF are kept out by the second byte.
  const from: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const to: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (second < from || second > to) return 0;
  for (let k: usize = 2; k < length; k++) if ((load<u8>(at + k) & 0xc0) != 0x80) return 0;
  return length;
}
