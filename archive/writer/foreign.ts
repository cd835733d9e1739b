/**
 * Makes lines, and gzip data, of records that are not chunks.
 *
 * Frozen: two workers of different releases must make the same bytes of the same records. A change in what this
 * writes is a further version in encoders.ts, and commits say which one made their objects.
 */
import { isUtf8 } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { sha256 } from '../../base/sha256.ts';
import { frameChunk, gzipTrailer } from '../../chunk/writer.ts';
import type { Piece } from '../spliced.ts';
import type { ForeignRecord } from './drafts.ts';
import { openRecords, type StrictLine } from './opened.ts';
import { strictText } from './strict-text.ts';

const STORED_BLOCK_BYTES = 65_535;
/** Raw bytes after which a next chunk begins; a line longer than that has one of its own. */
const CHUNK_RAW_BYTES = 16 * 1024 * 1024;
/** What stands for an epoch where there is no producer of ours. */
const NO_EPOCH = '0'.repeat(16);

/** Where the records come from. */
export interface ForeignSource {
  readonly stream: string;
  readonly incarnation: string;
  readonly shard: string;
  /** The commit that archives them. */
  readonly number: number;
}

/** The tag under which a stream's foreign records are archived. */
export function foreignTag(stream: string): string {
  return `foreign.${stream}`;
}

/** One record as a line of NDJSON: a JSON object as it is, text as `message`, bytes as `base64`. */
export function foreignLine(data: Buffer): string {
  if (!isUtf8(data)) return `${JSON.stringify({ base64: data.toString('base64') })}\n`;
  const text = data.toString('utf8');
  // Line breaks stand only between the tokens of valid JSON, so a blank in their place changes nothing.
  return isJsonObject(text)
    ? `${text.replace(/[\r\n]/g, ' ').trim()}\n`
    : `${JSON.stringify({ message: text })}\n`;
}

function isJsonObject(text: string): boolean {
  if (!/^[ \t\r\n]*\{/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Version 1: the records of one hour as chunks of stored deflate blocks, and how many bytes of NDJSON are in them. */
export function wrapForeign(
  source: ForeignSource,
  hour: number,
  records: readonly ForeignRecord[],
): { readonly chunks: Buffer[]; readonly rawBytes: number } {
  const chunks: Buffer[] = [];
  let rawBytes = 0;
  for (const { raw, of } of linesOf(records, (data) => Buffer.from(foreignLine(data)))) {
    chunks.push(storedChunk(source, hour, chunks.length + 1, raw, of));
    rawBytes += raw.length;
  }
  return { chunks, rawBytes };
}

/** Since version 3: the lines that the records of one hour come to when they are opened, as version 2 stores them. */
export function openedPieces(
  records: readonly ForeignRecord[],
  strict: StrictLine,
): { readonly pieces: readonly Piece[]; readonly rewritten: number } {
  const opened = openRecords(records, strict);
  const rewritten = opened.reduce((sum, record) => sum + record.rewritten, 0);
  const pieces: Piece[] = [];
  for (let i = 0; i < records.length; ) {
    const first = i;
    let bytes = 0;
    do {
      bytes += opened[i]!.bytes;
      i += 1;
    } while (i < records.length && bytes < CHUNK_RAW_BYTES);
    const lines = opened.slice(first, i).flatMap((record) => record.lines);
    pieces.push(pieceOf(Buffer.from(`${lines.join('\n')}\n`), lines.length, records.slice(first, i)));
  }
  return { pieces, rewritten };
}

/** Version 2 of {@link foreignLine}: a line that every strict reader takes. */
export function strictLine(data: Buffer): Buffer {
  return Buffer.from(`${strictText(foreignLine(data).slice(0, -1))}\n`);
}

/** Version 2: the records of one hour as stored deflate blocks that are put together to one gzip member. */
export function foreignPieces(records: readonly ForeignRecord[]): Piece[] {
  return linesOf(records, strictLine).map(({ raw, of }) => pieceOf(raw, of.length, of));
}

function pieceOf(raw: Buffer, events: number, of: readonly ForeignRecord[]): Piece {
  return {
    data: stored(raw, false),
    crc: crc32(raw),
    rawBytes: raw.length,
    events,
    ...arrivalsOf(of),
  };
}

/** Not by Math.min(...): a batch may hold more small records than a call takes arguments. */
function arrivalsOf(records: readonly { readonly arrival: number }[]): {
  firstTime: number;
  lastTime: number;
} {
  let firstTime = Number.POSITIVE_INFINITY;
  let lastTime = Number.NEGATIVE_INFINITY;
  for (const { arrival } of records) {
    firstTime = Math.min(firstTime, arrival);
    lastTime = Math.max(lastTime, arrival);
  }
  return { firstTime, lastTime };
}

/** The lines of records in pieces of a bounded size, each with its records. */
function linesOf(
  records: readonly ForeignRecord[],
  lineOf: (data: Buffer) => Buffer,
): { raw: Buffer; of: readonly ForeignRecord[] }[] {
  const pieces: { raw: Buffer; of: readonly ForeignRecord[] }[] = [];
  for (let i = 0; i < records.length; ) {
    const lines: Buffer[] = [];
    const first = i;
    let bytes = 0;
    do {
      const line = lineOf(records[i]!.data);
      lines.push(line);
      bytes += line.length;
      i += 1;
    } while (i < records.length && bytes < CHUNK_RAW_BYTES);
    pieces.push({ raw: Buffer.concat(lines, bytes), of: records.slice(first, i) });
  }
  return pieces;
}

function storedChunk(
  source: ForeignSource,
  hour: number,
  sequence: number,
  raw: Buffer,
  records: readonly { readonly arrival: number }[],
): Buffer {
  const { stream, incarnation, shard, number } = source;
  const lane = identity(`foreign/${incarnation}/${shard}/${number}/${hour}`);
  return frameChunk('gzip', stored(raw, true), gzipTrailer(raw), {
    lane,
    sequence,
    producer: identity(`foreign/${incarnation}`),
    epoch: NO_EPOCH,
    ordinal: sequence,
    floor: NO_EPOCH,
    previous: null,
    end: false,
    tag: foreignTag(stream),
    hour,
    ...arrivalsOf(records),
    events: records.length,
    rawBytes: raw.length,
  });
}

/**
 * Deflate blocks without compression (RFC 1951, section 3.2.4): the same bytes from every zlib.
 *
 * @param final whether the last block says that it is the last one
 */
function stored(raw: Buffer, final: boolean): Buffer {
  const blocks = Math.max(1, Math.ceil(raw.length / STORED_BLOCK_BYTES));
  const out = Buffer.allocUnsafe(raw.length + blocks * 5);
  let at = 0;
  for (let i = 0; i < blocks; i++) {
    const part = raw.subarray(i * STORED_BLOCK_BYTES, (i + 1) * STORED_BLOCK_BYTES);
    out[at] = final && i === blocks - 1 ? 1 : 0;
    out.writeUInt16LE(part.length, at + 1);
    out.writeUInt16LE(~part.length & 0xffff, at + 3);
    out.set(part, at + 5);
    at += 5 + part.length;
  }
  return out;
}

function identity(text: string): string {
  return sha256(text).slice(0, 32);
}
