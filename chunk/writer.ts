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

const EMPTY = Buffer.alloc(0);

/** The compressed form of a chunk's lines, without header and trailer. */
export function compress(raw: Uint8Array, { codec, level }: Compression): Buffer {
  return codec === 'gzip'
    ? zlib.deflateRawSync(raw, { level })
    : zlib.zstdCompressSync(raw, { params: { [zlib.constants.ZSTD_c_compressionLevel]: level } });
}

/** Bytes of the chunk that {@link frameLines} makes of `dataBytes` compressed bytes. */
export function chunkBytes(codec: Codec, tag: string, dataBytes: number): number {
  return headerBytes(codec, Buffer.byteLength(tag)) + dataBytes + (codec === 'gzip' ? GZIP_TRAILER_BYTES : 0);
}

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
  return frameLines(raw, compress(raw, compression), header, compression.codec);
}

/**
 * Puts the compressed form of `raw` between header and trailer.
 *
 * @param data what {@link compress} made of `raw`
 * @throws as {@link encodeChunk}
 */
export function frameLines(
  raw: Uint8Array,
  data: Uint8Array,
  header: Omit<ChunkHeader, 'rawBytes'>,
  codec: Codec,
): Buffer {
  const trailer = codec === 'gzip' ? gzipTrailer(raw) : EMPTY;
  return frameChunk(codec, data, trailer, { ...header, rawBytes: raw.length });
}

/** Puts compressed data between header and trailer and signs the whole with its checksum. */
export function frameChunk(codec: Codec, data: Uint8Array, trailer: Uint8Array, header: ChunkHeader): Buffer {
  const tag = Buffer.from(header.tag);
  if (tag.length > MAX_TAG_BYTES || header.rawBytes > MAX_RAW_BYTES) {
    throw new TailraceError(
      'CHUNK_TOO_LARGE',
      `a chunk holds ${MAX_RAW_BYTES} bytes under a tag of ${MAX_TAG_BYTES} at most, not ${header.rawBytes} and ${tag.length}`,
    );
  }
  const start = headerBytes(codec, tag.length);
  const chunk = Buffer.allocUnsafe(start + data.length + trailer.length);
  chunk.set(data, start);
  chunk.set(trailer, start + data.length);
  writeHeader(chunk, codec, tag, header);
  setCrc(chunk, codec, zlib.crc32(chunk));
  return chunk;
}

const GZIP_TRAILER_BYTES = 8;

/** CRC-32 and length of the uncompressed data (RFC 1952, section 2.3.1). */
export function gzipTrailer(raw: Uint8Array): Buffer {
  const trailer = Buffer.allocUnsafe(GZIP_TRAILER_BYTES);
  trailer.writeUInt32LE(zlib.crc32(raw), 0);
  trailer.writeUInt32LE(raw.length, 4);
  return trailer;
}
