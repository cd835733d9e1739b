/** Makes chunks as an agent would, with distinguishable events. */
import { createHash } from 'node:crypto';
import type { ChunkHeader, Codec } from '../../chunk/header.ts';
import { encodeChunk } from '../../chunk/writer.ts';

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
  readonly floor?: number | (() => number);
  readonly previous?: { readonly epoch: number; readonly ordinal: number } | null;
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

  next(tag: string, hour: number, events: number, changes: Partial<ChunkHeader> = {}): MadeChunk {
    this.#sequence += 1;
    const sequence = this.#sequence;
    const { name, epoch = 1, codec = 'gzip', floor = epoch, previous = null } = this.#options;
    const ids = Array.from({ length: events }, (_, i) => `${name}/${epoch}/${sequence}/${i}`);
    const raw = Buffer.from(ids.map((id) => `${JSON.stringify({ id, tag })}\n`).join(''));
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
      bytes: encodeChunk(raw, header, { codec, level: 1 }),
      lane: this.lane,
      sequence,
      tag,
      hour,
      ids,
    };
  }
}
