/** The chunks of one lane that wait for the stream, in their order, and what its shard lets through. */
import { Backoff, type BackoffLimits } from '../../base/backoff.ts';
import type { SpooledChunk } from '../spool/spool.ts';

/** Flow control: at most this many chunks of a lane are in flight without an answer. */
export const MAX_LANE_IN_FLIGHT = 256;

/** Bytes of a lane in flight: what a shard takes in a second to begin with, and the bounds. */
const FIRST_WINDOW = 1024 * 1024;
const LEAST_WINDOW = 256 * 1024;
const GREATEST_WINDOW = 10 * 1024 * 1024;
const WINDOW_STEP = 256 * 1024;

/** A shard regains room about as often as it takes a record of the target size. */
export const RECORD_BACKOFF: BackoffLimits = { base: 500, cap: 10_000 };

export class LaneQueue {
  readonly lane: string;
  readonly #backoff: Backoff;
  /** Nothing is sent before this time, on the clock of the sender. */
  notBefore = 0;
  #inFlight = 0;
  #inFlightBytes = 0;
  #waitingBytes = 0;
  #window = FIRST_WINDOW;
  #waiting: SpooledChunk[] = [];
  /** For each of these until when it may wait for more to travel with it, on the same clock. */
  #gathering: number[] = [];
  #head = 0;

  constructor(lane: string, limits: BackoffLimits, random?: () => number) {
    this.lane = lane;
    this.#backoff = new Backoff(limits, random);
  }

  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Bytes that the stream has not acknowledged. */
  get backlog(): number {
    return this.#waitingBytes + this.#inFlightBytes;
  }

  /** Whether nothing waits and nothing is in flight. */
  get empty(): boolean {
    return this.waiting === 0 && this.#inFlight === 0;
  }

  /** When the next record may go, were there room: at once when `enoughBytes` wait. */
  readyAt(enoughBytes: number): number {
    const gathered = this.#waitingBytes >= enoughBytes;
    return Math.max(this.notBefore, gathered ? 0 : (this.#gathering[this.#head] ?? 0));
  }

  /** Whether another chunk may be in flight. */
  get hasRoom(): boolean {
    return this.#inFlight < MAX_LANE_IN_FLIGHT && this.#inFlightBytes < this.#window;
  }

  /** The chunk that goes next, if one waits. */
  get first(): SpooledChunk | undefined {
    return this.#waiting[this.#head];
  }

  /** @param gatherUntil until when it may wait for more to travel with it; 0 to go at once */
  push(chunk: SpooledChunk, gatherUntil: number): void {
    this.#waiting.push(chunk);
    this.#gathering.push(gatherUntil);
    this.#waitingBytes += chunk.header.bytes;
  }

  /** Lets everything that waits go at once. */
  hurry(): void {
    this.#gathering.fill(0, this.#head);
  }

  /**
   * Takes the chunks of one record: whole chunks up to `target` bytes, and one in any case.
   *
   * @returns an empty array when nothing waits or the lane has all in flight that it may
   */
  takeRecord(target: number): SpooledChunk[] {
    const record: SpooledChunk[] = [];
    if (!this.hasRoom) return record;
    let bytes = 0;
    while (this.#inFlight < MAX_LANE_IN_FLIGHT) {
      const chunk = this.first;
      if (!chunk || (record.length > 0 && bytes + chunk.header.bytes > target)) break;
      record.push(chunk);
      bytes += chunk.header.bytes;
      this.#inFlight++;
      this.#head++;
    }
    this.#inFlightBytes += bytes;
    this.#waitingBytes -= bytes;
    // Shifts the array now and then, not at every take.
    if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#gathering = this.#gathering.slice(this.#head);
      this.#head = 0;
    }
    return record;
  }

  /** The chunks that wait, in their order. */
  queued(): readonly SpooledChunk[] {
    return this.#waiting.slice(this.#head);
  }

  /** Chunks that were taken are done with: acknowledged, or put aside because they are damaged. */
  settle(chunks: readonly SpooledChunk[]): void {
    this.#inFlight -= chunks.length;
    this.#inFlightBytes -= bytesOf(chunks);
  }

  /** Puts chunks that were taken back in front, to be resent. */
  putBack(chunks: readonly SpooledChunk[]): void {
    this.settle(chunks);
    this.#waiting.splice(0, this.#head, ...chunks);
    this.#gathering.splice(0, this.#head, ...chunks.map(() => 0));
    this.#head = 0;
    this.#waitingBytes += bytesOf(chunks);
  }

  /**
   * Learns from one answer how much may be in flight and when to go on: additive increase, multiplicative decrease
   * (Chiu and Jain, 1989), so that little of what is sent is sent in vain.
   */
  answered(accepted: number, refused: number, now: number): void {
    if (accepted > 0) this.#backoff.reset();
    if (refused > 0) {
      this.#window = Math.max(LEAST_WINDOW, this.#window / 2);
      this.notBefore = now + this.#backoff.next();
    } else {
      this.#window = Math.min(GREATEST_WINDOW, this.#window + WINDOW_STEP);
      this.notBefore = 0;
    }
  }
}

function bytesOf(chunks: readonly SpooledChunk[]): number {
  let bytes = 0;
  for (const { header } of chunks) bytes += header.bytes;
  return bytes;
}
