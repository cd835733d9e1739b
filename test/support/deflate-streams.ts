/** Deflate streams made symbol by symbol, of codes that no compressor would choose, some of them faulty (RFC 1951). */

const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const END_OF_BLOCK = 256;

class Bits {
  readonly #bytes: number[] = [];
  #held = 0;
  #count = 0;

  put(value: number, bits: number): void {
    for (let i = 0; i < bits; i++) {
      this.#held |= ((value >>> i) & 1) << this.#count++;
      if (this.#count === 8) this.align();
    }
  }

  align(): void {
    if (this.#count > 0) this.#bytes.push(this.#held);
    this.#held = 0;
    this.#count = 0;
  }

  end(): Buffer {
    this.align();
    return Buffer.from(this.#bytes);
  }
}

/** @param random 0 to below 1 */
export function deflateStream(random: () => number): Buffer {
  const below = (n: number): number => Math.floor(random() * n);
  const out = new Bits();
  for (let blocks = 1 + below(5); blocks > 0; blocks--) {
    out.put(below(40) === 0 ? 1 : 0, 1);
    const type = below(10);
    if (type < 2) storedBlock(out, below);
    else codedBlock(out, below, type < 4);
  }
  // Most end as a sync flush does.
  if (below(4) > 0) {
    out.put(0, 3);
    out.align();
    out.put(0xffff0000, 32);
  }
  return out.end();
}

type Below = (n: number) => number;

function storedBlock(out: Bits, below: Below): void {
  const length = below(5) === 0 ? below(0x10000) : below(200);
  out.put(0, 2);
  out.align();
  out.put(length, 16);
  out.put(below(50) === 0 ? length : ~length & 0xffff, 16);
  for (let left = below(40) === 0 ? below(length + 1) : length; left > 0; left--) out.put(below(256), 8);
}

function codedBlock(out: Bits, below: Below, isFixed: boolean): void {
  const [symbols, distances] = isFixed ? fixedLengths() : dynamicHead(out, below);
  if (isFixed) out.put(1, 2);
  const symbolCodes = codesOf(symbols);
  const distanceCodes = codesOf(distances);
  const used = [...symbols.keys()].filter((i) => symbols[i]! > 0 && i !== END_OF_BLOCK);
  const matches = used.filter((symbol) => symbol > END_OF_BLOCK);
  const places = [...distances.keys()].filter((i) => distances[i]! > 0);
  const one = (values: readonly number[]): number => values[below(values.length)]!;
  for (let left = used.length === 0 ? 0 : below(below(8) === 0 ? 4000 : 120); left > 0; left--) {
    const symbol = one(matches.length > 0 && below(3) === 0 ? matches : used);
    out.put(symbolCodes[symbol]!, symbols[symbol]!);
    if (symbol < END_OF_BLOCK) continue;
    const length = symbol - 257;
    const lengthBits = length < 8 || length >= 28 ? 0 : (length >> 2) - 1;
    out.put(below(1 << lengthBits), lengthBits);
    if (places.length === 0) continue;
    // Near ones mostly: far ones are before the beginning.
    const place = one(below(4) > 0 ? places.slice(0, 6) : places);
    out.put(distanceCodes[place]!, distances[place]!);
    const placeBits = place < 4 ? 0 : (place >> 1) - 1;
    out.put(below(3) > 0 ? 0 : below(1 << Math.min(placeBits, 13)), Math.min(placeBits, 13));
  }
  if (below(30) > 0 && symbols[END_OF_BLOCK]! > 0)
    out.put(symbolCodes[END_OF_BLOCK]!, symbols[END_OF_BLOCK]!);
}

function fixedLengths(): [number[], number[]] {
  const of = (length: number, times: number): number[] => Array<number>(times).fill(length);
  return [[...of(8, 144), ...of(9, 112), ...of(7, 24), ...of(8, 8)], of(5, 32)];
}

/** Writes the head of a dynamic block. */
function dynamicHead(out: Bits, below: Below): [number[], number[]] {
  const counts = [below(30), below(30)].map((n) => (below(30) === 0 ? 29 + below(3) : n)) as [number, number];
  const symbols = lengthsOf(257 + counts[0], below, below(20) > 0 ? [END_OF_BLOCK, 65] : [65]);
  const size = counts[1] + 1;
  const distances = below(6) === 0 ? Array<number>(size).fill(0) : lengthsOf(size, below, [below(size)]);
  // 13 codes of 4 bits and 6 of 5 fill the code of lengths.
  const lengths: number[] = Array.from({ length: 19 }, (_, i) => (i < 13 ? 4 : 5));
  if (below(40) === 0) lengths[below(19)] = below(8);
  const codes = codesOf(lengths);
  const symbol = (value: number): void => out.put(codes[value] ?? 0, lengths[value]!);
  out.put(2, 2);
  out.put(counts[0], 5);
  out.put(counts[1], 5);
  out.put(15, 4);
  for (const at of CODE_ORDER) out.put(lengths[at]!, 3);
  const all = [...symbols, ...distances];
  for (let i = 0; i < all.length; ) {
    const run = runAt(all, i);
    if (all[i] === 0 && run >= 11) {
      symbol(18);
      out.put(Math.min(run, 138) - 11, 7);
      i += Math.min(run, 138);
    } else if (i > 0 && all[i] === all[i - 1] && run >= 3) {
      symbol(16);
      out.put(Math.min(run, 6) - 3, 2);
      i += Math.min(run, 6);
    } else symbol(all[i++]!);
  }
  return [symbols, distances];
}

function runAt(values: readonly number[], at: number): number {
  let end = at;
  while (end < values.length && values[end] === values[at]) end++;
  return end - at;
}

/** Bits of each symbol's code: a whole code as a rule, one of too many or too few codes at times. */
function lengthsOf(symbols: number, below: Below, needed: readonly number[]): number[] {
  const used = new Set(needed);
  for (let more = below(Math.min(symbols, 40)); more > 0; more--) used.add(below(symbols));
  const leaves = [used.size === 1 ? 1 : 0];
  while (leaves.length < used.size) {
    const leaf = below(leaves.length);
    if (leaves[leaf] === 15) continue;
    leaves[leaf]! += 1;
    leaves.push(leaves[leaf]!);
  }
  const lengths = Array<number>(symbols).fill(0);
  for (const [i, symbol] of [...used].entries()) lengths[symbol] = leaves[i]!;
  if (below(12) === 0) lengths[needed[0]!] = below(16);
  return lengths;
}

/** The canonical codes of these lengths, with their bits in the order in which they are written. */
function codesOf(lengths: readonly number[]): number[] {
  const codes = Array<number>(lengths.length).fill(0);
  let code = 0;
  for (let bits = 1; bits <= 15; bits++) {
    code <<= 1;
    for (const [symbol, length] of lengths.entries()) {
      if (length !== bits) continue;
      for (let k = 0; k < bits; k++) codes[symbol]! |= ((code >> k) & 1) << (bits - 1 - k);
      code++;
    }
  }
  return codes;
}
