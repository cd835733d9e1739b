/**
 * AssemblyScript: Huffman codes of limited length. The lengths of an optimal code are found in place in linear time, once
 * symbols are sorted by their counts (A. Moffat, J. Katajainen, "In-Place Calculation of Minimum-Redundancy Codes", 1995);
 * too long ones are cut and others made longer until the code fits; codes are canonical (RFC 1951, section 3.2.2).
 */
import { DEPTHS, SORTED } from './layout';

/** A key in SORTED is a count above a symbol. */
const SYMBOL_BITS: u32 = 9;
const SYMBOL_MASK: u32 = (1 << SYMBOL_BITS) - 1;
const MAX_BITS: u32 = 15;

/**
 * The bits of each symbol's code, 0 where it does not occur. At least two symbols get one: a code of one alone is none that
 * every decoder takes.
 *
 * @param counts u32 for each symbol, less than 2^23
 * @param to u8 for each symbol
 */
export function codeLengths(counts: usize, symbols: u32, most: u32, to: usize): void {
  memory.fill(to, 0, symbols);
  let used: u32 = 0;
  for (let i: u32 = 0; i < symbols; i++) {
    const n = load<u32>(counts + (i << 2));
    if (n != 0) store<u32>(SORTED + (used++ << 2), (n << SYMBOL_BITS) | i);
  }
  if (used < 2) {
    const first = used == 0 ? 0 : load<u32>(SORTED) & SYMBOL_MASK;
    store<u8>(to + first, 1);
    store<u8>(to + (first == 0 ? 1 : 0), 1);
    return;
  }
  sort(used);
  memory.fill(DEPTHS, 0, 64);
  depths(used, most);
  // The rarest symbols come first, and get the longest codes.
  let at: usize = SORTED;
  for (let n = most; n > 0; n--) {
    for (let left = load<u32>(DEPTHS + (n << 2)); left > 0; left--) {
      store<u8>(to + (load<u32>(at) & SYMBOL_MASK), <u8>n);
      at += 4;
    }
  }
}

/** Shell's sort, for at most 286 keys. */
function sort(length: u32): void {
  for (let gap: u32 = 121; gap > 0; gap /= 3) {
    const step = <usize>gap << 2;
    const end = SORTED + (<usize>length << 2);
    for (let i = SORTED + step; i < end; i += 4) {
      const key = load<u32>(i);
      let at = i;
      for (; at >= SORTED + step && load<u32>(at - step) > key; at -= step) store<u32>(at, load<u32>(at - step));
      store<u32>(at, key);
    }
  }
}

/** Counts in DEPTHS how many codes have so many bits. The tree is made in the upper bits of the keys. */
function depths(used: u32, most: u32): void {
  const last = used - 1;
  let leaf: u32 = 0;
  let node: u32 = 0;
  for (let next: u32 = 0; next < last; next++) {
    // The two lightest of leaves and nodes come under a new node; what they weighed becomes where their parent is.
    let weight: u32 = 0;
    for (let side = 0; side < 2; side++) {
      if (leaf > last || (node < next && weightAt(node) < weightAt(leaf))) {
        weight += weightAt(node);
        setWeight(node++, next);
      } else weight += weightAt(leaf++);
    }
    setWeight(next, weight);
  }
  // The root is the last node; from there on each node's parent gives its depth.
  setWeight(last - 1, 0);
  for (let i = <i32>last - 2; i >= 0; i--) setWeight(i, weightAt(weightAt(i)) + 1);
  let at = <i32>last - 1;
  let open: u32 = 1;
  let left: u32 = used;
  for (let depth: u32 = 0; open > 0; depth++) {
    let inner: u32 = 0;
    for (; at >= 0 && weightAt(at) == depth; at--) inner++;
    const leaves = open - inner;
    const slot = DEPTHS + (min(depth, most) << 2);
    store<u32>(slot, load<u32>(slot) + leaves);
    left -= leaves;
    open = inner << 1;
  }
  limit(most);
}

/** Makes codes longer until those that were cut fit. */
function limit(most: u32): void {
  let sum: i32 = -(1 << most);
  for (let n: u32 = 1; n <= most; n++) sum += load<u32>(DEPTHS + (n << 2)) << (most - n);
  const longest = DEPTHS + (most << 2);
  for (; sum > 0; sum--) {
    let n = most - 1;
    while (load<u32>(DEPTHS + (n << 2)) == 0) n--;
    const slot = DEPTHS + (n << 2);
    store<u32>(slot, load<u32>(slot) - 1);
    store<u32>(slot + 4, load<u32>(slot + 4) + 2);
    store<u32>(longest, load<u32>(longest) - 1);
  }
}

// @ts-ignore: decorator
@inline
function weightAt(i: u32): u32 {
  return load<u32>(SORTED + (<usize>i << 2)) >> SYMBOL_BITS;
}

// @ts-ignore: decorator
@inline
function setWeight(i: u32, weight: u32): void {
  const slot = SORTED + (<usize>i << 2);
  store<u32>(slot, (weight << SYMBOL_BITS) | (load<u32>(slot) & SYMBOL_MASK));
}

/** The codes, first bit lowest, and from bit 24 on how many bits they have. */
export function codesOf(lengths: usize, symbols: u32, to: usize): void {
  memory.fill(DEPTHS, 0, 64);
  for (let i: u32 = 0; i < symbols; i++) {
    const slot = DEPTHS + (<usize>load<u8>(lengths + i) << 2);
    store<u32>(slot, load<u32>(slot) + 1);
  }
  store<u32>(DEPTHS, 0);
  let code: u32 = 0;
  let before: u32 = 0;
  for (let n: u32 = 1; n <= MAX_BITS; n++) {
    const slot = DEPTHS + (n << 2);
    code = (code + before) << 1;
    before = load<u32>(slot);
    store<u32>(slot, code);
  }
  for (let i: u32 = 0; i < symbols; i++) {
    const n: u32 = load<u8>(lengths + i);
    const slot = DEPTHS + (<usize>n << 2);
    const own = load<u32>(slot);
    if (n != 0) store<u32>(slot, own + 1);
    store<u32>(to + (i << 2), n == 0 ? 0 : reversed(own, n) | (n << 24));
  }
}

function reversed(code: u32, length: u32): u32 {
  let bits = ((code & 0x5555) << 1) | ((code >> 1) & 0x5555);
  bits = ((bits & 0x3333) << 2) | ((bits >> 2) & 0x3333);
  bits = ((bits & 0x0f0f) << 4) | ((bits >> 4) & 0x0f0f);
  bits = ((bits & 0xff) << 8) | (bits >> 8);
  return bits >> (16 - length);
}
