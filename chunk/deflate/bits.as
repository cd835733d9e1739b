/** AssemblyScript: writes bits, the lowest first (RFC 1951, section 3.1.1), eight bytes at a time. */

/** Where the next whole byte goes. */
export let out: usize = 0;
let bits: u64 = 0;
let count: u32 = 0;

/** Goes on behind what was written at another place. */
export function writeAt(to: usize): void {
  out = to;
}

export function noBits(): void {
  bits = 0;
  count = 0;
}

/** Up to 56 bits, which are zero above. */
// @ts-ignore: decorator
@inline
export function put(value: u64, length: u32): void {
  bits |= value << count;
  count += length;
  store<u64>(out, bits);
  out += count >> 3;
  bits >>= count & 0x38;
  count &= 7;
}

/** Zeros up to a whole byte. */
export function align(): void {
  put(0, -count & 7);
}

/** The bits that do not fill a byte yet, and how many. */
export function openBits(): u64 {
  return bits;
}

export function openCount(): u32 {
  return count;
}

/** What was written by a copy of these. */
export function resume(to: usize, value: u64, length: u32): void {
  out = to;
  bits = value;
  count = length;
}
