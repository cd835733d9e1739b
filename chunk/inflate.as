/**
 * AssemblyScript: decompresses deflate data (RFC 1951) that ends between two blocks at a whole byte, a window at a time.
 * It says nothing about data that it refuses: the caller asks zlib then. What it takes, zlib takes as well, with the same
 * bytes. Built by `npm run build:wasm`; never edit inflate-wasm.ts.
 *
 * The tables are those of libdeflate and zlib: a code's first bits select an entry, which says the symbol, or where the
 * table of its other bits is. An entry:
 *
 *     bits 0-7    bits to take: the code, and the extra bits behind it (of a pointer: the bits that select)
 *     bits 8-11   the code alone (of a pointer: bits that select in its table)
 *     bits 12-15  INVALID, END, POINTER, and SPECIAL for any of them
 *     bits 16-30  literal, base of the length or distance, or where the table is
 *     bit 31      a literal
 *
 * Memory: tables and lengths, then what the caller lays out (see inflate.ts). Behind the input are PADDING bytes of
 * zeros, so that eight bytes can be read anywhere, and behind the output's limit is room for the longest match.
 */

const LITERAL: u32 = 0x80000000;
const ONE: u32 = 1 << 24;
const SPECIAL: u32 = 0x8000;
const POINTER: u32 = 0x4000;
const END: u32 = 0x2000;
const INVALID: u32 = 0x1000;

const MAX_CODE_BITS: u32 = 15;
const SYMBOL_BITS: u32 = 12;
const DISTANCE_BITS: u32 = 8;
const LENGTH_BITS: u32 = 7;
/** zlib's `enough` says that 4400 and 402 entries are the most that a code can need. */
const SYMBOLS: usize = 16 * 1024;
const DISTANCES: usize = 36 * 1024;
const LENGTHS: usize = 38 * 1024;
/** A byte for each symbol: the bits of its code. */
const CODE_BITS: usize = 39 * 1024;
/** Symbols by their codes, u16. */
const SORTED: usize = 40 * 1024;
const COUNTS: usize = 41 * 1024;
const STARTS: usize = COUNTS + 64;

/** What a table's symbols are. */
const OF_SYMBOLS: u32 = 0;
const OF_DISTANCES: u32 = 1;
const OF_LENGTHS: u32 = 2;

/** What `run` says. */
const DONE: u32 = 0;
const FULL: u32 = 1;
const REFUSED: u32 = 2;

const AT_BLOCK: u32 = 0;
const IN_CODES: u32 = 1;
const IN_STORED: u32 = 2;

const LENGTH_BASES = memory.data<u16>([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]);
const DISTANCE_BASES = memory.data<u16>([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
]);
const LENGTH_ORDER = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);

/** Where the output ends. */
export let out: usize = 0;

let start: usize = 0;
let limit: usize = 0;
let at: usize = 0;
let end: usize = 0;
let bits: u64 = 0;
let count: u32 = 0;
let phase: u32 = 0;
let stored: u32 = 0;

/**
 * Begins with new data.
 *
 * @param from,to the input; PADDING zeros follow it
 * @param first where the output begins: nothing before it is referred to
 * @param last where output stops for the caller to take it
 */
export function begin(from: usize, to: usize, first: usize, last: usize): void {
  at = from;
  end = to;
  start = first;
  out = first;
  limit = last;
  bits = 0;
  count = 0;
  phase = AT_BLOCK;
}

/** The caller has taken the output, and kept its last `kept` bytes at its beginning. */
export function taken(kept: usize): void {
  memory.copy(start, out - kept, kept);
  out = start + kept;
}

/** Goes on until the data ends (DONE), the output is full (FULL), or it is not what it should be (REFUSED). */
export function run(): u32 {
  while (true) {
    if (phase == IN_CODES) {
      const result = codes();
      if (result != DONE) return result;
      phase = AT_BLOCK;
    } else if (phase == IN_STORED) {
      if (stored > 0 && out >= limit) return FULL;
      const length = stored > 0 ? min<u32>(stored, <u32>(limit - out)) : 0;
      memory.copy(out, at, length);
      out += length;
      at += length;
      stored -= length;
      if (stored > 0) return FULL;
      phase = AT_BLOCK;
    } else {
      const left: i64 = ((<i64>end - <i64>at) << 3) + count;
      if (left == 0) return DONE;
      if (left < 3 || !beginBlock()) return REFUSED;
    }
  }
}

// @ts-ignore: decorator
@inline
function refill(): void {
  bits |= load<u64>(at) << count;
  at += (63 - count) >> 3;
  count |= 56;
}

// @ts-ignore: decorator
@inline
function take(n: u32): u32 {
  const value = <u32>bits & ((1 << n) - 1);
  bits >>= n;
  count -= n;
  return value;
}

function beginBlock(): bool {
  refill();
  const isFinal = take(1);
  // Others' data is to follow.
  if (isFinal != 0) return false;
  const type = take(2);
  if (type == 0) return beginStored();
  phase = IN_CODES;
  if (type == 1) return fixedTables();
  return type == 2 && dynamicTables();
}

function beginStored(): bool {
  // Back to the first byte of which no bit was taken.
  at -= count >> 3;
  bits = 0;
  count = 0;
  if (at + 4 > end) return false;
  const length: u32 = load<u16>(at);
  if ((length ^ <u32>load<u16>(at + 2)) != 0xffff) return false;
  at += 4;
  if (at + length > end) return false;
  stored = length;
  phase = IN_STORED;
  return true;
}

function fixedTables(): bool {
  memory.fill(CODE_BITS, 8, 144);
  memory.fill(CODE_BITS + 144, 9, 112);
  memory.fill(CODE_BITS + 256, 7, 24);
  memory.fill(CODE_BITS + 280, 8, 8);
  if (!table(SYMBOLS, CODE_BITS, 288, SYMBOL_BITS, OF_SYMBOLS)) return false;
  memory.fill(CODE_BITS, 5, 32);
  return table(DISTANCES, CODE_BITS, 32, DISTANCE_BITS, OF_DISTANCES);
}

function dynamicTables(): bool {
  const symbols = take(5) + 257;
  const distances = take(5) + 1;
  const lengths = take(4) + 4;
  if (symbols > 286 || distances > 30) return false;
  memory.fill(CODE_BITS, 0, 19);
  for (let i: u32 = 0; i < lengths; i++) {
    if (count < 3) refill();
    store<u8>(CODE_BITS + load<u8>(LENGTH_ORDER + i), <u8>take(3));
  }
  if (!table(LENGTHS, CODE_BITS, 19, LENGTH_BITS, OF_LENGTHS)) return false;
  const total = symbols + distances;
  for (let i: u32 = 0; i < total; ) {
    refill();
    if (at > end + 8) return false;
    const entry = load<u32>(LENGTHS + ((<usize>bits & ((1 << LENGTH_BITS) - 1)) << 2));
    if ((entry & SPECIAL) != 0) return false;
    take(entry & 0xff);
    const symbol = (entry >> 16) & 0xff;
    if (symbol < 16) {
      store<u8>(CODE_BITS + i++, <u8>symbol);
      continue;
    }
    let value: u8 = 0;
    let times: u32 = 0;
    if (symbol == 16) {
      if (i == 0) return false;
      value = load<u8>(CODE_BITS + i - 1);
      times = take(2) + 3;
    } else times = symbol == 17 ? take(3) + 3 : take(7) + 11;
    if (i + times > total) return false;
    memory.fill(CODE_BITS + i, value, times);
    i += times;
  }
  // A block without a code for its end cannot end.
  if (load<u8>(CODE_BITS + 256) == 0) return false;
  return (
    table(SYMBOLS, CODE_BITS, symbols, SYMBOL_BITS, OF_SYMBOLS) &&
    table(DISTANCES, CODE_BITS + symbols, distances, DISTANCE_BITS, OF_DISTANCES)
  );
}

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
function table(to: usize, from: usize, symbols: u32, tableBits: u32, kind: u32): bool {
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

/** The symbols of a block, up to its end (DONE), until the output is full, or they are not sound. */
function codes(): u32 {
  let input = at;
  let buffer = bits;
  // Only the lowest six bits count: what is taken is subtracted with all of its entry.
  let available = count;
  let to = out;
  const last = end + 8;
  const stop = limit;
  const begin = start;
  let result: u32 = FULL;
  if (to >= stop) return FULL;
  buffer |= load<u64>(input) << available;
  input += 7 - ((available >> 3) & 7);
  available |= 56;
  let entry = symbolAt(buffer);
  do {
    if (input > last) {
      result = REFUSED;
      break;
    }
    let before = buffer;
    buffer >>= entry;
    available -= entry;
    // Three pairs of literals and the code after them have at most 36 and 20 bits.
    if (<i32>entry < 0) {
      store<u16>(to, <u16>(entry >> 8));
      to += (entry >> 24) & 3;
      entry = symbolAt(buffer);
      before = buffer;
      buffer >>= entry;
      available -= entry;
      if (<i32>entry < 0) {
        store<u16>(to, <u16>(entry >> 8));
        to += (entry >> 24) & 3;
        entry = symbolAt(buffer);
        before = buffer;
        buffer >>= entry;
        available -= entry;
        if (<i32>entry < 0) {
          store<u16>(to, <u16>(entry >> 8));
          to += (entry >> 24) & 3;
          buffer |= load<u64>(input) << available;
          input += 7 - ((available >> 3) & 7);
          available |= 56;
          entry = symbolAt(buffer);
          continue;
        }
      }
    }
    if ((entry & SPECIAL) != 0) {
      if ((entry & POINTER) != 0) {
        const mask: u32 = (1 << ((entry >> 8) & 15)) - 1;
        entry = load<u32>(SYMBOLS + (<usize>((entry >> 16) + (<u32>buffer & mask)) << 2));
        before = buffer;
        buffer >>= entry;
        available -= entry;
        if (<i32>entry < 0) {
          store<u16>(to, <u16>(entry >> 8));
          to++;
          buffer |= load<u64>(input) << available;
          input += 7 - ((available >> 3) & 7);
          available |= 56;
          entry = symbolAt(buffer);
          continue;
        }
      }
      if ((entry & SPECIAL) != 0) {
        result = (entry & END) != 0 ? DONE : REFUSED;
        break;
      }
    }
    const length = (entry >> 16) + (<u32>(before & ~((<u64>-1) << entry)) >> ((entry >> 8) & 15));
    buffer |= load<u64>(input) << available;
    input += 7 - ((available >> 3) & 7);
    available |= 56;
    entry = load<u32>(DISTANCES + ((<usize>buffer & ((1 << DISTANCE_BITS) - 1)) << 2));
    if ((entry & SPECIAL) != 0) {
      if ((entry & POINTER) != 0) {
        buffer >>= DISTANCE_BITS;
        available -= DISTANCE_BITS;
        const mask: u32 = (1 << ((entry >> 8) & 15)) - 1;
        entry = load<u32>(DISTANCES + (<usize>((entry >> 16) + (<u32>buffer & mask)) << 2));
      }
      if ((entry & SPECIAL) != 0) {
        result = REFUSED;
        break;
      }
    }
    before = buffer;
    buffer >>= entry;
    available -= entry;
    const distance = (entry >> 16) + (<u32>(before & ~((<u64>-1) << entry)) >> ((entry >> 8) & 15));
    if (to - distance < begin) {
      result = REFUSED;
      break;
    }
    // The next symbol is looked up while the copy is under way.
    buffer |= load<u64>(input) << available;
    input += 7 - ((available >> 3) & 7);
    available |= 56;
    entry = symbolAt(buffer);
    let from = to - distance;
    const reach = to + length;
    if (distance >= 16) {
      v128.store(to, v128.load(from));
      v128.store(to + 16, v128.load(from + 16));
      to += 32;
      while (to < reach) {
        from += 32;
        v128.store(to, v128.load(from));
        v128.store(to + 16, v128.load(from + 16));
        to += 32;
      }
    } else {
      do {
        store<u8>(to, load<u8>(from));
        from++;
        to++;
      } while (to < reach);
    }
    to = reach;
  } while (to < stop);
  at = input;
  bits = buffer;
  count = available & 63;
  out = to;
  return result;
}

// @ts-ignore: decorator
@inline
function symbolAt(buffer: u64): u32 {
  return load<u32>(SYMBOLS + ((<usize>buffer & ((1 << SYMBOL_BITS) - 1)) << 2));
}

/** How many newlines there are: sixteen bytes at a time, summed up in bytes before any of them is full. */
export function newlines(from: usize, to: usize): u32 {
  const newline = i8x16.splat(0x0a);
  let found: u32 = 0;
  while (from + 16 <= to) {
    let sums = i8x16.splat(0);
    const stop = min(to, from + 16 * 255);
    while (from + 16 <= stop) {
      sums = i8x16.sub(sums, i8x16.eq(v128.load(from), newline));
      from += 16;
    }
    const pairs = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(sums));
    found +=
      i32x4.extract_lane(pairs, 0) +
      i32x4.extract_lane(pairs, 1) +
      i32x4.extract_lane(pairs, 2) +
      i32x4.extract_lane(pairs, 3);
  }
  while (from < to) {
    found += u32(load<u8>(from) == 0x0a);
    from++;
  }
  return found;
}
