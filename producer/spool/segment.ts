/** A segment file of the spool and what is known of it while it exists. */
import type { FramedHeader } from '../../chunk/header.ts';

/** Names of segment files, with their number. */
export const SEGMENT_NAME = /^(\d{12})\.seg$/;

/** The file name of a segment. */
export function segmentName(number: number): string {
  return `${String(number).padStart(12, '0')}.seg`;
}

/** A chunk in the spool. */
export interface SpooledChunk {
  readonly header: FramedHeader;
  readonly segment: number;
  readonly offset: number;
  /** When it became durable, milliseconds since 1970; of a chunk that an earlier run left, its last event's time. */
  readonly since: number;
}

export interface Segment {
  readonly number: number;
  readonly path: string;
  bytes: number;
  /** Chunks that the stream has not acknowledged. */
  pending: number;
  chunks: number;
}
