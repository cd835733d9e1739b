/**
 * The records that a spool segment consists of, and the scan that finds them in damaged bytes.
 *
 *     0  'T' 'R' 'S' '1'    4  u8 type, three zero bytes    8  u32 payload bytes
 *    12  u32 CRC-32 of bytes 4 to 11 and the payload       16  payload
 *
 * A cut is `state`, its chunks, `end`; once the cut has been synced, `durable`. State stands at both ends, so that no
 * single damaged place takes a cut's progress away.
 */
import * as zlib from 'node:zlib';

export const RECORD_HEADER_BYTES = 16;
const MAGIC = Buffer.from('TRS1');

const RECORD_TYPES = { state: 1, chunk: 2, end: 3, durable: 4 } as const;
export type RecordType = keyof typeof RECORD_TYPES;
const TYPE_NAMES: readonly (RecordType | undefined)[] = [undefined, 'state', 'chunk', 'end', 'durable'];

/** The sixteen bytes that stand before `payload`. */
export function recordHeader(type: RecordType, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  header.set(MAGIC, 0);
  header[4] = RECORD_TYPES[type];
  header.writeUInt32LE(payload.length, 8);
  header.writeUInt32LE(zlib.crc32(payload, zlib.crc32(header.subarray(4, 12))), 12);
  return header;
}

export interface SpoolRecord {
  readonly type: RecordType;
  /** Where the record's header begins in the segment. */
  readonly offset: number;
  readonly payload: Buffer;
}

/** Bytes in which no sound record could be found. */
export interface Damage {
  readonly type: 'damage';
  readonly offset: number;
  readonly end: number;
}

/** Walks a segment: sound records in their order, and the ranges between them that are none. */
export function* scanRecords(segment: Buffer): Generator<SpoolRecord | Damage> {
  let at = 0;
  while (at < segment.length) {
    const record = recordAt(segment, at);
    if (record) {
      yield record;
      at += RECORD_HEADER_BYTES + record.payload.length;
      continue;
    }
    const next = nextRecord(segment, at + 1);
    yield { type: 'damage', offset: at, end: next };
    at = next;
  }
}

function recordAt(segment: Buffer, offset: number): SpoolRecord | null {
  if (segment.length - offset < RECORD_HEADER_BYTES) return null;
  if (segment.compare(MAGIC, 0, 4, offset, offset + 4) !== 0) return null;
  const type = TYPE_NAMES[segment[offset + 4]!];
  const end = offset + RECORD_HEADER_BYTES + segment.readUInt32LE(offset + 8);
  if (!type || end > segment.length) return null;
  const payload = segment.subarray(offset + RECORD_HEADER_BYTES, end);
  const crc = zlib.crc32(payload, zlib.crc32(segment.subarray(offset + 4, offset + 12)));
  return crc === segment.readUInt32LE(offset + 12) ? { type, offset, payload } : null;
}

function nextRecord(segment: Buffer, from: number): number {
  let at = segment.indexOf(MAGIC, from);
  while (at !== -1 && !recordAt(segment, at)) at = segment.indexOf(MAGIC, at + 1);
  return at === -1 ? segment.length : at;
}
