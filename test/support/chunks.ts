/** Makes chunks as an agent would, with distinguishable events. */
import { createHash } from 'node:crypto';
import * as zlib from 'node:zlib';
import type { ChunkHeader, Codec } from '../../chunk/header.ts';
import {
  type DeflateEncoder,
  encodeChunk,
  FINAL_BLOCK,
  frameChunk,
  gzipTrailer,
} from '../../chunk/writer.ts';

/** How the deflate data of a gzip chunk ends: as it should, or as an agent of before chunks could be spliced ended it. */
export type Ending = 'spliceable' | 'old';
/** What is wrong with a chunk whose checksum is right. */
export const LIES = [
  'final block inside',
  'swallows what follows',
  'not deflate',
  'open last line',
  'wrong size',
  'wrong count',
] as const;
export type Lie = (typeof LIES)[number];

export interface MadeChunk {
  readonly bytes: Buffer;
  readonly lane: string;
  readonly sequence: number;
  readonly tag: string;
  readonly hour: number;
  /** The ids of its events. */
  readonly ids: readonly string[];
}

export interface SourceOptions {
  readonly name: string;
  readonly epoch?: number;
  readonly lane?: string;
  readonly codec?: Codec;
  /** Compresses instead of zlib's level 1. */
  readonly deflater?: DeflateEncoder | null;
  readonly floor?: number | (() => number);
  readonly previous?: { readonly epoch: number; readonly ordinal: number } | null;
  /** The id of an event, by the chunk's sequence and its place in it. */
  readonly idOf?: (sequence: number, i: number) => string;
}

export function epochName(epoch: number): string {
  return epoch.toString(16).padStart(16, '0');
}

export function digest32(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** One epoch of a producer with one lane. */
export class ChunkSource {
  readonly lane: string;
  readonly producer: string;
  readonly #options: SourceOptions;
  #sequence = 0;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.producer = digest32(`producer ${options.name}`);
    this.lane = options.lane ?? digest32(`lane ${options.name} ${options.epoch ?? 1}`);
  }

  next(
    tag: string,
    hour: number,
    events: number,
    changes: Partial<ChunkHeader> = {},
    kind: Ending | Lie = 'spliceable',
    noise = '',
  ): MadeChunk {
    this.#sequence += 1;
    const sequence = this.#sequence;
    const { name, epoch = 1, codec = 'gzip', deflater, floor = epoch, previous = null } = this.#options;
    const { idOf = (chunk, i) => `${name}/${epoch}/${chunk}/${i}` } = this.#options;
    const ids = Array.from({ length: events }, (_, i) => idOf(sequence, i));
    const chunk = `${this.lane}/${sequence}`;
    const raw = Buffer.from(
      ids.map((id) => `${JSON.stringify({ id, tag, chunk, ...(noise === '' ? {} : { noise }) })}\n`).join(''),
    );
    const header = {
      lane: this.lane,
      sequence,
      producer: this.producer,
      epoch: epochName(epoch),
      ordinal: sequence,
      floor: epochName(typeof floor === 'function' ? floor() : floor),
      previous: sequence === 1 && previous ? { ...previous, epoch: epochName(previous.epoch) } : null,
      end: false,
      tag,
      hour,
      firstTime: hour * 3_600_000,
      lastTime: hour * 3_600_000 + 1000,
      events,
      ...changes,
    };
    return {
      bytes:
        kind === 'spliceable'
          ? encodeChunk(raw, header, { codec, level: 1, ...(deflater ? { deflater } : {}) })
          : gzipChunk(raw, header, kind),
      lane: this.lane,
      sequence,
      tag,
      hour,
      ids,
    };
  }
}

/** A chunk of another kind than agents of this release make. */
function gzipChunk(
  raw: Buffer,
  header: Omit<ChunkHeader, 'rawBytes'>,
  kind: Exclude<Ending, 'spliceable'> | Lie,
): Buffer {
  const flushed = flush(raw);
  const whole = zlib.deflateRawSync(raw, { level: 1 });
  const lines = kind === 'open last line' ? Buffer.concat([raw, Buffer.from('{"open":')]) : raw;
  const data = {
    old: whole,
    'final block inside': whole,
    // The head of a stored block of 30 bytes, of which the final block and the trailer are the first.
    'swallows what follows': Buffer.concat([flushed, Buffer.of(0, 30, 0, 225, 255)]),
    'not deflate': Buffer.alloc(raw.length, 0xff),
    'open last line': flush(lines),
    'wrong size': flushed,
    'wrong count': flushed,
  }[kind];
  const end = kind === 'old' ? gzipTrailer(lines) : Buffer.concat([FINAL_BLOCK, gzipTrailer(lines)]);
  const rawBytes = kind === 'wrong size' ? lines.length + 1 : lines.length;
  const events = kind === 'wrong count' ? header.events + 1 : header.events;
  return frameChunk('gzip', data, end, { ...header, events, rawBytes, spliceable: kind !== 'old' });
}

/** Deflate data that ends between two blocks, at a whole byte. */
function flush(raw: Buffer): Buffer {
  return zlib.deflateRawSync(raw, { level: 1, finishFlush: zlib.constants.Z_SYNC_FLUSH });
}
