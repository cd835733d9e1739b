/**
 * AssemblyScript: finds matches (RFC 1951, section 4). For each hash of five bytes there is a row of the eight newest
 * positions with it, whose other bits of the hash are compared with all eight at once, as in zstd's row-based match finder.
 * Two things make it fast for lines of logs, most of which is what stood a line before: of a match only every few
 * positions go into their rows, since what comes again begins at the same places; and where a match is long the next
 * position is not searched for a longer one.
 */
import { distanceSlot } from './block';
import {
  COUNTS,
  DISTANCE_COUNTS,
  FIRST_LENGTH,
  LENGTH_SLOTS,
  LONGEST,
  MAX_SEQUENCES,
  ROW,
  ROW_BITS,
  ROWS,
  SEQUENCES,
  WINDOW,
} from './layout';

const SHORTEST: u32 = 5;
/** Of five bytes. */
const FACTOR: u64 = 889523592379 << 24;
/** Where the other bits of a hash are, and where they are kept. */
const TAG_SHIFT: u64 = 64 - ROW_BITS - 32;
const TAG_MASK: u32 = 0xffff0000;
/** Positions of a row that are looked at, and when there is a match already. */
const TRIES: u32 = 8;
const LAZY_TRIES: u32 = 4;
/** Longer matches are taken without a look at the next position. */
const LAZY: u32 = 64;
/** Bytes behind a position that make a search worth it, and are read for a hash. */
const LEAST: usize = 16;
/** Of a match only so many positions go into their rows, and the last two. */
const STRIDE: usize = 8;
const SHORT_STRIDE: usize = 2;
const SHORT: u32 = 16;

/** The distance of what `longest` found. */
let distance: u32 = 0;

// @ts-ignore: decorator
@inline
function hashOf(at: usize): u64 {
  return load<u64>(at) * FACTOR;
}

// @ts-ignore: decorator
@inline
function rowOf(hash: u64): usize {
  return ROWS + <usize>(hash >> (64 - ROW_BITS)) * ROW;
}

/** Puts a position at the beginning of its row, whose oldest falls out. */
// @ts-ignore: decorator
@inline
function add(row: usize, newer: v128, older: v128, hash: u64, at: usize): void {
  const entry = i32x4.splat((<u32>(hash >> TAG_SHIFT) & TAG_MASK) | (<u32>at & 0xffff));
  v128.store(row, v128.shuffle<i32>(entry, newer, 0, 4, 5, 6));
  v128.store(row, v128.shuffle<i32>(newer, older, 3, 4, 5, 6), 16);
}

// @ts-ignore: decorator
@inline
function insert(at: usize): void {
  const hash = hashOf(at);
  const row = rowOf(hash);
  add(row, v128.load(row), v128.load(row, 16), hash, at);
}

/** How many bytes are the same, four of which are known to be. */
// @ts-ignore: decorator
@inline
function same(one: usize, other: usize, most: u32): u32 {
  let length: u32 = 4;
  do {
    const equal = i8x16.bitmask(i8x16.eq(v128.load(one + length), v128.load(other + length)));
    if (equal != 0xffff) return min(most, length + ctz(~equal));
    length += 16;
  } while (length < most);
  return most;
}

/**
 * The length of the longest match that is longer than `best`, or `best`; puts the position into its row.
 *
 * @param first where there is input that may be referred to
 * @param most the longest that a match can be here
 * @param tries positions that are looked at
 */
// @ts-ignore: decorator
@inline
function longest(at: usize, first: usize, best: u32, most: u32, tries: u32): u32 {
  const hash = hashOf(at);
  const row = rowOf(hash);
  const newer = v128.load(row);
  const older = v128.load(row, 16);
  const tag = i32x4.splat(<u32>(hash >> TAG_SHIFT) >> 16);
  let mask: u32 =
    i32x4.bitmask(i32x4.eq(i32x4.shr_u(newer, 16), tag)) |
    (i32x4.bitmask(i32x4.eq(i32x4.shr_u(older, 16), tag)) << 4);
  if (mask != 0) {
    const reach = min(<u32>(at - first), <u32>WINDOW);
    const four = load<u32>(at);
    let tail = load<u32>(at + best - 3);
    do {
      const back = (<u32>at - load<u16>(row + (ctz(mask) << 2))) & 0xffff;
      // Those behind it are farther away. None is from before the input, or a whole span away.
      if (back - 1 >= reach) break;
      const other = at - back;
      if (load<u32>(other + best - 3) == tail && load<u32>(other) == four) {
        const length = same(at, other, most);
        if (length > best) {
          best = length;
          distance = back;
          if (length == most) break;
          tail = load<u32>(at + best - 3);
        }
      }
      mask &= mask - 1;
    } while (--tries != 0 && mask != 0);
  }
  add(row, newer, older, hash, at);
  return best;
}

// @ts-ignore: decorator
@inline
function count(slot: usize): void {
  store<u32>(slot, load<u32>(slot) + 1);
}

/**
 * Makes SEQUENCES of the input from `from` on, as far as there are enough of them, and counts their symbols.
 *
 * @param first where there is input that may be referred to
 * @param to where it should end, or a match later
 * @param end of the input
 * @returns where it ended
 */
export function findSequences(first: usize, from: usize, to: usize, end: usize): usize {
  let at = from;
  let sequence = SEQUENCES;
  let literals = at;
  const full = SEQUENCES + ((MAX_SEQUENCES - 1) << 3);
  const searched = end - first > LEAST ? min(to, end - LEAST) : first;
  while (at < searched && sequence < full) {
    let most = min(<u32>(end - at), LONGEST);
    let length = longest(at, first, SHORTEST - 1, most, TRIES);
    if (length < SHORTEST) {
      count(COUNTS + (<usize>load<u8>(at++) << 2));
      continue;
    }
    let back = distance;
    let next = at + 1;
    while (length < LAZY && next < searched) {
      most = min(<u32>(end - next), LONGEST);
      const longer = longest(next++, first, length, most, LAZY_TRIES);
      if (longer == length) break;
      count(COUNTS + (<usize>load<u8>(at++) << 2));
      length = longer;
      back = distance;
    }
    store<u64>(sequence, (at - literals) | ((<u64>length) << 32) | ((<u64>(back - 1)) << 48));
    sequence += 8;
    count(COUNTS + ((FIRST_LENGTH + load<u8>(LENGTH_SLOTS + length)) << 2));
    count(DISTANCE_COUNTS + (distanceSlot(back - 1) << 2));
    at += length;
    literals = at;
    const inserted = min(at, searched);
    const stride = length < SHORT ? SHORT_STRIDE : STRIDE;
    for (; next + 2 < inserted; next += stride) insert(next);
    if (at <= searched) {
      insert(at - 2);
      insert(at - 1);
    }
  }
  if (at >= searched) {
    for (; at < to; at++) count(COUNTS + (<usize>load<u8>(at) << 2));
  }
  store<u64>(sequence, at - literals);
  return at;
}
