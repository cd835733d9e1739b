/** The chunks of one lane that wait for the stream, in their order, and what is known of the lane's shard. */
import type { SpooledChunk } from '../spool/spool.ts';
import { Backoff, type BackoffLimits } from './backoff.ts';

/** Flow control: at most this many chunks of a lane are in flight without an answer. */
export const MAX_LANE_IN_FLIGHT = 256;

export class LaneQueue {
  readonly lane: string;
  readonly backoff: Backoff;
  /** The shard that took the lane's last record, as Kinesis said. */
  shard: string | null = null;
  /** Nothing is sent before this time, on the clock of the sender. */
  notBefore = 0;
  inFlight = 0;
  #waiting: SpooledChunk[] = [];
  #head = 0;

  constructor(lane: string, limits: BackoffLimits) {
    this.lane = lane;
    this.backoff = new Backoff(limits);
  }

  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  /** Whether another chunk may be in flight. */
  get hasRoom(): boolean {
    return this.inFlight < MAX_LANE_IN_FLIGHT;
  }

  /** The chunk that goes next, if one waits. */
  get first(): SpooledChunk | undefined {
    return this.#waiting[this.#head];
  }

  push(chunk: SpooledChunk): void {
    this.#waiting.push(chunk);
  }

  /** Puts chunks back in front after they failed. */
  putBack(chunks: readonly SpooledChunk[]): void {
    this.#waiting.splice(0, this.#head, ...chunks);
    this.#head = 0;
    this.inFlight -= chunks.length;
  }

  /**
   * Takes the chunks of one record: whole chunks up to `target` bytes, and one in any case.
   *
   * @returns an empty array when nothing waits or the lane has all in flight that it may
   */
  takeRecord(target: number): SpooledChunk[] {
    const record: SpooledChunk[] = [];
    let bytes = 0;
    while (this.hasRoom) {
      const chunk = this.first;
      if (!chunk || (record.length > 0 && bytes + chunk.header.bytes > target)) break;
      record.push(chunk);
      bytes += chunk.header.bytes;
      this.inFlight++;
      this.#head++;
    }
    // Shifts the array now and then, not at every take.
    if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return record;
  }
}
