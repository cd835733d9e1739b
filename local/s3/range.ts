/** The Range header of a GetObject (RFC 9110, section 14.1.2). */
import { S3Error } from './error.ts';

export interface ByteRange {
  readonly start: number;
  /** The first byte after it. */
  readonly end: number;
}

/**
 * @returns null for the whole object: no header, several ranges, or an unsupported one, as in S3
 * @throws S3Error InvalidRange when it contains no byte of the object
 */
export function parseRange(header: string | undefined, size: number): ByteRange | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (!match) return null;
  const [, first, last] = match;
  if (first === '' && last === '') return null;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (start >= end) throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable');
  return { start, end };
}
