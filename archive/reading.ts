/** Reads the lines of a data object, of a range of time only what can hold any, and around what is damaged. */
import { createInflateRaw, createZstdDecompress } from 'node:zlib';
import { TailraceError } from '../base/errors.ts';
import { readHeader } from '../chunk/header.ts';
import { readChunk } from '../chunk/reader.ts';
import { GZIP_TRAILER_BYTES } from '../chunk/writer.ts';
import { type CommitObject, formOf } from './commit.ts';
import { inflatePartAside, MAX_HEADER_BYTES, type Part, readParts } from './spliced.ts';
import { zstdFrames } from './zstd-frames.ts';

/** Milliseconds since 1970, both included. */
export interface EventRange {
  readonly from: number;
  readonly to: number;
}

/** Lines that come together, whole. */
export interface Block {
  /** Their earliest and latest time, as the object says; all of time where it does not. */
  readonly firstTime: number;
  readonly lastTime: number;
  /** The lines in pieces of any size. */
  readonly lines: AsyncIterable<Buffer> | Iterable<Buffer>;
}

/** What could not be read. */
export interface Fault {
  readonly fault: string;
}

export interface ObjectBytes {
  get(key: string): Promise<Buffer | null>;
  range(key: string, first: number, last: number): Promise<Buffer | null>;
}

export const COLD: Fault = { fault: 'is in cold storage: restore it in S3, then read it' };
export const MISSING: Fault = { fault: 'is missing: expired by a lifecycle rule, or deleted' };
/** Smaller objects are fetched whole: one request instead of two. */
const SMALL_BYTES = 256 * 1024;
/** Large objects are fetched in pieces of this size, at the same time. */
const PIECE_BYTES = 8 * 1024 * 1024;

/**
 * The blocks of an object that can hold events of a range of time, in order.
 *
 * @param range all of time when it is null
 */
export async function* readObject(
  store: ObjectBytes,
  object: CommitObject,
  range: EventRange | null,
): AsyncGenerator<Block | Fault> {
  const { first_time: firstTime = 0, last_time: lastTime = Number.POSITIVE_INFINITY } = object;
  if (range && !overlaps({ firstTime, lastTime }, range)) return;
  try {
    yield* readBlocks(store, object, range);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'OBJECT_COLD') throw error;
    yield COLD;
  }
}

async function* readBlocks(
  store: ObjectBytes,
  object: CommitObject,
  range: EventRange | null,
): AsyncGenerator<Block | Fault> {
  if (formOf(object) === 'member' && range && object.bytes > SMALL_BYTES) {
    yield* readPartsOfRange(store, object, range);
    return;
  }
  const bytes = await fetchPieces(store, object.key, 0, object.bytes);
  if (bytes === null) {
    yield MISSING;
    return;
  }
  const blocks = { member: memberBlocks, members: chunkBlocks, frames: frameBlocks }[formOf(object)];
  try {
    yield* blocks(object, bytes, range);
  } catch (error) {
    yield faultOf(error);
  }
}

function overlaps(
  block: { readonly firstTime: number; readonly lastTime: number },
  range: EventRange,
): boolean {
  return block.firstTime <= range.to && block.lastTime >= range.from;
}

function faultOf(error: unknown, where = ''): Fault {
  if (!(error instanceof TailraceError) && (error as { code?: string }).code === undefined) throw error;
  return { fault: `${where}${(error as Error).message}` };
}

/** Fetches the header, then the parts that the range needs; parts next to each other in one piece. */
async function* readPartsOfRange(
  store: ObjectBytes,
  object: CommitObject,
  range: EventRange,
): AsyncGenerator<Block | Fault> {
  const head = await store.range(object.key, 0, Math.min(MAX_HEADER_BYTES, object.bytes) - 1);
  if (head === null) {
    yield MISSING;
    return;
  }
  let wanted: Part[];
  try {
    wanted = readParts(head, false, object).filter((part) => overlaps(part, range));
  } catch (error) {
    yield faultOf(error);
    return;
  }
  for (let i = 0; i < wanted.length; ) {
    const run = [wanted[i++]!];
    while (i < wanted.length && wanted[i]!.offset === run.at(-1)!.offset + run.at(-1)!.bytes)
      run.push(wanted[i++]!);
    const { offset } = run[0]!;
    const end = run.at(-1)!.offset + run.at(-1)!.bytes;
    const bytes = await fetchPieces(store, object.key, offset, end);
    if (bytes === null) {
      yield MISSING;
      return;
    }
    yield* partBlocks(run, bytes, offset);
  }
}

async function fetchPieces(
  store: ObjectBytes,
  key: string,
  first: number,
  end: number,
): Promise<Buffer | null> {
  if (first === 0 && end <= PIECE_BYTES) return store.get(key);
  const pieces: Promise<Buffer | null>[] = [];
  for (let at = first; at < end; at += PIECE_BYTES)
    pieces.push(store.range(key, at, Math.min(end, at + PIECE_BYTES) - 1));
  const bytes = await Promise.all(pieces);
  return bytes.every((piece) => piece !== null) ? Buffer.concat(bytes) : null;
}

async function* memberBlocks(
  object: CommitObject,
  bytes: Buffer,
  range: EventRange | null,
): AsyncGenerator<Block | Fault> {
  if (bytes.length !== object.bytes) {
    yield { fault: `has ${bytes.length} bytes, its commit says ${object.bytes}` };
    return;
  }
  const parts = readParts(bytes, true, object).filter((part) => !range || overlaps(part, range));
  yield* partBlocks(parts, bytes, 0);
}

/** @param start where `bytes` begin in the object */
async function* partBlocks(
  parts: readonly Part[],
  bytes: Buffer,
  start: number,
): AsyncGenerator<Block | Fault> {
  for (const part of parts) {
    const { offset, bytes: length, events, firstTime, lastTime } = part;
    try {
      const lines = await inflatePartAside(bytes.subarray(offset - start, offset - start + length), part);
      yield { firstTime, lastTime, lines: [lines] };
    } catch (error) {
      yield faultOf(error, `${events} events at bytes ${offset} to ${offset + length - 1}: `);
    }
  }
}

/** As streams: the first release archived chunks unseen, and one may inflate to anything. */
function* chunkBlocks(_: CommitObject, bytes: Buffer, range: EventRange | null): Generator<Block | Fault> {
  for (let at = 0; at < bytes.length; ) {
    const header = readHeader(bytes, at);
    const { bytes: length, headerBytes, firstTime, lastTime, lane, sequence } = header;
    const data = bytes.subarray(at + headerBytes, at + length - GZIP_TRAILER_BYTES);
    at += length;
    if (range && !overlaps(header, range)) continue;
    try {
      readChunk(bytes, at - length);
    } catch (error) {
      yield faultOf(error, `chunk ${sequence} of lane ${lane}: `);
      continue;
    }
    const inflate = createInflateRaw();
    inflate.end(data);
    yield { firstTime, lastTime, lines: inflate };
  }
}

function* frameBlocks(_: CommitObject, bytes: Buffer): Generator<Block> {
  for (const frame of zstdFrames(bytes)) {
    const inflate = createZstdDecompress();
    inflate.end(frame);
    yield { firstTime: 0, lastTime: Number.POSITIVE_INFINITY, lines: inflate };
  }
}
