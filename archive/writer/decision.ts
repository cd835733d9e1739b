/** Decides what of a batch of records goes where: into which object, to the empty chunks, or nowhere because it is archived. */
import type { FramedHeader } from '../../chunk/header.ts';
import type { ProducerMark, Watermark } from '../commit.ts';
import { compareSequence } from '../commit-keys.ts';
import { Runs } from '../runs.ts';
import { inRange, type ShardState } from '../state.ts';
import type { LogContext } from './context.ts';
import { Drafts } from './drafts.ts';
import type { Encoder } from './encoders.ts';
import { foreignTag } from './foreign.ts';
import type { Item } from './record.ts';

const HOUR_MS = 3_600_000;

export interface Decision {
  readonly drafts: Drafts;
  /** The lanes of chunks that are archived, and whose they are. */
  readonly lanes: Record<string, [producer: string, epoch: string]>;
  /** Chunks without lines. */
  readonly empty: ReadonlyMap<string, Runs>;
  readonly marks: ReadonlyMap<string, ProducerMark>;
  /** By lane. */
  readonly watermarks: ReadonlyMap<string, readonly Watermark[]>;
  readonly skipped: { readonly duplicates: number; readonly bytes: number };
  readonly unproven: number;
  readonly damaged: number;
  readonly lastArrival: number;
}

/** @param items in stream order */
export function decide(
  context: LogContext,
  encoder: Encoder,
  state: ShardState,
  items: readonly Item[],
): Decision {
  const drafts = new Drafts();
  const lanes: Record<string, [string, string]> = {};
  const batch = new Map<string, Runs>();
  const empty = new Map<string, Runs>();
  const marks = new Map<string, ProducerMark>();
  const watermarks = new Map<string, Watermark[]>();
  const skipped = { duplicates: 0, bytes: 0 };
  let unproven = 0;
  let damaged = 0;
  let lastArrival = 0;

  for (const item of items) {
    lastArrival = Math.max(lastArrival, item.arrival);
    for (const chunk of item.chunks) {
      const { header, bytes } = chunk;
      const form = chunk.hasLines ? encoder.formOf(chunk) : null;
      // Before anything else, so that whoever rebuilds the objects decides it by the chunk alone.
      if (chunk.hasLines && form === null) {
        if (keepAsBytes(drafts, context, encoder, item, bytes, state.kept)) damaged += 1;
        mark(marks, header);
        continue;
      }
      const runs = runsOf(batch, header.lane);
      // rule: a chunk in the runs is skipped
      // rule: a chunk twice in a batch is skipped
      if (state.has(header.lane, header.sequence) || runs.has(header.sequence)) {
        skipped.duplicates += 1;
        skipped.bytes += bytes.length;
        continue;
      }
      if (!isProven(context, state, header, item.arrival)) unproven += 1;
      runs.add(header.sequence);
      const known = state.lanes.get(header.lane);
      lanes[header.lane] = known ? [known.producer, known.epoch] : [header.producer, header.epoch];
      if (form !== null) drafts.addChunk(form, chunk);
      else {
        runsOf(empty, header.lane).add(header.sequence);
        addWatermark(watermarks, header, item.arrival);
      }
      mark(marks, header);
    }
    if (item.foreign && keepAsBytes(drafts, context, encoder, item, item.foreign, state.kept) && item.damaged)
      damaged += 1;
  }
  return { drafts, lanes, empty, marks, watermarks, skipped, unproven, damaged, lastArrival };
}

/**
 * Puts bytes that are not a chunk, or not a sound one, among the foreign records of the hour of their arrival.
 *
 * @param kept hour → foreign records up to there are archived already
 * @returns whether they were not archived already
 */
export function keepAsBytes(
  drafts: Drafts,
  { stream }: Pick<LogContext, 'stream'>,
  { foreignForm }: Encoder,
  item: Item,
  data: Buffer,
  kept: ReadonlyMap<number, string>,
): boolean {
  const hour = Math.floor(item.arrival / HOUR_MS);
  const to = kept.get(hour);
  // rule: foreign records of objects that stand are not archived twice
  if (to !== undefined && compareSequence(item.sequence, to) <= 0) return false;
  drafts.addForeign(foreignTag(stream), hour, foreignForm, { arrival: item.arrival, data });
  return true;
}

function runsOf(runsByLane: Map<string, Runs>, lane: string): Runs {
  let runs = runsByLane.get(lane);
  if (!runs) {
    runs = new Runs();
    runsByLane.set(lane, runs);
  }
  return runs;
}

/** Whether its lane cannot have been forgotten, so that "not in the runs" means "not archived". */
function isProven(context: LogContext, state: ShardState, header: FramedHeader, arrival: number): boolean {
  if (!inRange(header.lane, context.range)) return false;
  if (state.lanes.has(header.lane)) return true;
  const floor = state.floors.get(header.producer);
  if (floor && header.epoch < floor.epoch) return false;
  return arrival - header.lastTime <= context.forget.horizon;
}

/** A clock that is ahead must not make anybody believe that what is yet to be written was read. */
function addWatermark(watermarks: Map<string, Watermark[]>, header: FramedHeader, arrival: number): void {
  const { lane, sequence, ordinal, firstTime, lastTime, end } = header;
  const list = watermarks.get(lane) ?? [];
  watermarks.set(lane, list);
  list.push([sequence, ordinal, Math.min(firstTime, arrival), Math.min(lastTime, arrival), end ? 1 : 0]);
}

function mark(marks: Map<string, ProducerMark>, header: FramedHeader): void {
  const { producer, epoch, ordinal, floor } = header;
  const key = `${producer}/${epoch}`;
  const old = marks.get(key);
  const isLast = !old || ordinal > old.ordinal;
  marks.set(key, {
    producer,
    epoch,
    ordinal: isLast ? ordinal : old.ordinal,
    floor: old && old.floor > floor ? old.floor : floor,
    previous: old?.previous ?? header.previous,
    end: isLast ? header.end : old.end,
  });
}
