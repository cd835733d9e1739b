/**
 * AssemblyScript: reads back what the encoder has written, by the tables of the inflater, and compares it with the input as it
 * goes: nothing is written, so it takes less time than inflating. It shares no code with the encoder.
 */
import { at, bits, count, leave, open, take } from '../inflate/bits';
import { beginBlock, IN_CODES, IN_STORED, stored } from '../inflate/blocks';
import { DISTANCE_BITS, DISTANCES, END, POINTER, SPECIAL, SYMBOLS, symbolAt } from '../inflate/tables';

/** The input that was read back so far. */
let raw: usize = 0;

/**
 * Whether whole blocks decode to the input.
 *
 * @param from,skip the byte and the bit in it where the blocks begin
 * @param to,left where they end
 * @param input,end the input that they are of
 * @param first how far they may refer back
 */
export function isReadBack(
  from: usize,
  skip: u32,
  to: usize,
  left: u32,
  input: usize,
  end: usize,
  first: usize,
): bool {
  open(from, to + 1);
  if (skip > 0) {
    leave(from + 1, load<u8>(from), 8);
    take(skip);
  }
  raw = input;
  const last: i64 = (<i64>to << 3) + left;
  while (true) {
    const position: i64 = (<i64>at << 3) - count;
    if (position >= last) return position == last && raw == end;
    const kind = beginBlock();
    if (kind == IN_CODES) {
      if (!codes(to + 1, end, first)) return false;
    } else if (kind != IN_STORED || !isStored(end)) return false;
  }
}

function isStored(end: usize): bool {
  const from = at;
  if (raw + stored > end) return false;
  let other = from;
  for (let left = stored; left > 0; left--) if (load<u8>(raw++) != load<u8>(other++)) return false;
  leave(other, 0, 0);
  return true;
}

/** The symbols of a block, up to its end. */
function codes(last: usize, end: usize, first: usize): bool {
  let input = at;
  let buffer = bits;
  // Only the lowest six bits count: what is taken is subtracted with all of its entry.
  let available = count;
  let to = raw;
  let different: u32 = 0;
  while (true) {
    if (input > last + 8 || to > end) return false;
    buffer |= load<u64>(input) << available;
    input += 7 - ((available >> 3) & 7);
    available |= 56;
    let entry = symbolAt(buffer);
    let before = buffer;
    buffer >>= entry;
    available -= entry;
    // Two pairs of literals and the code after them have at most 24 and 20 bits.
    if (<i32>entry < 0) {
      different |= differs(to, entry);
      to += (entry >> 24) & 3;
      entry = symbolAt(buffer);
      before = buffer;
      buffer >>= entry;
      available -= entry;
      if (<i32>entry < 0) {
        different |= differs(to, entry);
        to += (entry >> 24) & 3;
        entry = symbolAt(buffer);
        before = buffer;
        buffer >>= entry;
        available -= entry;
        if (<i32>entry < 0) {
          different |= differs(to, entry);
          to += (entry >> 24) & 3;
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
          different |= differs(to, entry);
          to++;
          continue;
        }
      }
      if ((entry & SPECIAL) != 0) {
        if ((entry & END) == 0) return false;
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
      if ((entry & SPECIAL) != 0) return false;
    }
    before = buffer;
    buffer >>= entry;
    available -= entry;
    const distance = (entry >> 16) + (<u32>(before & ~((<u64>-1) << entry)) >> ((entry >> 8) & 15));
    if (to - first < distance || to + length > end) return false;
    different |= differ(to, to - distance, length);
    to += length;
  }
  leave(input, buffer, available & 63);
  raw = to;
  return different == 0;
}

/** Not zero if the input is not the literals of an entry, one or two. */
// @ts-ignore: decorator
@inline
function differs(to: usize, entry: u32): u32 {
  const mask: u32 = (1 << ((entry >> 21) & 0x18)) - 1;
  return (<u32>load<u16>(to) ^ (entry >> 8)) & mask;
}

/** Not zero if the bytes are not the same. They may overlap, since only the input is looked at. */
// @ts-ignore: decorator
@inline
function differ(one: usize, other: usize, length: u32): u32 {
  let left = length;
  while (left > 16) {
    if (i8x16.bitmask(i8x16.eq(v128.load(one), v128.load(other))) != 0xffff) return 1;
    one += 16;
    other += 16;
    left -= 16;
  }
  return ~i8x16.bitmask(i8x16.eq(v128.load(one), v128.load(other))) & ((1 << left) - 1);
}
