/**
 * AssemblyScript: compresses to deflate data (RFC 1951) that ends between two blocks at a whole byte, and reads all of it
 * back. Built by `npm run build:wasm`; never edit deflate-wasm.ts. What lies where is in deflate/layout.as, and deflate.ts.
 */
import { align, noBits, openCount, out, put, writeAt } from './deflate/bits';
import { initLengths, writeBlock } from './deflate/block';
import { isReadBack } from './deflate/check';
import { COUNTS, LENGTH_COUNTS, LENGTH_SLOTS, LONGEST, ROWS, SPAN, WINDOW } from './deflate/layout';
import { findSequences } from './deflate/matches';

/** Input that is left for the next time, so that no match ends early. */
const AHEAD: usize = LONGEST + 16;

/** Where the output ends, and by how many bytes the input has been moved back. */
export { out };
export let moved: usize = 0;

let first: usize = 0;
let at: usize = 0;

/** Begins with new input. */
export function begin(from: usize): void {
  first = from;
  at = from;
  noBits();
  memory.fill(ROWS, 0, LENGTH_SLOTS - ROWS);
  memory.fill(COUNTS, 0, LENGTH_COUNTS - COUNTS);
  initLengths();
}

/**
 * Writes blocks of the input up to `end`; what is too near to it waits for more, unless that was all.
 *
 * @param to where the output goes
 * @returns false when what was written does not decode to the input
 */
export function run(end: usize, to: usize, isAll: bool): bool {
  const skip = openCount();
  const from = at;
  writeAt(to);
  const stop = isAll ? end : end - AHEAD;
  while (at < stop) {
    const block = at;
    at = findSequences(first, block, stop, end);
    writeBlock(block, at);
  }
  if (isAll) {
    // An empty stored block, as a sync flush is.
    put(0, 3);
    align();
    put(0xffff0000, 32);
  }
  if (!isReadBack(to, skip, out, openCount(), from, at, first)) return false;
  moved = isAll ? 0 : (at - first - WINDOW) & ~(SPAN - 1);
  memory.copy(first, first + moved, end - first - moved);
  at -= moved;
  return true;
}
