/** Positions in files: whether one still holds, and where the last line begins. */
import { begins, fingerprint, isZeros } from './fingerprint.ts';
import type { Position } from './follower.ts';
import type { PlainSource } from './source.ts';

/** Bytes before the end of a file that are searched for the beginning of its last line. */
const LAST_LINE_BYTES = 64 * 1024;

/**
 * Whether a file still holds what was read of it: its first bytes, and the last ones before the position.
 *
 * @param isOwn whether it is the very file that was read: its first bytes may have been given back to the file system
 */
export function holds(source: PlainSource, head: Buffer, known: Position, isOwn: boolean): boolean {
  if (known.offset === 0) return known.fingerprint.bytes === 0 || begins(head, known.fingerprint);
  const isPunched = isOwn && known.offset > head.length && isZeros(head);
  if (!isPunched && !begins(head, known.fingerprint)) return false;
  const { bytes } = known.check;
  const before = Buffer.alloc(bytes);
  const read = source.read(before, 0, bytes, known.offset - bytes);
  if (isPunched && (bytes === 0 || isZeros(before))) return false;
  return read === bytes && fingerprint(before, bytes).hash === known.check.hash;
}

/** Where the last line of a file begins, or ended. */
export function lastLine(source: PlainSource, size: number): number {
  const length = Math.min(size, LAST_LINE_BYTES);
  const bytes = Buffer.alloc(length);
  const read = source.read(bytes, 0, length, size - length);
  const newline = bytes.subarray(0, read).lastIndexOf(0x0a);
  return newline < 0 ? size : size - length + newline + 1;
}
