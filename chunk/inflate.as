/**
 * AssemblyScript: decompresses deflate data (RFC 1951) that ends between two blocks at a whole byte, a window at a time.
 * It says nothing about data that it refuses: the caller asks zlib then. What it takes, zlib takes as well, with the same
 * bytes. Built by `npm run build:wasm`; never edit inflate-wasm.ts.
 *
 * Memory: tables and lengths, then what the caller lays out (see inflate.ts). Behind the input are PADDING bytes of
 * zeros, so that eight bytes can be read anywhere, and behind the output's limit is room for the longest match.
 */
import { at, bits, count, end, leave, open } from './inflate/bits';
import { beginBlock, IN_CODES, IN_STORED, REFUSED as UNSOUND, stored as storedBytes } from './inflate/blocks';
import { DISTANCE_BITS, DISTANCES, END, POINTER, SPECIAL, SYMBOLS, symbolAt } from './inflate/tables';

/** What `run` says. */
const DONE: u32 = 0;
const FULL: u32 = 1;
const REFUSED: u32 = 2;

const AT_BLOCK: u32 = 0;
/** Where the output ends. */
export let out: usize = 0;

let start: usize = 0;
let limit: usize = 0;
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
  open(from, to);
  start = first;
  out = first;
  limit = last;
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
      leave(at + length, 0, 0);
      stored -= length;
      if (stored > 0) return FULL;
      phase = AT_BLOCK;
    } else {
      const left: i64 = ((<i64>end - <i64>at) << 3) + count;
      if (left == 0) return DONE;
      if (left < 3) return REFUSED;
      phase = beginBlock();
      if (phase == UNSOUND) return REFUSED;
      stored = storedBytes;
    }
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
  leave(input, buffer, available & 63);
  out = to;
  return result;
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
