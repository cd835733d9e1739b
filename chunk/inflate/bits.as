/** AssemblyScript: the input, read a bit at a time, the lowest of a byte first (RFC 1951, section 3.1.1). */

/** Where bits are read next that are not in `bits` yet, and where the input ends. */
export let at: usize = 0;
export let end: usize = 0;
/** The next bits, `count` of which are there. */
export let bits: u64 = 0;
export let count: u32 = 0;

/** @param from,to the input; PADDING zeros follow it */
export function open(from: usize, to: usize): void {
  end = to;
  leave(from, 0, 0);
}

/** Goes on where one who read by copies of these has stopped. */
export function leave(input: usize, buffer: u64, available: u32): void {
  at = input;
  bits = buffer;
  count = available;
}

// @ts-ignore: decorator
@inline
export function refill(): void {
  bits |= load<u64>(at) << count;
  at += (63 - count) >> 3;
  count |= 56;
}

// @ts-ignore: decorator
@inline
export function take(n: u32): u32 {
  const value = <u32>bits & ((1 << n) - 1);
  bits >>= n;
  count -= n;
  return value;
}
