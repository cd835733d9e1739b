/**
 * A data object that is one gzip member, made of many chunks: one header, the deflate blocks of each chunk, the empty
 * final block, the joined CRC-32 and the size. Nothing is decompressed for it, and every gzip reader takes it.
 *
 * Where it is large, its header has an index in one FEXTRA subfield, SI1 SI2 = `T` `I`: from where in the object a reader can
 * begin, and what it finds there. Each entry is a part, some chunks in a row, of these numbers in LEB128 but for the last:
 *
 *     bytes of deflate data, bytes of NDJSON, events, first event time (ms from the hour's beginning, zigzag),
 *     milliseconds to the last event time, CRC-32 of the NDJSON (four bytes, little-endian)
 *
 * before them one byte, the version of the index. The first part follows the header, each part the one before it.
 */
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { ChunkCorruptError } from '../base/errors.ts';
import { joinCrc32 } from '../chunk/crc32.ts';
import { FINAL_BLOCK, GZIP_TRAILER_BYTES } from '../chunk/writer.ts';
import type { CommitObject } from './commit.ts';

/** Deflate data that ends between two blocks at a whole byte, and what it holds. */
export interface Piece {
  readonly data: Buffer;
  readonly crc: number;
  readonly rawBytes: number;
  readonly events: number;
  /** Milliseconds since 1970. */
  readonly firstTime: number;
  readonly lastTime: number;
}

/** Some pieces in a row, from whose beginning a reader can inflate. */
export interface Part {
  /** From the object's beginning. */
  readonly offset: number;
  readonly bytes: number;
  readonly rawBytes: number;
  readonly events: number;
  readonly firstTime: number;
  readonly lastTime: number;
  /** Of the NDJSON; null when it is in a trailer that is not at hand. */
  readonly crc: number | null;
}

const HOUR_MS = 3_600_000;
const PREFIX_BYTES = 10;
const FLAG_EXTRA = 4;
const PREFIX = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff);
const INDEX_VERSION = 1;
const SUBFIELD_BYTES = 4;
/** A part has at least so many bytes: less is fetched and inflated faster than looked up. */
const MIN_PART_BYTES = 64 * 1024;
/** With some 18 bytes each the index stays far below the 32,768 bytes of a header that DuckDB takes. */
const MAX_PARTS = 512;
/** The longest header: an entry's five numbers have at most 8 bytes each. */
export const MAX_HEADER_BYTES = PREFIX_BYTES + 2 + SUBFIELD_BYTES + 1 + (MAX_PARTS + 1) * (5 * 8 + 4);

/**
 * Puts pieces together to one gzip member.
 *
 * @param hour of the events, whole hours since 1970
 * @returns the object as slices
 */
export function splice(pieces: readonly Piece[], hour: number): Buffer[] {
  const parts = partsOf(pieces);
  let crc = 0;
  let rawBytes = 0;
  for (const part of parts) {
    crc = joinCrc32(crc, part.crc, part.rawBytes);
    rawBytes += part.rawBytes;
  }
  const trailer = Buffer.alloc(FINAL_BLOCK.length + GZIP_TRAILER_BYTES);
  trailer.set(FINAL_BLOCK);
  trailer.writeUInt32LE(crc, FINAL_BLOCK.length);
  trailer.writeUInt32LE(rawBytes % 2 ** 32, FINAL_BLOCK.length + 4);
  const header = parts.length > 1 ? indexedHeader(parts, hour) : Buffer.from(PREFIX);
  return [header, ...pieces.map(({ data }) => data), trailer];
}

type Content = Omit<Part, 'offset' | 'crc'> & { readonly crc: number };

function partsOf(pieces: readonly Piece[]): Content[] {
  const total = pieces.reduce((sum, { data }) => sum + data.length, 0);
  const enough = Math.max(MIN_PART_BYTES, Math.ceil(total / MAX_PARTS));
  const parts: Content[] = [];
  let part: Content | null = null;
  for (const piece of pieces) {
    part = part === null ? contentOf(piece) : joined(part, contentOf(piece));
    if (part.bytes < enough) continue;
    parts.push(part);
    part = null;
  }
  if (part !== null) parts.push(part);
  return parts;
}

function contentOf({ data, ...piece }: Piece): Content {
  return { ...piece, bytes: data.length };
}

function joined(a: Content, b: Content): Content {
  return {
    bytes: a.bytes + b.bytes,
    rawBytes: a.rawBytes + b.rawBytes,
    events: a.events + b.events,
    firstTime: Math.min(a.firstTime, b.firstTime),
    lastTime: Math.max(a.lastTime, b.lastTime),
    crc: joinCrc32(a.crc, b.crc, b.rawBytes),
  };
}

function indexedHeader(parts: readonly Content[], hour: number): Buffer {
  const index: number[] = [INDEX_VERSION];
  for (const part of parts) {
    const first = part.firstTime - hour * HOUR_MS;
    const zigzag = first < 0 ? -2 * first - 1 : 2 * first;
    for (const number of [part.bytes, part.rawBytes, part.events, zigzag, part.lastTime - part.firstTime]) {
      pushNumber(index, number);
    }
    for (let shift = 0; shift < 32; shift += 8) index.push((part.crc >>> shift) & 0xff);
  }
  const header = Buffer.alloc(PREFIX_BYTES + 2 + SUBFIELD_BYTES);
  header.set(PREFIX);
  header[3] = FLAG_EXTRA;
  header.writeUInt16LE(SUBFIELD_BYTES + index.length, PREFIX_BYTES);
  header.write('TI', PREFIX_BYTES + 2, 'latin1');
  header.writeUInt16LE(index.length, PREFIX_BYTES + 4);
  return Buffer.concat([header, Buffer.from(index)]);
}

function pushNumber(bytes: number[], number: number): void {
  let left = number;
  while (left >= 0x80) {
    bytes.push((left % 0x80) | 0x80);
    left = Math.floor(left / 0x80);
  }
  bytes.push(left);
}

/**
 * The parts of an object that {@link splice} made. An object without an index is one part.
 *
 * @param head its first {@link MAX_HEADER_BYTES}, or all of it
 * @param isWhole whether `head` is all of the object
 * @throws ChunkCorruptError when the header is not such a one, or its parts are not all of the object
 */
export function readParts(head: Buffer, isWhole: boolean, object: CommitObject): Part[] {
  if (head.length < PREFIX_BYTES || !isPrefix(head)) throw new ChunkCorruptError('the header is damaged');
  const end = object.bytes - FINAL_BLOCK.length - GZIP_TRAILER_BYTES;
  if (head[3] === 0) {
    const { raw_bytes: rawBytes, events, first_time: firstTime = 0, last_time: lastTime = 0 } = object;
    const crc = isWhole ? head.readUInt32LE(end + FINAL_BLOCK.length) : null;
    return [{ offset: PREFIX_BYTES, bytes: end - PREFIX_BYTES, rawBytes, events, firstTime, lastTime, crc }];
  }
  const parts = readIndex(head, object.hour);
  const last = parts.at(-1);
  const rawBytes = parts.reduce((sum, part) => sum + part.rawBytes, 0);
  if (last === undefined || last.offset + last.bytes !== end || rawBytes !== object.raw_bytes) {
    throw new ChunkCorruptError('the index in the header does not cover the object');
  }
  return parts;
}

function isPrefix(head: Buffer): boolean {
  return PREFIX.every((byte, i) => head[i] === byte || (i === 3 && head[i] === FLAG_EXTRA));
}

function readIndex(head: Buffer, hour: number): Part[] {
  const indexAt = PREFIX_BYTES + 2 + SUBFIELD_BYTES;
  const length = head.length < indexAt ? 0 : head.readUInt16LE(PREFIX_BYTES);
  const end = PREFIX_BYTES + 2 + length;
  const isOurs =
    length > SUBFIELD_BYTES &&
    end <= head.length &&
    head.toString('latin1', PREFIX_BYTES + 2, PREFIX_BYTES + 4) === 'TI' &&
    head.readUInt16LE(PREFIX_BYTES + 4) === length - SUBFIELD_BYTES &&
    head[indexAt] === INDEX_VERSION;
  if (!isOurs) throw new ChunkCorruptError('the index in the header is damaged');
  const parts: Part[] = [];
  let offset = end;
  for (let at = indexAt + 1; at < end; ) {
    const numbers: number[] = [];
    while (numbers.length < 5) {
      const [number, next] = readNumber(head, at, end);
      numbers.push(number);
      at = next;
    }
    const [bytes, rawBytes, events, zigzag, span] = numbers as [number, number, number, number, number];
    if (at + 4 > end) throw new ChunkCorruptError('the index in the header is damaged');
    const crc = head.readUInt32LE(at);
    at += 4;
    const firstTime = hour * HOUR_MS + (zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2);
    parts.push({ offset, bytes, rawBytes, events, firstTime, lastTime: firstTime + span, crc });
    offset += bytes;
  }
  return parts;
}

function readNumber(bytes: Buffer, from: number, end: number): [number: number, next: number] {
  let number = 0;
  let scale = 1;
  for (let at = from; at < end && at < from + 8; at++) {
    const byte = bytes[at]!;
    number += (byte & 0x7f) * scale;
    if (byte < 0x80) return [number, at + 1];
    scale *= 0x80;
  }
  throw new ChunkCorruptError('the index in the header is damaged');
}

/**
 * The NDJSON of a part.
 *
 * @param data the part's bytes
 * @throws ChunkCorruptError when it is not what the index says
 */
export function inflatePart(data: Buffer, part: Part): Buffer {
  try {
    return checked(zlib.inflateRawSync(data, inflateOptions(part)), part);
  } catch (cause) {
    throw damage(cause);
  }
}

/** As {@link inflatePart}, while this thread does something else. */
export async function inflatePartAside(data: Buffer, part: Part): Promise<Buffer> {
  try {
    return checked(await inflateRaw(data, inflateOptions(part)), part);
  } catch (cause) {
    throw damage(cause);
  }
}

const inflateRaw: (data: Buffer, options: zlib.ZlibOptions) => Promise<Buffer> = promisify(zlib.inflateRaw);

function inflateOptions(part: Part): zlib.ZlibOptions {
  return { finishFlush: zlib.constants.Z_SYNC_FLUSH, maxOutputLength: part.rawBytes + 1 };
}

function damage(cause: unknown): ChunkCorruptError {
  return cause instanceof ChunkCorruptError
    ? cause
    : new ChunkCorruptError('the data does not inflate', cause);
}

function checked(raw: Buffer, part: Part): Buffer {
  if (raw.length !== part.rawBytes)
    throw new ChunkCorruptError(`it inflates to ${raw.length} bytes instead of ${part.rawBytes}`);
  if (part.crc !== null && zlib.crc32(raw) !== part.crc)
    throw new ChunkCorruptError('it does not match its checksum');
  return raw;
}
