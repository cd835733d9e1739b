/**
 * The header of a chunk: what it says, and its bytes.
 *
 * A gzip chunk is one gzip member (RFC 1952) whose header carries one FEXTRA subfield, SI1 SI2 = `T` `R`; a zstd
 * chunk is a skippable frame (RFC 8878, section 3.1.2) with the same subfield as its content, and a zstd frame.
 * The subfield (numbers little-endian as everywhere in gzip, identities as big-endian bytes):
 *
 *     0  'T' 'R'          2  u16 bytes that follow      (then, from here)
 *     0  u8  version      1  u8  flags: 1 = last chunk of a clean stop, 2 = can be spliced
 *     2  u16 tag bytes    4  u32 bytes of the whole chunk
 *     8  u32 CRC-32 of the whole chunk with these four bytes as zero
 *    12  u32 hour         16 u32 events                 20 u32 raw bytes
 *    24  16  lane         40 16  producer
 *    56  8   epoch        64 8   floor                  72 8   previous epoch, zero when there was none
 *    80  u64 sequence     88 u64 ordinal                96 u64 final ordinal of the previous epoch
 *   104  u64 first time  112 u64 last time             120 tag, UTF-8
 *
 * A gzip chunk that can be spliced ends its deflate data with a sync flush, so that its last block ends at a whole byte,
 * and then with the empty final block `03 00`: without those two bytes it can stand before other deflate data.
 */
import { ChunkCorruptError, ChunkTruncatedError, ChunkVersionError } from '../base/errors.ts';

const FORMAT_VERSION = 1;
/** Bytes of UTF-8 that a tag may have. */
export const MAX_TAG_BYTES = 1024;
/** A chunk's decompressed size may not exceed this: a bound for readers, far above what a writer makes. */
export const MAX_RAW_BYTES = 256 * 1024 * 1024;

export type Codec = 'gzip' | 'zstd';

/** What a chunk says of itself. Identities are lower-case hex: fixed width, so they sort as text. */
export interface ChunkHeader {
  /** 128-bit lane, 32 hex digits: the explicit hash key of the record that carries the chunk. */
  readonly lane: string;
  /** Place in the lane: 1, 2, 3, … */
  readonly sequence: number;
  /** 128-bit producer id, 32 hex digits, one per state directory. */
  readonly producer: string;
  /** 64-bit epoch, 16 hex digits, one per start of the producer; later epochs sort after earlier ones. */
  readonly epoch: string;
  /** Place among all chunks of the epoch, over all lanes: 1, 2, 3, … */
  readonly ordinal: number;
  /** The oldest epoch of which the producer still holds something unacknowledged. */
  readonly floor: string;
  /** The last epoch before this one that had chunks, and its final ordinal; in an epoch's first chunk only. */
  readonly previous: { readonly epoch: string; readonly ordinal: number } | null;
  /** Whether this is the last chunk of an epoch that stopped cleanly. It is made for that alone: no events, tag ''. */
  readonly end: boolean;
  readonly tag: string;
  /** Whole hours since 1970-01-01T00Z, of the events' time. */
  readonly hour: number;
  /** Earliest and latest event time, milliseconds since 1970. */
  readonly firstTime: number;
  readonly lastTime: number;
  readonly events: number;
  /** Bytes of NDJSON before compression. */
  readonly rawBytes: number;
}

/** A header as read from bytes, with what only the bytes know. */
export interface FramedHeader extends ChunkHeader {
  readonly codec: Codec;
  /** Bytes of the whole chunk, header and trailer included. */
  readonly bytes: number;
  readonly crc: number;
  /** Bytes before the compressed data. */
  readonly headerBytes: number;
  /** Whether the chunk says that its deflate data can stand before other deflate data. */
  readonly spliceable: boolean;
}

const GZIP_PREFIX = Uint8Array.of(0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 4, 0xff);
/** RFC 8878: any of 0x184D2A50 to 0x184D2A5F begins a skippable frame; ours ends in 4. */
const SKIPPABLE_MAGIC = 0x184d2a54;
const FIXED_BYTES = 120;
const SUBFIELD_PREFIX = 4;
const FLAG_END = 1;
const FLAG_SPLICEABLE = 2;
const NO_EPOCH = '0'.repeat(16);
/** Bytes from a chunk's start to its subfield: gzip's ten and XLEN, or the frame's magic and size. */
const SUBFIELD_AT = { gzip: GZIP_PREFIX.length + 2, zstd: 8 } as const;

/** Bytes of the header of a chunk whose tag has `tagBytes` bytes. */
export function headerBytes(codec: Codec, tagBytes: number): number {
  return SUBFIELD_AT[codec] + SUBFIELD_PREFIX + FIXED_BYTES + tagBytes;
}

/**
 * Writes a header at the start of `chunk`, which already holds the compressed data behind the header's place; the
 * CRC is left as zero for {@link setCrc}.
 */
export function writeHeader(
  chunk: Buffer,
  codec: Codec,
  tag: Uint8Array,
  header: Omit<ChunkHeader, 'tag'> & { readonly spliceable: boolean },
): void {
  const at = SUBFIELD_AT[codec];
  const payload = FIXED_BYTES + tag.length;
  if (codec === 'gzip') {
    chunk.set(GZIP_PREFIX, 0);
    chunk.writeUInt16LE(SUBFIELD_PREFIX + payload, GZIP_PREFIX.length);
  } else {
    chunk.writeUInt32LE(SKIPPABLE_MAGIC, 0);
    chunk.writeUInt32LE(SUBFIELD_PREFIX + payload, 4);
  }
  chunk[at] = 0x54;
  chunk[at + 1] = 0x52;
  chunk.writeUInt16LE(payload, at + 2);
  const p = at + SUBFIELD_PREFIX;
  chunk[p] = FORMAT_VERSION;
  chunk[p + 1] = (header.end ? FLAG_END : 0) | (header.spliceable ? FLAG_SPLICEABLE : 0);
  chunk.writeUInt16LE(tag.length, p + 2);
  chunk.writeUInt32LE(chunk.length, p + 4);
  chunk.writeUInt32LE(0, p + 8);
  chunk.writeUInt32LE(header.hour, p + 12);
  chunk.writeUInt32LE(header.events, p + 16);
  chunk.writeUInt32LE(header.rawBytes, p + 20);
  chunk.write(header.lane, p + 24, 'hex');
  chunk.write(header.producer, p + 40, 'hex');
  chunk.write(header.epoch, p + 56, 'hex');
  chunk.write(header.floor, p + 64, 'hex');
  chunk.write(header.previous?.epoch ?? NO_EPOCH, p + 72, 'hex');
  writeUInt64(chunk, header.sequence, p + 80);
  writeUInt64(chunk, header.ordinal, p + 88);
  writeUInt64(chunk, header.previous?.ordinal ?? 0, p + 96);
  writeUInt64(chunk, header.firstTime, p + 104);
  writeUInt64(chunk, header.lastTime, p + 112);
  chunk.set(tag, p + FIXED_BYTES);
}

/** Puts the checksum into a chunk that is otherwise complete. */
export function setCrc(chunk: Buffer, codec: Codec, crc: number): void {
  chunk.writeUInt32LE(crc, crcOffset(codec));
}

/** Where the four checksum bytes stand, from the chunk's start. */
export function crcOffset(codec: Codec): number {
  return SUBFIELD_AT[codec] + SUBFIELD_PREFIX + 8;
}

/** Which codec the bytes at `offset` claim to be a chunk of; null when they are not a chunk of ours. */
export function codecAt(bytes: Buffer, offset: number): Codec | null {
  const left = bytes.length - offset;
  let codec: Codec;
  if (left >= SUBFIELD_AT.gzip + 2 && startsWithGzip(bytes, offset)) codec = 'gzip';
  else if (left >= SUBFIELD_AT.zstd + 2 && bytes.readUInt32LE(offset) === SKIPPABLE_MAGIC) codec = 'zstd';
  else return null;
  const at = offset + SUBFIELD_AT[codec];
  return bytes[at] === 0x54 && bytes[at + 1] === 0x52 ? codec : null;
}

function startsWithGzip(bytes: Buffer, offset: number): boolean {
  for (let i = 0; i < GZIP_PREFIX.length; i++) if (bytes[offset + i] !== GZIP_PREFIX[i]) return false;
  return true;
}

/**
 * Reads the header at `offset`; checks that the lengths agree with each other and with the bytes at hand, and
 * leaves the checksum to the reader.
 *
 * @throws ChunkCorruptError when no chunk begins there or its lengths contradict each other
 * @throws ChunkTruncatedError when the chunk goes on after the end of `bytes`
 * @throws ChunkVersionError when a later release wrote it
 */
export function readHeader(bytes: Buffer, offset = 0): FramedHeader {
  const codec = codecAt(bytes, offset);
  if (codec === null) {
    if (bytes.length - offset < SUBFIELD_AT.gzip + 2)
      throw new ChunkTruncatedError('too few bytes for a chunk');
    throw new ChunkCorruptError(`no chunk begins at byte ${offset}`);
  }
  const at = offset + SUBFIELD_AT[codec];
  const p = at + SUBFIELD_PREFIX;
  if (bytes.length < p + 1) throw new ChunkTruncatedError('the chunk ends inside its header');
  if (bytes[p] !== FORMAT_VERSION) throw new ChunkVersionError(bytes[p]!);
  if (bytes.length < p + FIXED_BYTES) throw new ChunkTruncatedError('the chunk ends inside its header');

  const payload = bytes.readUInt16LE(at + 2);
  const outer = codec === 'gzip' ? bytes.readUInt16LE(at - 2) : bytes.readUInt32LE(at - 4);
  const tagBytes = bytes.readUInt16LE(p + 2);
  const length = bytes.readUInt32LE(p + 4);
  const size = headerBytes(codec, tagBytes);
  if (tagBytes > MAX_TAG_BYTES) throw new ChunkCorruptError(`a tag of ${tagBytes} bytes`);
  if (payload !== FIXED_BYTES + tagBytes || outer !== payload + SUBFIELD_PREFIX) {
    throw new ChunkCorruptError('the lengths in the chunk header contradict each other');
  }
  if (length < size + MIN_DATA_BYTES[codec]) throw new ChunkCorruptError(`a chunk of ${length} bytes`);
  if (bytes.length - offset < length) {
    throw new ChunkTruncatedError(`the chunk has ${length} bytes, ${bytes.length - offset} are there`);
  }
  const rawBytes = bytes.readUInt32LE(p + 20);
  if (rawBytes > MAX_RAW_BYTES) throw new ChunkCorruptError(`a chunk of ${rawBytes} raw bytes`);
  const previousEpoch = bytes.toString('hex', p + 72, p + 80);
  return {
    codec,
    bytes: length,
    crc: bytes.readUInt32LE(p + 8),
    headerBytes: size,
    end: (bytes[p + 1]! & FLAG_END) !== 0,
    spliceable: (bytes[p + 1]! & FLAG_SPLICEABLE) !== 0,
    hour: bytes.readUInt32LE(p + 12),
    events: bytes.readUInt32LE(p + 16),
    rawBytes,
    lane: bytes.toString('hex', p + 24, p + 40),
    producer: bytes.toString('hex', p + 40, p + 56),
    epoch: bytes.toString('hex', p + 56, p + 64),
    floor: bytes.toString('hex', p + 64, p + 72),
    previous:
      previousEpoch === NO_EPOCH ? null : { epoch: previousEpoch, ordinal: readUInt64(bytes, p + 96) },
    sequence: readUInt64(bytes, p + 80),
    ordinal: readUInt64(bytes, p + 88),
    firstTime: readUInt64(bytes, p + 104),
    lastTime: readUInt64(bytes, p + 112),
    tag: bytes.toString('utf8', p + FIXED_BYTES, p + FIXED_BYTES + tagBytes),
  };
}

/** An empty deflate block and gzip's trailer; zstd's magic and the smallest frame header with an empty block. */
const MIN_DATA_BYTES = { gzip: 2 + 8, zstd: 4 + 2 + 3 } as const;

function writeUInt64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32LE(value % 0x1_0000_0000, offset);
  bytes.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
}

function readUInt64(bytes: Buffer, offset: number): number {
  const value = bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * 0x1_0000_0000;
  if (value > Number.MAX_SAFE_INTEGER) throw new ChunkCorruptError(`a count of ${value} in the chunk header`);
  return value;
}

/** The explicit hash key of a lane as Kinesis wants it: a decimal number below 2^128. */
export function explicitHashKey(lane: string): string {
  return BigInt(`0x${lane}`).toString();
}

/** The partition key of a record that begins with this chunk: readable, for people who look at the stream. */
export function partitionKey({
  producer,
  epoch,
  lane,
  sequence,
}: Pick<ChunkHeader, 'producer' | 'epoch' | 'lane' | 'sequence'>): string {
  return `${producer}/${epoch}/${lane}/${sequence}`;
}
