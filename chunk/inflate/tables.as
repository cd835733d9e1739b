/**
 * AssemblyScript: tables that decode a canonical code (RFC 1951, section 3.2.2), as those of libdeflate and zlib: a code's
 * first bits select an entry, which says the symbol, or where the table of its other bits is. An entry:
 *
 *     bits 0-7    bits to take: the code, and the extra bits behind it (of a pointer: the bits that select)
 *     bits 8-11   the code alone (of a pointer: bits that select in its table)
 *     bits 12-15  INVALID, END, POINTER, and SPECIAL for any of them
 *     bits 16-30  literal, base of the length or distance, or where the table is
 *     bit 31      a literal
 */

const LITERAL: u32 = 0x80000000;
export const ONE: u32 = 1 << 24;
export const SPECIAL: u32 = 0x8000;
export const POINTER: u32 = 0x4000;
export const END: u32 = 0x2000;
const INVALID: u32 = 0x1000;

const MAX_CODE_BITS: u32 = 15;
export const SYMBOL_BITS: u32 = 12;
export const DISTANCE_BITS: u32 = 8;
export const LENGTH_BITS: u32 = 7;
/** zlib's `enough` says that 4400 and 402 entries are the most that a code can need. */
export const SYMBOLS: usize = 16 * 1024;
export const DISTANCES: usize = 36 * 1024;
export const LENGTHS: usize = 38 * 1024;
/** A byte for each symbol: the bits of its code. */
export const CODE_BITS: usize = 39 * 1024;
/** Symbols by their codes, u16. */
const SORTED: usize = 40 * 1024;
const COUNTS: usize = 41 * 1024;
const STARTS: usize = COUNTS + 64;

/** What a table's symbols are. */
export const OF_SYMBOLS: u32 = 0;
export const OF_DISTANCES: u32 = 1;
export const OF_LENGTHS: u32 = 2;

const LENGTH_BASES = memory.data<u16>([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]);
const DISTANCE_BASES = memory.data<u16>([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
]);
/** The symbol in the upper half of an entry, its flags, and in the lowest bits how many extra bits it has. */
function payload(symbol: u32, kind: u32): u32 {
  if (kind == OF_LENGTHS) return symbol << 16;
  if (kind == OF_DISTANCES) {
    if (symbol > 29) return SPECIAL | INVALID;
    const extra: u32 = symbol < 4 ? 0 : (symbol >> 1) - 1;
    return ((<u32>load<u16>(DISTANCE_BASES + (symbol << 1))) << 16) | extra;
  }
  if (symbol < 256) return LITERAL | ONE | (symbol << 8);
  if (symbol == 256) return SPECIAL | END;
  if (symbol > 285) return SPECIAL | INVALID;
  const n = symbol - 257;
  const extra: u32 = n < 8 || n == 28 ? 0 : (n >> 2) - 1;
  return ((<u32>load<u16>(LENGTH_BASES + (n << 1))) << 16) | extra;
}

/**
 * Makes the table of a canonical code (RFC 1951, 3.2.2).
 *
 * @param from a byte for each symbol: the bits of its code, 0 for none
 * @returns false when no such code exists, or not all bits have a meaning: zlib takes one case of these
 */
export function table(to: usize, from: usize, symbols: u32, tableBits: u32, kind: u32): bool {
  memory.fill(COUNTS, 0, 64);
  for (let i: u32 = 0; i < symbols; i++) {
    const slot = COUNTS + ((<usize>load<u8>(from + i)) << 2);
    store<u32>(slot, load<u32>(slot) + 1);
  }
  const size: u32 = 1 << tableBits;
  let longest: u32 = MAX_CODE_BITS;
  while (longest > 0 && load<u32>(COUNTS + (longest << 2)) == 0) longest--;
  let open: i32 = 1;
  let sum: u32 = 0;
  for (let n: u32 = 1; n <= MAX_CODE_BITS; n++) {
    const alike = load<u32>(COUNTS + (n << 2));
    open = (open << 1) - <i32>alike;
    if (open < 0) return false;
    store<u32>(STARTS + (n << 2), sum);
    sum += alike;
  }
  const isAlone = longest <= 1 && kind != OF_LENGTHS;
  if (open > 0 && !isAlone) return false;
  // What no code fills.
  store<u32>(to, SPECIAL | INVALID | 1);
  for (let i: u32 = 0; i < symbols; i++) {
    const n: usize = load<u8>(from + i);
    if (n == 0) continue;
    const slot = STARTS + (n << 2);
    const place = load<u32>(slot);
    store<u16>(SORTED + (place << 1), <u16>i);
    store<u32>(slot, place + 1);
  }
  let code: u32 = 0;
  let i: u32 = 0;
  let next: u32 = size;
  let prefix: u32 = 0xffffffff;
  let inner: usize = 0;
  let innerBits: u32 = 0;
  for (let n: u32 = 1; n <= max<u32>(longest, tableBits); n++) {
    // Shorter codes stand before any bit more.
    if (n <= tableBits) memory.copy(to + ((<usize>2) << n), to, (<usize>2) << n);
    for (let left = load<u32>(COUNTS + (n << 2)); left > 0; left--) {
      const what = payload(load<u16>(SORTED + (i++ << 1)), kind);
      if (n <= tableBits) {
        const entry = <i32>what < 0 ? what + n : what + (n | (n << 8));
        store<u32>(to + (code << 2), entry);
      } else {
        const first = code & (size - 1);
        if (first != prefix) {
          prefix = first;
          inner = to + (next << 2);
          innerBits = n - tableBits;
          // As many bits as the codes that begin alike need: those of this length that are left, then longer ones.
          let room: i32 = (1 << innerBits) - <i32>left;
          while (room > 0 && innerBits + tableBits < longest) {
            innerBits++;
            room = (room << 1) - <i32>load<u32>(COUNTS + ((innerBits + tableBits) << 2));
          }
          store<u32>(to + (first << 2), (next << 16) | SPECIAL | POINTER | (innerBits << 8) | tableBits);
          next += 1 << innerBits;
        }
        const rest = n - tableBits;
        const entry = <i32>what < 0 ? what + rest : what + (rest | (rest << 8));
        for (let slot = code >> tableBits; slot < 1 << innerBits; slot += 1 << rest) store<u32>(inner + (slot << 2), entry);
      }
      // The next code, with its bits in the order in which they come.
      let bit: u32 = 1 << (n - 1);
      while ((code & bit) != 0) bit >>= 1;
      code = bit == 0 ? 0 : (code & (bit - 1)) + bit;
    }
  }
  if (kind == OF_SYMBOLS && areShort(from)) pairs(to, size, tableBits);
  return true;
}

/** Whether two literals in a row are likely to fit into one entry's bits. */
function areShort(from: usize): bool {
  let share: u32 = 0;
  for (let i: u32 = 0; i < 256; i++) {
    const n: u32 = load<u8>(from + i);
    if (n > 0 && n <= SYMBOL_BITS / 2) share += 256 >> n;
  }
  return share > 128;
}

/** Two literals that fit into one entry's bits become one entry. */
function pairs(to: usize, size: u32, tableBits: u32): void {
  // From the last on: an entry is paired with one before it, which is still alone.
  for (let slot: i32 = size - 1; slot >= 0; slot--) {
    const first = load<u32>(to + (slot << 2));
    if (<i32>first >= 0) continue;
    const taken = first & 0xff;
    const second = load<u32>(to + ((slot >> taken) << 2));
    const both = taken + (second & 0xff);
    if (<i32>second >= 0 || both > tableBits) continue;
    store<u32>(to + (slot << 2), LITERAL | (ONE << 1) | ((second & 0xff00) << 8) | (first & 0xff00) | both);
  }
}

// @ts-ignore: decorator
@inline
export function symbolAt(buffer: u64): u32 {
  return load<u32>(SYMBOLS + ((<usize>buffer & ((1 << SYMBOL_BITS) - 1)) << 2));
}
