/** What goes into one request: records of whole chunks, one of each ready lane in turn. */
import type { SpooledChunk } from '../spool/spool.ts';
import type { LaneQueue } from './lane-queue.ts';

/** Bytes of the longest partition key: `producer/epoch/lane/sequence`. */
const KEY_BYTES = 32 + 1 + 16 + 1 + 32 + 1 + 16;

export interface OutgoingRecord {
  readonly lane: LaneQueue;
  readonly chunks: readonly SpooledChunk[];
}

export interface BatchLimits {
  /** Bytes of chunks that a record aims at. */
  readonly recordBytes: number;
  /** Bytes of chunks with which a lane begins a request although they may still gather: a few records. */
  readonly gatheredBytes: number;
  /** Bytes of data and partition keys, and records, of the request. */
  readonly requestBytes: number;
  readonly requestRecords: number;
}

/**
 * Takes the records of one request from their lanes.
 *
 * @param turn which lane begins: another one each time, so that a small request serves all of them
 * @param now milliseconds of a monotonic clock
 */
export function takeBatch(
  queues: readonly LaneQueue[],
  turn: number,
  now: number,
  { recordBytes, gatheredBytes, requestBytes, requestRecords }: BatchLimits,
): OutgoingRecord[] {
  const batch: OutgoingRecord[] = [];
  let bytes = 0;
  const start = turn % Math.max(1, queues.length);
  const isReady = (lane: LaneQueue, enoughBytes: number): boolean =>
    lane.waiting > 0 && lane.hasRoom && now >= lane.readyAt(enoughBytes);
  let ready = [...queues.slice(start), ...queues.slice(0, start)].filter((lane) =>
    isReady(lane, gatheredBytes),
  );
  while (ready.length > 0) {
    for (const lane of ready) {
      // A record is at most its target or one chunk; neither may take the request over its limit.
      const next = Math.max(recordBytes, lane.first?.header.bytes ?? 0) + KEY_BYTES;
      if (batch.length >= requestRecords || (batch.length > 0 && bytes + next > requestBytes)) return batch;
      const chunks = lane.takeRecord(recordBytes);
      if (chunks.length === 0) continue;
      batch.push({ lane, chunks });
      bytes += KEY_BYTES + chunks.reduce((sum, { header }) => sum + header.bytes, 0);
    }
    ready = ready.filter((lane) => isReady(lane, recordBytes));
  }
  return batch;
}

/**
 * What is acknowledged is removed from the spool: a record must be sent whole.
 *
 * @throws Error when the data is not as long as the record's chunks
 */
export function checkWhole({ chunks }: OutgoingRecord, { length }: Uint8Array): void {
  const expected = chunks.reduce((sum, { header }) => sum + header.bytes, 0);
  if (length !== expected) throw new Error(`a record of ${length} bytes for ${expected} bytes of chunks`);
}
