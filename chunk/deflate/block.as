/** AssemblyScript: one block (RFC 1951, sections 3.2.3 to 3.2.7) of whichever kind is smallest. */
import { align, openBits, openCount, out, put, resume } from './bits';
import { codeLengths, codesOf } from './huffman';
import {
  BITS,
  CODES,
  COUNTS,
  DISTANCE_BITS,
  DISTANCE_CODES,
  DISTANCE_COUNTS,
  DISTANCES,
  END_OF_BLOCK,
  FIRST_LENGTH,
  LENGTH_BITS,
  LENGTH_CODE_CODES,
  LENGTH_CODES,
  LENGTH_COUNTS,
  LENGTH_SLOTS,
  LONGEST,
  MATCH_CODES,
  RUNS,
  SEQUENCES,
  SYMBOLS,
} from './layout';

/** One bit less than there may be, so that four literals fit into one `put`. */
const MAX_SYMBOL_BITS: u32 = 14;
const MAX_DISTANCE_BITS: u32 = 15;
const MAX_LENGTH_BITS: u32 = 7;
const MAX_STORED: usize = 0xffff;
const CODE_MASK: u32 = 0xffffff;
/** Code lengths that stand for repeats: of the last one, of few zeros, of many. */
const AS_BEFORE: u32 = 16;
const FEW_ZEROS: u32 = 17;
const MANY_ZEROS: u32 = 18;

const LENGTH_BASES = memory.data<u16>([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]);
const LENGTH_ORDER = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);

/** Fills LENGTH_SLOTS, once. */
export function initLengths(): void {
  for (let slot: u32 = 0; slot < 29; slot++) {
    const next: u32 = slot == 28 ? LONGEST + 1 : <u32>load<u16>(LENGTH_BASES + ((slot + 1) << 1));
    for (let length = <u32>load<u16>(LENGTH_BASES + (slot << 1)); length < next; length++)
      store<u8>(LENGTH_SLOTS + length, <u8>slot);
  }
}

// @ts-ignore: decorator
@inline
function extraOfLength(slot: u32): u32 {
  return slot < 8 || slot == 28 ? 0 : (slot >> 2) - 1;
}

// @ts-ignore: decorator
@inline
function extraOfDistance(slot: u32): u32 {
  return slot < 4 ? 0 : (slot >> 1) - 1;
}

/**
 * Writes the input from `from` to `to`, whose SEQUENCES and symbols' counts there are; clears the counts.
 */
export function writeBlock(from: usize, to: usize): void {
  store<u32>(COUNTS + (END_OF_BLOCK << 2), 1);
  codeLengths(COUNTS, SYMBOLS, MAX_SYMBOL_BITS, BITS);
  codeLengths(DISTANCE_COUNTS, DISTANCES, MAX_DISTANCE_BITS, DISTANCE_BITS);
  const symbols = lastUsed(BITS, SYMBOLS, FIRST_LENGTH);
  const distances = lastUsed(DISTANCE_BITS, DISTANCES, 1);
  const runs = lengthRuns(symbols, distances);
  codeLengths(LENGTH_COUNTS, LENGTH_CODES, MAX_LENGTH_BITS, LENGTH_BITS);
  let lengths: u32 = LENGTH_CODES;
  while (lengths > 4 && load<u8>(LENGTH_BITS + load<u8>(LENGTH_ORDER + lengths - 1)) == 0) lengths--;

  const extra = extraCost();
  const own = 14 + 3 * lengths + runsCost() + symbolsCost() + extra;
  const fixed = fixedCost() + extra;
  const bytes = to - from;
  // Up to seven bits to the next whole byte, and for each piece a header.
  const stored: u64 = <u64>(bytes + 5 * (bytes / MAX_STORED + 1)) << 3;
  if (stored <= min(own, fixed)) writeStored(from, to);
  else {
    if (fixed <= own) beginFixed();
    else beginDynamic(symbols, distances, lengths, runs);
    writeSymbols(from);
  }
  memory.fill(COUNTS, 0, LENGTH_COUNTS - COUNTS);
}

function lastUsed(bits: usize, symbols: u32, least: u32): u32 {
  let n = symbols;
  while (n > least && load<u8>(bits + n - 1) == 0) n--;
  return n;
}

/** Of the code lengths of both alphabets, as one: RUNS, whose extra bits are from bit 8 on, and LENGTH_COUNTS. */
function lengthRuns(symbols: u32, distances: u32): u32 {
  memory.fill(LENGTH_COUNTS, 0, 4 * LENGTH_CODES);
  const total = symbols + distances;
  let runs: u32 = 0;
  for (let i: u32 = 0; i < total; ) {
    const n = lengthAt(i, symbols);
    let same: u32 = 1;
    while (i + same < total && lengthAt(i + same, symbols) == n) same++;
    i += same;
    if (n == 0) {
      for (; same >= 11; ) {
        const times = min<u32>(same, 138);
        addRun(runs++, MANY_ZEROS | ((times - 11) << 8));
        same -= times;
      }
      if (same >= 3) {
        addRun(runs++, FEW_ZEROS | ((same - 3) << 8));
        same = 0;
      }
    } else if (same >= 4) {
      addRun(runs++, n);
      for (same--; same >= 3; ) {
        const times = min<u32>(same, 6);
        addRun(runs++, AS_BEFORE | ((times - 3) << 8));
        same -= times;
      }
    }
    for (; same > 0; same--) addRun(runs++, n);
  }
  return runs;
}

// @ts-ignore: decorator
@inline
function lengthAt(i: u32, symbols: u32): u32 {
  return i < symbols ? load<u8>(BITS + i) : load<u8>(DISTANCE_BITS + i - symbols);
}

function addRun(at: u32, run: u32): void {
  store<u16>(RUNS + (at << 1), <u16>run);
  const slot = LENGTH_COUNTS + ((run & 0xff) << 2);
  store<u32>(slot, load<u32>(slot) + 1);
}

function extraOfRun(symbol: u32): u32 {
  return symbol < AS_BEFORE ? 0 : symbol == AS_BEFORE ? 2 : symbol == FEW_ZEROS ? 3 : 7;
}

/** Bits of the code lengths in a header. */
function runsCost(): u64 {
  let cost: u64 = 0;
  for (let i: u32 = 0; i < LENGTH_CODES; i++)
    cost += load<u32>(LENGTH_COUNTS + (i << 2)) * (load<u8>(LENGTH_BITS + i) + extraOfRun(i));
  return cost;
}

function symbolsCost(): u64 {
  let cost: u64 = 0;
  for (let i: u32 = 0; i < SYMBOLS; i++) cost += load<u32>(COUNTS + (i << 2)) * load<u8>(BITS + i);
  for (let i: u32 = 0; i < DISTANCES; i++) cost += load<u32>(DISTANCE_COUNTS + (i << 2)) * load<u8>(DISTANCE_BITS + i);
  return cost;
}

function fixedCost(): u64 {
  let cost: u64 = 0;
  for (let i: u32 = 0; i < SYMBOLS; i++) cost += load<u32>(COUNTS + (i << 2)) * fixedBits(i);
  for (let i: u32 = 0; i < DISTANCES; i++) cost += load<u32>(DISTANCE_COUNTS + (i << 2)) * 5;
  return cost;
}

function extraCost(): u64 {
  let cost: u64 = 0;
  for (let i: u32 = 0; i < 29; i++) cost += load<u32>(COUNTS + ((FIRST_LENGTH + i) << 2)) * extraOfLength(i);
  for (let i: u32 = 0; i < DISTANCES; i++) cost += load<u32>(DISTANCE_COUNTS + (i << 2)) * extraOfDistance(i);
  return cost;
}

function fixedBits(symbol: u32): u32 {
  return symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
}

function beginFixed(): void {
  put(1 << 1, 3);
  for (let i: u32 = 0; i < 288; i++) store<u8>(BITS + i, <u8>fixedBits(i));
  memory.fill(DISTANCE_BITS, 5, DISTANCES);
  codesOf(BITS, 288, CODES);
  codesOf(DISTANCE_BITS, DISTANCES, DISTANCE_CODES);
}

function beginDynamic(symbols: u32, distances: u32, lengths: u32, runs: u32): void {
  put((2 << 1) | ((symbols - 257) << 3) | ((distances - 1) << 8) | ((lengths - 4) << 13), 17);
  for (let i: u32 = 0; i < lengths; i++) put(load<u8>(LENGTH_BITS + load<u8>(LENGTH_ORDER + i)), 3);
  codesOf(LENGTH_BITS, LENGTH_CODES, LENGTH_CODE_CODES);
  for (let i: u32 = 0; i < runs; i++) {
    const run: u32 = load<u16>(RUNS + (i << 1));
    const code = load<u32>(LENGTH_CODE_CODES + ((run & 0xff) << 2));
    put(code & CODE_MASK, code >> 24);
    put(run >> 8, extraOfRun(run & 0xff));
  }
  codesOf(BITS, SYMBOLS, CODES);
  codesOf(DISTANCE_BITS, DISTANCES, DISTANCE_CODES);
}

/** Of each length: its code with the extra bits behind it. */
function matchCodes(): void {
  for (let length: u32 = 3; length <= LONGEST; length++) {
    const slot: u32 = load<u8>(LENGTH_SLOTS + length);
    const code = load<u32>(CODES + ((FIRST_LENGTH + slot) << 2));
    const n = code >> 24;
    const extra = length - load<u16>(LENGTH_BASES + (slot << 1));
    store<u32>(MATCH_CODES + (length << 2), (code & CODE_MASK) | (extra << n) | ((n + extraOfLength(slot)) << 24));
  }
}

/** All sequences, and the end of the block. */
function writeSymbols(from: usize): void {
  matchCodes();
  let to = out;
  let bits = openBits();
  let count = openCount();
  let at = from;
  for (let sequence = SEQUENCES; ; sequence += 8) {
    const head = load<u64>(sequence);
    let literals = <u32>head;
    for (; literals >= 4; literals -= 4) {
      const four = load<u32>(at);
      at += 4;
      let code = literal(four & 0xff);
      bits |= (<u64>(code & CODE_MASK)) << count;
      count += code >> 24;
      code = literal((four >> 8) & 0xff);
      bits |= (<u64>(code & CODE_MASK)) << count;
      count += code >> 24;
      code = literal((four >> 16) & 0xff);
      bits |= (<u64>(code & CODE_MASK)) << count;
      count += code >> 24;
      code = literal(four >> 24);
      bits |= (<u64>(code & CODE_MASK)) << count;
      count += code >> 24;
      store<u64>(to, bits);
      to += count >> 3;
      bits >>= count & 0x38;
      count &= 7;
    }
    for (; literals > 0; literals--) {
      const code = literal(load<u8>(at++));
      bits |= (<u64>(code & CODE_MASK)) << count;
      count += code >> 24;
    }
    store<u64>(to, bits);
    to += count >> 3;
    bits >>= count & 0x38;
    count &= 7;
    const length = <u32>(head >> 32) & 0xffff;
    if (length == 0) break;
    at += length;
    let code = load<u32>(MATCH_CODES + (length << 2));
    bits |= (<u64>(code & CODE_MASK)) << count;
    count += code >> 24;
    const distance = <u32>(head >> 48);
    const slot = distanceSlot(distance);
    code = load<u32>(DISTANCE_CODES + (slot << 2));
    bits |= (<u64>(code & CODE_MASK)) << count;
    count += code >> 24;
    const extra = extraOfDistance(slot);
    bits |= (<u64>(distance & ((1 << extra) - 1))) << count;
    count += extra;
    store<u64>(to, bits);
    to += count >> 3;
    bits >>= count & 0x38;
    count &= 7;
  }
  resume(to, bits, count);
  const end = literal(END_OF_BLOCK);
  put(end & CODE_MASK, end >> 24);
}

// @ts-ignore: decorator
@inline
function literal(symbol: u32): u32 {
  return load<u32>(CODES + (symbol << 2));
}

/** @param distance less one */
// @ts-ignore: decorator
@inline
export function distanceSlot(distance: u32): u32 {
  const n = 31 - clz(distance | 1);
  return distance < 2 ? distance : (n << 1) + ((distance >> (n - 1)) & 1);
}

function writeStored(from: usize, to: usize): void {
  for (let at = from; at < to; ) {
    const length = min(to - at, MAX_STORED);
    put(0, 3);
    align();
    put(length | ((length ^ 0xffff) << 16), 32);
    memory.copy(out, at, length);
    at += length;
    resume(out + length, 0, 0);
  }
}
