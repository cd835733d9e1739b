/** Loads what earlier runs left in a spool: cuts off a torn end, puts damaged places aside, and takes the rest up. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Counters } from '../counters.ts';
import type { SpoolFiles } from './files.ts';
import { recoverSegment } from './recovery.ts';
import { apply, type Sections } from './sections.ts';
import type { SpooledChunk } from './segment.ts';
import { SEGMENT_NAME, type Segment, segmentName } from './segment.ts';

/** A spool as it was found. */
export interface Found {
  readonly state: Sections;
  /** Those that are not known to be acknowledged. */
  readonly chunks: SpooledChunk[];
  readonly segments: Segment[];
  readonly nextSegment: number;
  readonly nextCut: number;
  readonly quarantined: number;
}

/**
 * Reads a spool's directory and repairs it, so that a second load finds the same and nothing torn.
 *
 * @throws the system's error when the directory cannot be read or written
 */
export async function loadSpool(
  files: SpoolFiles,
  directory: string,
  log: Logger,
  counters: Counters,
): Promise<Found> {
  const quarantine = join(directory, 'quarantine');
  await files.makeDirectory(quarantine);
  const numbers = (await files.list(directory))
    .map((name) => SEGMENT_NAME.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);

  const state: Sections = new Map();
  const chunks: SpooledChunk[] = [];
  const acknowledged = new Set<string>();
  const segments: Segment[] = [];
  let nextCut = 1;
  for (const number of numbers) {
    const path = join(directory, segmentName(number));
    const bytes = await files.read(path);
    const isLast = number === numbers.at(-1);
    const found = recoverSegment(bytes, isLast);
    if (found.length < bytes.length) {
      log.warn({ segment: path, bytes: bytes.length - found.length }, 'cut off the torn end of the spool');
      counters.add('tailrace_agent_spool_torn_total');
    }
    // An agent that was killed before its fdatasync leaves a whole cut that a power loss can still take back.
    if (isLast) await files.truncate(path, found.length);
    for (const { offset, end } of found.damaged) {
      const kept = join(quarantine, `${String(number).padStart(12, '0')}-${offset}.bin`);
      log.error(
        { segment: path, offset, bytes: end - offset, kept },
        'a damaged place in the spool was put aside',
      );
      counters.add('tailrace_agent_spool_damaged_total');
      await files.write(kept, bytes.subarray(offset, end));
    }
    if (found.lostChunks > 0) {
      counters.add('tailrace_agent_spool_lost_chunks_total', found.lostChunks);
      log.error(
        { segment: path, chunks: found.lostChunks },
        'chunks of the spool are damaged; verify will name them',
      );
    }
    const before = chunks.length;
    for (const cut of found.cuts) {
      if (cut.state === null) {
        counters.add('tailrace_agent_spool_lost_states_total');
        log.error({ segment: path }, 'a state in the spool is damaged: some lines may be reread');
      } else {
        if (cut.state.full) state.clear();
        apply(state, cut.state.sections);
        nextCut = Math.max(nextCut, cut.state.cut + 1);
        for (const address of cut.state.acknowledged ?? []) acknowledged.add(address.join());
      }
      for (const { header, offset } of cut.chunks) {
        chunks.push({ header, segment: number, offset, since: header.lastTime });
      }
    }
    const held = chunks.length - before;
    segments.push({ number, path, bytes: found.length, pending: held, chunks: held });
  }
  const unsent = chunks.filter(({ segment, offset }) => !acknowledged.has([segment, offset].join()));
  const pending = new Map<number, number>();
  for (const { segment } of unsent) pending.set(segment, (pending.get(segment) ?? 0) + 1);
  for (const segment of segments) segment.pending = pending.get(segment.number) ?? 0;
  const quarantined = (await files.list(quarantine)).filter((name) => name.endsWith('.bin')).length;
  const nextSegment = (numbers.at(-1) ?? 0) + 1;
  return { state, chunks: unsent, segments, nextSegment, nextCut, quarantined };
}
