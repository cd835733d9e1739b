/**
 * Splits concatenated zstd frames (RFC 8878, section 3.1.1) without decompressing them: Node's decompressor stops at
 * the end of the first frame and says nothing.
 */
import { ChunkCorruptError, ChunkTruncatedError } from '../base/errors.ts';

const MAGIC = 0xfd2fb528;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const RLE_BLOCK = 1;

/** @throws ChunkCorruptError or ChunkTruncatedError where no whole frame stands */
export function* zstdFrames(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = frameEnd(bytes, at);
    yield bytes.subarray(at, end);
    at = end;
  }
}

function frameEnd(bytes: Buffer, start: number): number {
  need(bytes, start + 5);
  if (bytes.readUInt32LE(start) !== MAGIC)
    throw new ChunkCorruptError(`no zstd frame begins at byte ${start}`);
  const descriptor = bytes[start + 4]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 && singleSegment ? 1 : CONTENT_SIZE_BYTES[sizeFlag as 0 | 1 | 2 | 3];
  let at =
    start + 5 + (singleSegment ? 0 : 1) + DICTIONARY_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3] + sizeBytes;
  for (let last = false; !last; ) {
    need(bytes, at + 3);
    const block = bytes.readUIntLE(at, 3);
    last = (block & 1) === 1;
    // A block of one repeated byte has a size, but only that byte.
    at += 3 + (((block >> 1) & 3) === RLE_BLOCK ? 1 : block >> 3);
  }
  if ((descriptor & 4) !== 0) at += 4;
  need(bytes, at);
  return at;
}

function need(bytes: Buffer, end: number): void {
  if (end > bytes.length) throw new ChunkTruncatedError('the zstd frame goes on after the end of the bytes');
}
