/** Makes a chunk out of whole NDJSON lines. */
import * as zlib from 'node:zlib';
import { TailraceError } from '../base/errors.ts';
import { freeBuffer } from '../base/free-buffer.ts';
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
  /** With gzip it is asked before zlib. */
  readonly deflater?: DeflateEncoder;
}

/** What compresses to deflate data as {@link Compression} wants it. */
export interface DeflateEncoder {
  /** The parts of deflate data that ends as a sync flush does; null when zlib is to compress these lines. */
  deflate(raw: Uint8Array): readonly Buffer[] | null;
}

/** The empty final block that ends a chunk's deflate data, and is left out where chunks are spliced. */
export const FINAL_BLOCK = Uint8Array.of(3, 0);
/** CRC-32 and length of the uncompressed data. */
export const GZIP_TRAILER_BYTES = 8;
/** Lines compress to less than this part of them, as a rule: then zlib's output is one piece, and nothing is joined. */
const PIECE_SHARE = 4;
const MIN_PIECE_BYTES = 1024;
/** zlib's highest: blocks of twice as many symbols take 2 to 4 % less CPU. */
const MEMORY_LEVEL = 9;
/** Input from which on zstd has room for the worst case: that of its compressBound, n + n/256 and a little. */
const ZSTD_WHOLE_BYTES = 128 * 1024;
const ZSTD_MARGIN = 128;

/** A chunk without an identity yet: its lines are compressed and in their place, its header is not written. */
export interface ChunkBody {
  readonly codec: Codec;
  readonly tag: Uint8Array;
  readonly chunk: Buffer;
  /** Bytes of the lines before compression. */
  readonly rawBytes: number;
}

/** Compresses `raw`, whole lines of NDJSON that each end in a newline, for a chunk of this tag. */
export function compressLines(raw: Uint8Array, tag: string, compression: Compression): ChunkBody {
  const { codec } = compression;
  const data = compress(raw, compression);
  const name = Buffer.from(tag);
  const start = headerBytes(codec, name.length);
  const end = codec === 'gzip' ? FINAL_BLOCK.length + GZIP_TRAILER_BYTES : 0;
  const length = data.reduce((sum, part) => sum + part.length, 0);
  const chunk = Buffer.allocUnsafe(start + length + end);
  let at = start;
  for (const part of data) {
    chunk.set(part, at);
    at += part.length;
  }
  if (codec === 'gzip') {
    chunk.set(FINAL_BLOCK, at);
    chunk.set(gzipTrailer(raw), at + FINAL_BLOCK.length);
  }
  for (const part of data) freeBuffer(part);
  return { codec, tag: name, chunk, rawBytes: raw.length };
}

function compress(raw: Uint8Array, { codec, level, deflater }: Compression): readonly Buffer[] {
  if (codec === 'zstd') return [zstd(raw, level)];
  return deflater?.deflate(raw) ?? [deflate(raw, level)];
}

function deflate(raw: Uint8Array, level: number): Buffer<ArrayBuffer> {
  const chunkSize = pieceBytes(raw);
  return zlib.deflateRawSync(raw, {
    level,
    memLevel: MEMORY_LEVEL,
    finishFlush: zlib.constants.Z_SYNC_FLUSH,
    chunkSize,
  });
}

/**
 * With room for the worst case zstd reads its input where it is. Otherwise it copies it to a buffer of its own first, and
 * of more than fits in there it looks for matches across the two ends, which takes 11 to 15 % more CPU for the same bytes.
 */
function zstd(raw: Uint8Array, level: number): Buffer<ArrayBuffer> {
  const worst = raw.length + Math.ceil(raw.length / 256) + ZSTD_MARGIN;
  return zlib.zstdCompressSync(raw, {
    params: { [zlib.constants.ZSTD_c_compressionLevel]: level },
    chunkSize: raw.length < ZSTD_WHOLE_BYTES ? pieceBytes(raw) : worst,
  });
}

function pieceBytes({ length }: Uint8Array): number {
  return Math.max(MIN_PIECE_BYTES, Math.ceil(length / PIECE_SHARE));
}

/**
 * Makes a chunk of a body, which is used up.
 *
 * @param header the whole header except `rawBytes`
 * @throws TailraceError CHUNK_TOO_LARGE when the tag or the lines exceed what the format can express
 */
export function frameBody(
  { codec, tag, chunk, rawBytes }: ChunkBody,
  header: Omit<ChunkHeader, 'rawBytes' | 'tag'>,
): Buffer {
  return sign(chunk, codec, tag, { ...header, rawBytes, spliceable: codec === 'gzip' });
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
  return frameBody(compressLines(raw, header.tag, compression), header);
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
  const start = headerBytes(codec, tag.length);
  const chunk = Buffer.allocUnsafe(start + data.length + end.length);
  chunk.set(data, start);
  chunk.set(end, start + data.length);
  return sign(chunk, codec, tag, { spliceable: false, ...header });
}

/** Writes the header of a chunk that holds all the rest, and the checksum of the whole. */
function sign(
  chunk: Buffer,
  codec: Codec,
  tag: Uint8Array,
  header: Omit<ChunkHeader, 'tag'> & { readonly spliceable: boolean },
): Buffer {
  if (tag.length > MAX_TAG_BYTES || header.rawBytes > MAX_RAW_BYTES) {
    throw new TailraceError(
      'CHUNK_TOO_LARGE',
      `a chunk holds ${MAX_RAW_BYTES} bytes under a tag of ${MAX_TAG_BYTES} at most, not ${header.rawBytes} and ${tag.length}`,
    );
  }
  writeHeader(chunk, codec, tag, header);
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
