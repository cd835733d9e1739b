/** Reads chunks: hops from one to the next without inflating, checks them, and inflates one when asked. */
import * as zlib from 'node:zlib';
import { ChunkCorruptError } from '../base/errors.ts';
import { crcOffset, type FramedHeader, readHeader } from './header.ts';

const ZERO_CRC = Buffer.alloc(4);

/**
 * Reads the header of the chunk at `offset` and checks the chunk's checksum, without inflating it.
 *
 * @throws ChunkCorruptError, ChunkTruncatedError or ChunkVersionError
 */
export function readChunk(bytes: Buffer, offset = 0): FramedHeader {
  const header = readHeader(bytes, offset);
  const crcAt = offset + crcOffset(header.codec);
  let crc = zlib.crc32(bytes.subarray(offset, crcAt));
  crc = zlib.crc32(ZERO_CRC, crc);
  crc = zlib.crc32(bytes.subarray(crcAt + 4, offset + header.bytes), crc);
  if (crc !== header.crc)
    throw new ChunkCorruptError(`the chunk at byte ${offset} does not match its checksum`);
  return header;
}

/** A checked chunk inside a larger piece of bytes. */
export interface PlacedChunk {
  readonly header: FramedHeader;
  readonly offset: number;
  /** The whole chunk, a view and not a copy. */
  readonly bytes: Buffer;
}

/**
 * Walks concatenated chunks from `offset` to the end of `bytes`.
 *
 * @throws as {@link readChunk}, at the first place where no sound chunk begins
 */
export function* readChunks(bytes: Buffer, offset = 0): Generator<PlacedChunk> {
  for (let at = offset; at < bytes.length; ) {
    const header = readChunk(bytes, at);
    yield { header, offset: at, bytes: bytes.subarray(at, at + header.bytes) };
    at += header.bytes;
  }
}

/**
 * The NDJSON of a chunk. Never allocates more than the header announces.
 *
 * @param chunk a whole chunk that {@link readChunk} has checked
 * @throws ChunkCorruptError when the data does not inflate to exactly the announced bytes
 */
export function inflateChunk(chunk: Buffer, header: FramedHeader): Buffer {
  const data = chunk.subarray(header.headerBytes, header.bytes);
  let raw: Buffer;
  try {
    // One byte more than announced, so that too much data is an error of ours and not a cut; 0 is not a limit.
    const maxOutputLength = header.rawBytes + 1;
    raw =
      header.codec === 'gzip'
        ? zlib.gunzipSync(chunk.subarray(0, header.bytes), { maxOutputLength })
        : zlib.zstdDecompressSync(data, { maxOutputLength });
  } catch (cause) {
    throw new ChunkCorruptError('the chunk does not inflate', cause);
  }
  if (raw.length !== header.rawBytes) {
    throw new ChunkCorruptError(
      `the chunk inflates to ${raw.length} bytes, its header says ${header.rawBytes}`,
    );
  }
  return raw;
}
