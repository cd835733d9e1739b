/** AssemblyScript: headers of blocks (RFC 1951, sections 3.2.3 to 3.2.7). */
import { at, bits, count, end, leave, refill, take } from './bits';
import {
  CODE_BITS,
  DISTANCE_BITS,
  DISTANCES,
  LENGTH_BITS,
  LENGTHS,
  OF_DISTANCES,
  OF_LENGTHS,
  OF_SYMBOLS,
  SPECIAL,
  SYMBOL_BITS,
  SYMBOLS,
  table,
} from './tables';

const LENGTH_ORDER = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);

/** What a block's header announces. */
export const REFUSED: u32 = 0;
export const IN_CODES: u32 = 1;
export const IN_STORED: u32 = 2;

/** Bytes of a stored block. */
export let stored: u32 = 0;

/** Reads the header of a block that is not the final one: IN_CODES, whose tables there are then, or IN_STORED. */
export function beginBlock(): u32 {
  refill();
  const isFinal = take(1);
  // Others' data is to follow.
  if (isFinal != 0) return REFUSED;
  const type = take(2);
  if (type == 0) return beginStored() ? IN_STORED : REFUSED;
  const isSound = type == 1 ? fixedTables() : type == 2 && dynamicTables();
  return isSound ? IN_CODES : REFUSED;
}

function beginStored(): bool {
  // Back to the first byte of which no bit was taken.
  const from = at - (count >> 3);
  if (from + 4 > end) return false;
  stored = load<u16>(from);
  if ((stored ^ <u32>load<u16>(from + 2)) != 0xffff) return false;
  leave(from + 4, 0, 0);
  return at + stored <= end;
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
