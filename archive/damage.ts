/** What is wrong with a data object, named as exactly as its form allows: which part, chunk or frame, and whose events. */
import { zstdDecompressSync } from 'node:zlib';
import { TailraceError } from '../base/errors.ts';
import { sha256 } from '../base/sha256.ts';
import { readHeader } from '../chunk/header.ts';
import { readChunk, readChunks } from '../chunk/reader.ts';
import { type CommitObject, formOf } from './commit.ts';
import { Runs } from './runs.ts';
import { inflatePart, MAX_HEADER_BYTES, readParts } from './spliced.ts';
import { zstdFrames } from './zstd-frames.ts';

/** Of a badly damaged object so many places are named. */
const NAMED_PLACES = 5;

/** @returns what is wrong with the object, or null when it is what its commit says */
export function objectFault(object: CommitObject, bytes: Buffer | null): string | null {
  if (bytes === null) return 'is missing: expired by a lifecycle rule, or deleted';
  if (bytes.length !== object.bytes) return `has ${bytes.length} bytes, its commit says ${object.bytes}`;
  if (sha256(bytes) !== object.sha256) return `does not match its checksum: ${placesOf(object, bytes)}`;
  return formOf(object) === 'members' && object.foreign === 0 ? chunksFault(object, bytes) : null;
}

/** Whether an object of whole chunks has those that its commit names. */
function chunksFault(object: CommitObject, bytes: Buffer): string | null {
  const runs = new Map<string, Runs>();
  try {
    for (const { header } of readChunks(bytes)) {
      let lane = runs.get(header.lane);
      if (!lane) {
        lane = new Runs();
        runs.set(header.lane, lane);
      }
      if (!lane.add(header.sequence)) return `has chunk ${header.sequence} of lane ${header.lane} twice`;
    }
  } catch (error) {
    return (error as Error).message;
  }
  const same =
    runs.size === Object.keys(object.runs).length &&
    [...runs].every(([lane, found]) => object.runs[lane] === found.toString());
  return same ? null : 'has other chunks than its commit says';
}

function placesOf(object: CommitObject, bytes: Buffer): string {
  const places: string[] = [];
  const walk = { member: damagedParts, members: damagedChunks, frames: damagedFrames }[formOf(object)];
  try {
    for (const place of walk(object, bytes)) places.push(place);
  } catch (error) {
    if (!(error instanceof TailraceError)) throw error;
    places.push(error.message);
  }
  if (places.length === 0) return 'all of its lines are whole, its header or trailer is not';
  const more = places.length - NAMED_PLACES;
  return `${places.slice(0, NAMED_PLACES).join('; ')}${more > 0 ? `; and ${more} more places` : ''}`;
}

function* damagedParts(object: CommitObject, bytes: Buffer): Generator<string> {
  const parts = readParts(bytes.subarray(0, MAX_HEADER_BYTES), bytes.length <= MAX_HEADER_BYTES, object);
  for (const part of parts) {
    const end = part.offset + part.bytes;
    try {
      inflatePart(bytes.subarray(part.offset, end), part);
    } catch (error) {
      const times = `${new Date(part.firstTime).toISOString()} to ${new Date(part.lastTime).toISOString()}`;
      yield `${part.events} events of ${times}, bytes ${part.offset} to ${end - 1}: ${(error as Error).message}`;
    }
  }
}

function* damagedChunks(_object: CommitObject, bytes: Buffer): Generator<string> {
  for (let at = 0; at < bytes.length; ) {
    // Where the header itself is damaged nobody knows where the next chunk begins.
    const { lane, sequence, events, bytes: length } = readHeader(bytes, at);
    try {
      readChunk(bytes, at);
    } catch (error) {
      yield `chunk ${sequence} of lane ${lane}, ${events} events: ${(error as Error).message}`;
    }
    at += length;
  }
}

function* damagedFrames(object: CommitObject, bytes: Buffer): Generator<string> {
  let number = 0;
  for (const frame of zstdFrames(bytes)) {
    number += 1;
    try {
      zstdDecompressSync(frame, { maxOutputLength: object.raw_bytes + 1 });
    } catch (error) {
      yield `frame ${number} of ${object.chunks}: ${(error as Error).message}`;
    }
  }
}
