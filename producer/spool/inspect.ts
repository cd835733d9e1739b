/** What a spool holds, for a person: read-only, and safe while an agent is running. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FramedHeader } from '../../chunk/header.ts';
import { recoverSegment, type SectionChanges } from './recovery.ts';
import { SEGMENT_NAME } from './segment.ts';

export interface SegmentReport {
  readonly name: string;
  readonly bytes: number;
  readonly cuts: number;
  readonly chunks: readonly FramedHeader[];
  /** Ranges of the file that are not sound records. */
  readonly damaged: readonly { readonly offset: number; readonly end: number }[];
  readonly lostChunks: number;
  /** Bytes of a cut at the end that was never finished. */
  readonly tornBytes: number;
}

export interface SpoolReport {
  readonly segments: readonly SegmentReport[];
  readonly quarantine: readonly { readonly name: string; readonly bytes: number }[];
  /** The agent's state after the last cut, by section. */
  readonly state: SectionChanges;
}

/**
 * Reads all segments of a spool directory. Chunks that the stream has acknowledged stay in it until their whole
 * segment is, so that this is an upper bound of what is unsent.
 */
export function inspectSpool(directory: string): SpoolReport {
  const names = readdirSync(directory)
    .filter((name) => SEGMENT_NAME.test(name))
    .sort();
  const state: Record<string, Record<string, unknown>> = {};
  const segments: SegmentReport[] = [];
  for (const name of names) {
    const bytes = readSegment(join(directory, name));
    if (bytes === null) continue;
    const found = recoverSegment(bytes, name === names.at(-1));
    for (const cut of found.cuts) {
      if (cut.state?.full) for (const section of Object.keys(state)) delete state[section];
      for (const [section, changes] of Object.entries(cut.state?.sections ?? {})) {
        state[section] = { ...state[section], ...changes };
        for (const [key, value] of Object.entries(changes)) if (value === null) delete state[section]![key];
      }
    }
    segments.push({
      name,
      bytes: bytes.length,
      cuts: found.cuts.length,
      chunks: found.cuts.flatMap((cut) => cut.chunks.map((chunk) => chunk.header)),
      damaged: found.damaged,
      lostChunks: found.lostChunks,
      tornBytes: bytes.length - found.length,
    });
  }
  return {
    segments,
    quarantine: listQuarantine(join(directory, 'quarantine')),
    state: state as SectionChanges,
  };
}

/** Null when the agent removed the segment in the meantime. */
function readSegment(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function listQuarantine(directory: string): SpoolReport['quarantine'] {
  try {
    return readdirSync(directory).map((name) => ({ name, bytes: statSync(join(directory, name)).size }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
