/**
 * The sender: takes spooled chunks to the stream, as records of one or more whole chunks of one lane, until each is
 * acknowledged. Only failed records go again; a shard that throttles holds up its own lanes and no others.
 */
import type { PutRecordsRequestEntry } from '@aws-sdk/client-kinesis';
import type { Logger } from 'pino';
import { explicitHashKey } from '../../chunk/header.ts';
import type { Counters } from '../counters.ts';
import type { Spool, SpooledChunk } from '../spool/spool.ts';
import { Backoff } from './backoff.ts';
import { LaneQueue } from './lane-queue.ts';
import type { Stream } from './stream.ts';

export interface SenderOptions {
  /** Bytes of chunks that a record aims at. */
  readonly recordBytes: number;
  /** Limits of one PutRecords request: bytes of data and partition keys, and records (500 by the service). */
  readonly requestBytes: number;
  readonly requestRecords: number;
  readonly requestsInFlight: number;
}

export const DEFAULT_SENDER_OPTIONS: SenderOptions = {
  recordBytes: 256 * 1024,
  requestBytes: 5 * 1024 * 1024,
  requestRecords: 500,
  requestsInFlight: 3,
};

const RECORD_BACKOFF = { base: 200, cap: 10_000 };
const REQUEST_BACKOFF = { base: 200, cap: 30_000 };

interface OutgoingRecord {
  readonly lane: LaneQueue;
  readonly chunks: readonly SpooledChunk[];
}

export interface SenderParts {
  readonly stream: Stream;
  readonly spool: Spool;
  readonly counters: Counters;
  readonly log: Logger;
  /** Words for a request that failed as a whole. */
  readonly explain: (error: unknown) => string;
  /** Called after chunks were acknowledged and room may have been made in the spool. */
  readonly acknowledged: () => void;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #parts: SenderParts;
  readonly #lanes = new Map<string, LaneQueue>();
  readonly #requestBackoff = new Backoff(REQUEST_BACKOFF);
  readonly #inFlight = new Set<OutgoingRecord>();
  #requests = 0;
  #notBefore = 0;
  #trouble: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: SenderOptions, parts: SenderParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** Takes durable chunks; they are in the spool, so nothing is lost with this queue. */
  send(chunks: readonly SpooledChunk[]): void {
    for (const chunk of chunks) {
      const { lane } = chunk.header;
      let queue = this.#lanes.get(lane);
      if (!queue) {
        queue = new LaneQueue(lane, RECORD_BACKOFF);
        this.#lanes.set(lane, queue);
      }
      queue.push(chunk);
    }
    this.#pump();
  }

  /** What keeps everything from being sent, in words; null when requests succeed. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** Milliseconds since 1970 at which the oldest unacknowledged chunk became durable; null when there is none. */
  get oldest(): number | null {
    let oldest: number | null = null;
    const consider = (chunk: SpooledChunk | undefined): void => {
      if (chunk && (oldest === null || chunk.since < oldest)) oldest = chunk.since;
    };
    for (const lane of this.#lanes.values()) consider(lane.first);
    for (const record of this.#inFlight) consider(record.chunks[0]);
    return oldest;
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  #pump(): void {
    if (this.#stopped) return;
    if (this.#timer) {
      clearTimeout(this.#timer);
      this.#timer = null;
    }
    while (this.#requests < this.#options.requestsInFlight) {
      const now = performance.now();
      if (now < this.#notBefore) break;
      const batch = this.#takeBatch(now);
      if (batch.length === 0) break;
      this.#requests++;
      void this.#put(batch).finally(() => {
        this.#requests--;
        this.#pump();
      });
    }
    this.#wakeLater();
  }

  /** Fills one request, a record of each ready lane in turn. */
  #takeBatch(now: number): OutgoingRecord[] {
    const { recordBytes, requestBytes, requestRecords } = this.#options;
    const batch: OutgoingRecord[] = [];
    let bytes = 0;
    let ready = [...this.#lanes.values()].filter((lane) => now >= lane.notBefore && lane.waiting > 0);
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
      ready = ready.filter((lane) => lane.waiting > 0 && lane.hasRoom);
    }
    return batch;
  }

  async #put(batch: readonly OutgoingRecord[]): Promise<void> {
    for (const record of batch) this.#inFlight.add(record);
    try {
      const sent: OutgoingRecord[] = [];
      const entries: PutRecordsRequestEntry[] = [];
      for (const record of batch) {
        const sound = await this.#readSound(record);
        if (!sound) continue;
        sent.push(sound.record);
        entries.push(sound.entry);
      }
      if (entries.length > 0) await this.#putEntries(sent, entries);
    } finally {
      for (const record of batch) this.#inFlight.delete(record);
    }
  }

  /** Reads a record's chunks; damaged ones go to the quarantine and leave the record. */
  async #readSound(
    record: OutgoingRecord,
  ): Promise<{ record: OutgoingRecord; entry: PutRecordsRequestEntry } | null> {
    const chunks: SpooledChunk[] = [];
    const bytes: Buffer[] = [];
    for (const chunk of record.chunks) {
      const read = await this.#parts.spool.read(chunk);
      if (read) {
        chunks.push(chunk);
        bytes.push(read);
      } else {
        record.lane.inFlight--;
      }
    }
    const first = chunks[0];
    if (!first) return null;
    const { producer, epoch, lane, sequence } = first.header;
    const entry = {
      Data: bytes.length === 1 ? bytes[0]! : Buffer.concat(bytes),
      PartitionKey: `${producer}/${epoch}/${lane}/${sequence}`,
      ExplicitHashKey: explicitHashKey(lane),
    };
    return { record: { lane: record.lane, chunks }, entry };
  }

  async #putEntries(sent: readonly OutgoingRecord[], entries: PutRecordsRequestEntry[]): Promise<void> {
    const { stream, counters } = this.#parts;
    counters.add('tailrace_agent_put_requests_total');
    try {
      const answers = await stream.put(entries);
      this.#recovered();
      for (const [i, record] of sent.entries()) {
        const answer = answers[i];
        if (answer?.SequenceNumber !== undefined) await this.#succeeded(record, answer.ShardId ?? null);
        else this.#failed(record, answer?.ErrorCode ?? 'NoAnswer');
      }
      this.#parts.acknowledged();
    } catch (error) {
      this.#requestFailed(sent, error);
    }
  }

  async #succeeded({ lane, chunks }: OutgoingRecord, shard: string | null): Promise<void> {
    const { counters, spool } = this.#parts;
    lane.inFlight -= chunks.length;
    lane.backoff.reset();
    lane.notBefore = 0;
    lane.shard = shard;
    const labels = { shard: shard ?? 'unknown' };
    counters.add('tailrace_agent_acknowledged_records_total', 1, labels);
    for (const chunk of chunks) {
      counters.add('tailrace_agent_acknowledged_chunks_total', 1, labels);
      counters.add('tailrace_agent_acknowledged_events_total', chunk.header.events, labels);
      counters.add('tailrace_agent_acknowledged_bytes_total', chunk.header.bytes, labels);
      await spool.acknowledge(chunk);
    }
    if (lane.waiting === 0 && lane.inFlight === 0) this.#lanes.delete(lane.lane);
  }

  #failed({ lane, chunks }: OutgoingRecord, code: string): void {
    this.#parts.counters.add('tailrace_agent_retried_records_total', 1, { reason: code });
    lane.putBack(chunks);
    lane.notBefore = performance.now() + lane.backoff.next();
  }

  #requestFailed(sent: readonly OutgoingRecord[], error: unknown): void {
    const { counters, log, explain } = this.#parts;
    counters.add('tailrace_agent_failed_requests_total', 1, { reason: (error as Error).name });
    for (const { lane, chunks } of sent) lane.putBack(chunks);
    this.#notBefore = performance.now() + this.#requestBackoff.next();
    const trouble = explain(error);
    if (trouble !== this.#trouble)
      log.error({ reason: trouble }, 'the stream takes nothing; the spool keeps everything');
    this.#trouble = trouble;
  }

  #recovered(): void {
    this.#requestBackoff.reset();
    this.#notBefore = 0;
    if (this.#trouble === null) return;
    this.#trouble = null;
    this.#parts.log.info('the stream takes records again');
  }

  /** Wakes the sender when the next lane, or the whole stream, may be tried again. */
  #wakeLater(): void {
    if (this.#requests >= this.#options.requestsInFlight) return;
    let at = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes.values()) {
      if (lane.waiting > 0 && lane.hasRoom) at = Math.min(at, Math.max(lane.notBefore, this.#notBefore));
    }
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#pump(), Math.max(1, at - performance.now()));
  }
}

/** Bytes of the longest partition key: `producer/epoch/lane/sequence`. */
const KEY_BYTES = 32 + 1 + 16 + 1 + 32 + 1 + 16;
