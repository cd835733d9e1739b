/** Drafts: compressed lines of one tag and hour on their way to a cut, where each becomes a chunk with an identity. */
import { type ChunkBody, type Compression, compressLines } from '../chunk/writer.ts';
import type { Builder, TagBuilders } from './builder.ts';

const NEWLINE = 0x0a;

export interface Draft {
  readonly body: ChunkBody;
  /** Where its lines come from. */
  readonly siblings: TagBuilders;
  readonly hour: number;
  /** Milliseconds since 1970. */
  readonly firstTime: number;
  readonly lastTime: number;
  readonly events: number;
}

/** Compresses a builder's lines into one draft, or into several where one chunk would exceed `maxBytes`. */
export function draftsOf(builder: Builder, compression: Compression, maxBytes: number): Draft[] {
  const drafts: Draft[] = [];
  const add = (raw: Buffer, events: number): void => {
    const body = compressLines(raw, builder.tag, compression);
    const middle = body.chunk.length > maxBytes ? lineBreakNear(raw, raw.length >>> 1) : -1;
    if (middle !== -1) {
      const before = countLines(raw, middle);
      add(raw.subarray(0, middle), before);
      add(raw.subarray(middle), events - before);
      return;
    }
    const { siblings, hour } = builder;
    const firstTime = Math.floor(builder.firstTime);
    const lastTime = Math.floor(builder.lastTime);
    drafts.push({ body, siblings, hour, firstTime, lastTime, events });
  };
  add(builder.buffer.subarray(0, builder.length), builder.events);
  return drafts;
}

/** Where a line begins at or after `from`, or failing that before it; -1 if everything is one line. */
function lineBreakNear(raw: Buffer, from: number): number {
  const after = raw.indexOf(NEWLINE, from) + 1;
  if (after > 0 && after < raw.length) return after;
  const before = raw.lastIndexOf(NEWLINE, from - 1) + 1;
  return before > 0 ? before : -1;
}

function countLines(raw: Buffer, end: number): number {
  let lines = 0;
  for (let at = raw.indexOf(NEWLINE); at !== -1 && at < end; at = raw.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}
