/** What a segment's bytes say after whatever happened to them: its whole cuts, its torn end, its damaged places. */

import * as z from 'zod/mini';
import { TailraceError } from '../../base/errors.ts';
import type { FramedHeader } from '../../chunk/header.ts';
import { readChunk } from '../../chunk/reader.ts';
import { type Changes, checkState, type Json } from '../state.ts';
import { type Damage, RECORD_HEADER_BYTES, type SpoolRecord, scanRecords } from './record.ts';

/** Changes of every section of the state. */
export type SectionChanges = Record<string, Changes>;

/** What JSON.parse gave is JSON. */
const json = z.custom<Json>();

/** The payload of a `state` and of an `end` record. */
const cutState = z.object({
  cut: z.int().check(z.positive()),
  /** Whether `sections` is the whole state, as in the first cut of a segment, or what changed since the cut before. */
  full: z.boolean(),
  chunks: z.int().check(z.nonnegative()),
  sections: z.record(z.string(), z.record(z.string(), json)),
  /** Segment and offset of chunks that the stream has acknowledged since the cut before. */
  acknowledged: z.optional(z.array(z.tuple([z.int(), z.int()]))),
});

export type CutState = z.output<typeof cutState>;

export interface RecoveredChunk {
  readonly header: FramedHeader;
  /** Where the chunk's bytes begin in the segment. */
  readonly offset: number;
}

export interface RecoveredCut {
  /** Null when both copies of the cut's state are damaged. */
  readonly state: CutState | null;
  readonly chunks: readonly RecoveredChunk[];
}

/** A damaged place inside what had been durable. */
export interface DamagedRange {
  readonly offset: number;
  readonly end: number;
}

export interface RecoveredSegment {
  readonly cuts: readonly RecoveredCut[];
  readonly damaged: readonly DamagedRange[];
  /** Chunks that the cuts had and that none of their records hold any more. */
  readonly lostChunks: number;
  /** Length of the segment without its torn end; all of it when nothing is torn. */
  readonly length: number;
}

interface OpenCut {
  readonly offset: number;
  state: CutState | null;
  readonly chunks: RecoveredChunk[];
  readonly damaged: Damage[];
  whole: boolean;
  durable: boolean;
}

/**
 * Reads a segment.
 *
 * The last cut of the spool's last segment is torn, and was never acknowledged to anybody, when it is not whole and
 * no `durable` record follows it: it is left out, so that its inputs are reread. Damage anywhere else is
 * damage to durable data: sound chunks around it are kept, and the rest is reported.
 *
 * @param last whether this is the spool's last segment
 */
export function recoverSegment(segment: Buffer, last: boolean): RecoveredSegment {
  const cuts: OpenCut[] = [];
  let open: OpenCut | null = null;
  const begin = (offset: number): OpenCut => {
    open = { offset, state: null, chunks: [], damaged: [], whole: false, durable: false };
    cuts.push(open);
    return open;
  };

  for (const record of scanRecords(segment)) {
    switch (record.type) {
      case 'damage': {
        const cut: OpenCut = open ?? begin(record.offset);
        cut.damaged.push(record);
        const chunk = salvage(segment, record);
        if (chunk) cut.chunks.push(chunk);
        break;
      }
      case 'state':
        begin(record.offset).state = parseState(record);
        break;
      case 'chunk': {
        const cut: OpenCut = open ?? begin(record.offset);
        cut.chunks.push({
          header: readChunk(record.payload),
          offset: record.offset + RECORD_HEADER_BYTES,
        });
        break;
      }
      case 'end': {
        const cut: OpenCut = open ?? begin(record.offset);
        cut.state ??= parseState(record);
        cut.whole = cut.damaged.length === 0;
        open = null;
        break;
      }
      case 'durable': {
        const cut = cuts.at(-1);
        if (cut) cut.durable = true;
        open = null;
        break;
      }
    }
  }

  const final = cuts.at(-1);
  const torn = last && final !== undefined && !final.whole && !final.durable;
  const length = torn ? final.offset : segment.length;
  if (torn) cuts.pop();
  return {
    cuts,
    damaged: cuts.flatMap((cut) => cut.damaged.map(({ offset, end }) => ({ offset, end }))),
    lostChunks: cuts.reduce(
      (lost, cut) => lost + Math.max(0, (cut.state?.chunks ?? 0) - cut.chunks.length),
      0,
    ),
    length,
  };
}

/** A damaged record header can stand before a sound chunk, which has a checksum of its own. */
function salvage(segment: Buffer, damage: Damage): RecoveredChunk | null {
  const offset = damage.offset + RECORD_HEADER_BYTES;
  try {
    const header = readChunk(segment.subarray(0, damage.end), offset);
    return { header, offset };
  } catch (error) {
    if (error instanceof TailraceError) return null;
    throw error;
  }
}

/** @throws TailraceError STATE_INVALID when sound bytes are not the state of a cut: another release wrote them */
function parseState(record: SpoolRecord): CutState {
  let value: unknown;
  try {
    value = JSON.parse(record.payload.toString('utf8'));
  } catch {
    value = undefined;
  }
  return checkState(`cut at ${record.offset}`, value, cutState);
}
