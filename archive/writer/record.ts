/** What one user record of the stream holds: whole chunks, or bytes of somebody else's. */
import { ChunkVersionError } from '../../base/errors.ts';
import { codecAt, type FramedHeader } from '../../chunk/header.ts';
import { readChunk } from '../../chunk/reader.ts';
import { type Checked, checkChunk, type Soundness } from '../../chunk/soundness.ts';

/** A user record as KCL hands it over. Those of one KPL aggregate share a sequence number. */
export interface StreamRecord {
  readonly sequence: string;
  /** Approximate arrival time, ms. */
  readonly arrival: number;
  readonly data: Buffer;
}

/** A chunk whose header and checksum were read. */
export class ReceivedChunk {
  readonly header: FramedHeader;
  /** The whole chunk, a view into its record. */
  readonly bytes: Buffer;
  #checked: Checked | null = null;

  constructor(header: FramedHeader, bytes: Buffer) {
    this.header = header;
    this.bytes = bytes;
  }

  /** What its data can be used for; the first call decompresses it. */
  get soundness(): Soundness {
    return this.#check().soundness;
  }

  /** Lines that its data has; null when that is unsound. */
  get lines(): number | null {
    return this.#check().lines;
  }

  /** Whether it has lines, and so a place in an object. */
  get hasLines(): boolean {
    return this.header.events > 0 || this.header.rawBytes > 0;
  }

  #check(): Checked {
    this.#checked ??= checkChunk(this.bytes, this.header);
    return this.#checked;
  }
}

/** A user record taken apart. */
export interface Item {
  readonly sequence: string;
  readonly arrival: number;
  readonly bytes: number;
  readonly chunks: readonly ReceivedChunk[];
  /** What is not a chunk: all of a foreign record, or a chunk's place from where it is damaged on. */
  readonly foreign: Buffer | null;
  /** Whether `foreign` claims to be a chunk. */
  readonly damaged: boolean;
}

/** The last hour that has a date of four-digit years. */
const LAST_HOUR = Math.floor(Date.UTC(9999, 11, 31, 23) / 3_600_000);

/**
 * Takes a user record apart.
 *
 * @throws ChunkVersionError for a chunk of a later release: what it says must not be guessed at
 */
export function readRecord(record: StreamRecord): Item {
  const { sequence, arrival, data } = record;
  const chunks: ReceivedChunk[] = [];
  let at = 0;
  let damaged = false;
  while (at < data.length && codecAt(data, at) !== null) {
    try {
      const header = readChunk(data, at);
      if (header.hour > LAST_HOUR || header.sequence < 1) {
        damaged = true;
        break;
      }
      chunks.push(new ReceivedChunk(header, data.subarray(at, at + header.bytes)));
      at += header.bytes;
    } catch (error) {
      if (error instanceof ChunkVersionError) throw error;
      damaged = true;
      break;
    }
  }
  // Bytes behind a sound chunk that do not even claim to be one are damage as well: writers put chunks only.
  if (chunks.length > 0 && at < data.length) damaged = true;
  const foreign = at < data.length || data.length === 0 ? data.subarray(at) : null;
  return { sequence, arrival, bytes: data.length, chunks, foreign, damaged };
}
