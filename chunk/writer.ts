/** Makes a chunk out of whole NDJSON lines. */
import * as zlib from 'node:zlib';
import { TailraceError } from './errors.ts';
import {
  type ChunkHeader,
  type Codec,
  headerBytes,
  MAX_RAW_BYTES,
  MAX_TAG_BYTES,
  setCrc,
  writeHeader,
} from './header.ts';

export interface Compression {
  readonly codec: Codec;
  /** gzip 1 to 9, zstd 1 to 19. */
  readonly level: number;
}

const EMPTY = Buffer.alloc(0);

/**
 * Compresses `raw`, whole lines of NDJSON that each end in a newline, into one chunk.
 *
 * @param header all of the header but `rawBytes`, which is the length of `raw`
 * @throws TailraceError CHUNK_TOO_LARGE when the tag or the lines are beyond what the format can say
 */
export function encodeChunk(
  raw: Uint8Array,
  header: Omit<ChunkHeader, 'rawBytes'>,
  compression: Compression,
): Buffer {
  const { codec, level } = compression;
  const tag = Buffer.from(header.tag);
  if (tag.length > MAX_TAG_BYTES || raw.length > MAX_RAW_BYTES) {
    throw new TailraceError(
      'CHUNK_TOO_LARGE',
      `a chunk holds ${MAX_RAW_BYTES} bytes under a tag of ${MAX_TAG_BYTES} at most, not ${raw.length} and ${tag.length}`,
    );
  }
  const data =
    codec === 'gzip'
      ? zlib.deflateRawSync(raw, { level })
      : zlib.zstdCompressSync(raw, { params: { [zlib.constants.ZSTD_c_compressionLevel]: level } });
  return frameChunk(codec, tag, data, codec === 'gzip' ? gzipTrailer(raw) : EMPTY, {
    ...header,
    rawBytes: raw.length,
  });
}

/** Puts compressed data between header and trailer and signs the whole with its checksum. */
export function frameChunk(
  codec: Codec,
  tag: Buffer,
  data: Uint8Array,
  trailer: Uint8Array,
  header: ChunkHeader,
): Buffer {
  const start = headerBytes(codec, tag.length);
  const chunk = Buffer.allocUnsafe(start + data.length + trailer.length);
  chunk.set(data, start);
  chunk.set(trailer, start + data.length);
  writeHeader(chunk, codec, tag, header);
  setCrc(chunk, codec, zlib.crc32(chunk));
  return chunk;
}

/** CRC-32 and length of the uncompressed data (RFC 1952, section 2.3.1). */
export function gzipTrailer(raw: Uint8Array): Buffer {
  const trailer = Buffer.allocUnsafe(8);
  trailer.writeUInt32LE(zlib.crc32(raw), 0);
  trailer.writeUInt32LE(raw.length, 4);
  return trailer;
}
