/** Makes a chunk out of whole NDJSON lines. */
import * as zlib from 'node:zlib';
import { TailraceError } from '../base/errors.ts';
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

/** The empty final block that ends a chunk's deflate data, and is left out where chunks are spliced. */
export const FINAL_BLOCK = Uint8Array.of(3, 0);
/** CRC-32 and length of the uncompressed data. */
export const GZIP_TRAILER_BYTES = 8;
const EMPTY = Buffer.alloc(0);

/** The lines of a chunk, compressed, while the chunk has no identity yet. */
export interface ChunkBody {
  readonly codec: Codec;
  readonly data: Uint8Array;
  /** What follows the data: the empty final block and gzip's trailer. */
  readonly end: Uint8Array;
  /** Bytes of the lines before compression. */
  readonly rawBytes: number;
}

/** Compresses `raw`, whole lines of NDJSON that each end in a newline. */
export function compressLines(raw: Uint8Array, { codec, level }: Compression): ChunkBody {
  const rawBytes = raw.length;
  if (codec === 'gzip') {
    const data = zlib.deflateRawSync(raw, { level, finishFlush: zlib.constants.Z_SYNC_FLUSH });
    return { codec, data, end: Buffer.concat([FINAL_BLOCK, gzipTrailer(raw)]), rawBytes };
  }
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: level };
  return { codec, data: zlib.zstdCompressSync(raw, { params }), end: EMPTY, rawBytes };
}

/** Bytes of the chunk that {@link frameBody} makes of a body. */
export function chunkBytes({ codec, data, end }: ChunkBody, tag: string): number {
  return headerBytes(codec, Buffer.byteLength(tag)) + data.length + end.length;
}

/**
 * Makes a chunk of a body.
 *
 * @param header the whole header except `rawBytes`
 * @throws TailraceError CHUNK_TOO_LARGE when the tag or the lines exceed what the format can express
 */
export function frameBody(body: ChunkBody, header: Omit<ChunkHeader, 'rawBytes'>): Buffer {
  const { codec, data, end, rawBytes } = body;
  return frameChunk(codec, data, end, { ...header, rawBytes, spliceable: codec === 'gzip' });
}

/**
 * Compresses `raw`, whole lines of NDJSON that each end in a newline, into one chunk.
 *
 * @throws as {@link frameBody}
 */
export function encodeChunk(
  raw: Uint8Array,
  header: Omit<ChunkHeader, 'rawBytes'>,
  compression: Compression,
): Buffer {
  return frameBody(compressLines(raw, compression), header);
}

/**
 * Puts compressed data between header and end, and signs the whole with its checksum.
 *
 * @param end what follows the data: gzip's trailer, and before it the final block where the data lacks it
 */
export function frameChunk(
  codec: Codec,
  data: Uint8Array,
  end: Uint8Array,
  header: ChunkHeader & { readonly spliceable?: boolean },
): Buffer {
  const tag = Buffer.from(header.tag);
  if (tag.length > MAX_TAG_BYTES || header.rawBytes > MAX_RAW_BYTES) {
    throw new TailraceError(
      'CHUNK_TOO_LARGE',
      `a chunk holds ${MAX_RAW_BYTES} bytes under a tag of ${MAX_TAG_BYTES} at most, not ${header.rawBytes} and ${tag.length}`,
    );
  }
  const start = headerBytes(codec, tag.length);
  const chunk = Buffer.allocUnsafe(start + data.length + end.length);
  chunk.set(data, start);
  chunk.set(end, start + data.length);
  writeHeader(chunk, codec, tag, { spliceable: false, ...header });
  setCrc(chunk, codec, zlib.crc32(chunk));
  return chunk;
}

/** CRC-32 and length of the uncompressed data (RFC 1952, section 2.3.1). */
export function gzipTrailer(raw: Uint8Array): Buffer {
  const trailer = Buffer.allocUnsafe(GZIP_TRAILER_BYTES);
  trailer.writeUInt32LE(zlib.crc32(raw), 0);
  trailer.writeUInt32LE(raw.length, 4);
  return trailer;
}
