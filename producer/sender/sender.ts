/**
 * The sender: takes spooled chunks to the stream, as records of one or more whole chunks of one lane, until each is
 * acknowledged. Only failed records are resent; a shard that throttles holds up its own lanes and no others.
 */
import type { PutRecordsRequestEntry, PutRecordsResultEntry } from '@aws-sdk/client-kinesis';
import type { Logger } from 'pino';
import { Backoff } from '../../base/backoff.ts';
import { TailraceError } from '../../base/errors.ts';
import { explicitHashKey, partitionKey } from '../../chunk/header.ts';
import type { Counters } from '../counters.ts';
import type { EncodedChunk, Spool, SpooledChunk } from '../spool/spool.ts';
import { type BatchLimits, checkWhole, type OutgoingRecord, takeBatch } from './batch.ts';
import { type Condition, PASSING, type Trouble } from './failures.ts';
import { LaneQueue, RECORD_BACKOFF } from './lane-queue.ts';
import { type LaneStatus, laneStatus } from './lane-status.ts';
import type { Lanes } from './lanes.ts';
import { News } from './news.ts';
import { Pace } from './pace.ts';
import { RecentChunks } from './recent.ts';
import { ShardNews } from './shard-news.ts';
import type { Stream } from './stream.ts';

export interface SenderOptions {
  /** Bytes of chunks that a record aims at. */
  readonly recordBytes: number;
  /** Limits of one PutRecords request: bytes of data and partition keys, and records (500 by the service). */
  readonly requestBytes: number;
  readonly requestRecords: number;
  readonly requestsInFlight: number;
  /** Bytes a second at most; Infinity for no bound. */
  readonly bytesPerSecond: number;
  /** Bytes of chunks that are kept in memory from the seal to the acknowledgement. */
  readonly recentBytes: number;
  /** Milliseconds for which small chunks, sealed early because a client waits, gather for records and requests. */
  readonly gather: number;
}

export const DEFAULT_SENDER_OPTIONS: SenderOptions = {
  // Ten PUT units of 25 KiB, of which the partition key takes some bytes.
  recordBytes: 250 * 1024 - 128,
  requestBytes: 5 * 1024 * 1024,
  requestRecords: 500,
  requestsInFlight: 3,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  recentBytes: 16 * 1024 * 1024,
  gather: 100,
};

/** Full records with which a request begins although they may still gather: each request costs CPU, whatever its size. */
const GATHERED_RECORDS = 8;
const REQUEST_BACKOFF = { base: 200, cap: 30_000 };
/** What a shard answers when it takes no more at present. */
const THROTTLED = 'ProvisionedThroughputExceededException';

/** What one answer said of a lane. */
interface LaneOutcome {
  accepted: number;
  throttled: boolean;
  shard: string | null;
  readonly refused: SpooledChunk[];
  refusedRecords: number;
}

export interface SenderDependencies {
  readonly stream: Stream;
  readonly spool: Spool;
  readonly lanes: Lanes;
  readonly counters: Counters;
  readonly log: Logger;
  /** The meaning of a request that failed as a whole. */
  readonly explain: (error: unknown) => Trouble;
  /** Called after each request, with the chunks that are done with: there may be room in the spool. */
  readonly acknowledged: (chunks: readonly SpooledChunk[]) => void;
}

export class Sender {
  #options: SenderOptions;
  readonly #dependencies: SenderDependencies;
  readonly #queues = new Map<string, LaneQueue>();
  readonly #recent: RecentChunks;
  readonly #requestBackoff = new Backoff(REQUEST_BACKOFF);
  readonly #inFlight = new Set<OutgoingRecord>();
  #pace: Pace;
  #turn = 0;
  #requests = 0;
  #waitingEvents = 0;
  #notBefore = 0;
  #failures = 0;
  #trouble: Trouble | null = null;
  readonly #news = new News<Condition>();
  readonly #shards: ShardNews;
  /** Bytes that a request may hold at present: less where the network does not carry a full one in time. */
  #requestBytes: number;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: SenderOptions, dependencies: SenderDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#requestBytes = options.requestBytes;
    this.#recent = new RecentChunks(options.recentBytes);
    this.#pace = new Pace(options.bytesPerSecond, performance.now());
    this.#shards = new ShardNews(dependencies);
  }

  /** The lane for the next chunk that is sealed. */
  nextLane(): string {
    return this.#dependencies.lanes.next(performance.now(), (lane) => this.#queues.get(lane)?.backlog ?? 0);
  }

  /**
   * Takes durable chunks; they are in the spool, so nothing is lost with this queue.
   *
   * @param encoded the same chunks' bytes, where they are at hand
   * @param gather whether they may wait a little for others to fill records and a request; if not, nothing waits any longer
   */
  send(chunks: readonly SpooledChunk[], encoded: readonly EncodedChunk[] = [], gather = false): void {
    const gatherUntil = gather ? performance.now() + this.#options.gather : 0;
    if (!gather) for (const queue of this.#queues.values()) queue.hurry();
    for (const [i, chunk] of chunks.entries()) {
      const { lane } = chunk.header;
      let queue = this.#queues.get(lane);
      if (!queue) {
        queue = new LaneQueue(lane, RECORD_BACKOFF);
        this.#queues.set(lane, queue);
      }
      queue.push(chunk, gatherUntil);
      this.#waitingEvents += chunk.header.events;
      if (encoded[i]) this.#recent.keep(chunk, encoded[i]);
    }
    this.#pump();
  }

  /** What keeps everything from being sent; null when requests succeed. */
  get trouble(): Trouble | null {
    return this.#trouble;
  }

  /** Requests without an answer. */
  get requests(): number {
    return this.#requests;
  }

  /** Events that the stream has not acknowledged. */
  get waitingEvents(): number {
    return this.#waitingEvents;
  }

  /** The bytes of a chunk; null when it is acknowledged by now, or damaged and put aside. */
  async read(chunk: SpooledChunk): Promise<Buffer | null> {
    const recent = this.#recent.get(chunk);
    if (recent) return Buffer.from(recent);
    try {
      return await this.#dependencies.spool.read(chunk);
    } catch (error) {
      // Acknowledged in the meantime, and gone with its segment.
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'SPOOL_GONE' || code === 'ENOENT') return null;
      throw error;
    }
  }

  /** Milliseconds since 1970 at which the oldest unacknowledged chunk became durable; null when there is none. */
  get oldest(): number | null {
    let oldest: number | null = null;
    const consider = (chunk: SpooledChunk | undefined): void => {
      if (chunk && (oldest === null || chunk.since < oldest)) oldest = chunk.since;
    };
    for (const queue of this.#queues.values()) consider(queue.first);
    for (const record of this.#inFlight) consider(record.chunks[0]);
    return oldest;
  }

  lanes(): LaneStatus[] {
    return laneStatus(this.#dependencies.lanes.active, this.#queues, performance.now());
  }

  /** Changes the limits from the next request on. */
  adjust(
    options: Partial<Pick<SenderOptions, 'requestBytes' | 'bytesPerSecond' | 'requestsInFlight' | 'gather'>>,
  ): void {
    this.#options = { ...this.#options, ...options };
    this.#requestBytes = this.#options.requestBytes;
    this.#pace = new Pace(this.#options.bytesPerSecond, performance.now());
    this.#pump();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  /** Chunks that no answer has acknowledged, of all lanes. */
  unacknowledged(): SpooledChunk[] {
    // A set: what was refused a moment ago may be in flight still and back in its queue.
    const chunks = new Set([...this.#inFlight].flatMap((record) => record.chunks));
    for (const queue of this.#queues.values()) for (const chunk of queue.queued()) chunks.add(chunk);
    return [...chunks];
  }

  #pump(): void {
    if (this.#stopped) return;
    if (this.#timer) {
      clearTimeout(this.#timer);
      this.#timer = null;
    }
    // While nothing gets through, one request is enough to find out when it does.
    const allowed = this.#trouble === null ? this.#options.requestsInFlight : 1;
    while (this.#requests < allowed) {
      const now = performance.now();
      if (now < this.#notBefore || now < this.#pace.readyAt(now)) break;
      const batch = takeBatch([...this.#queues.values()], this.#turn++, now, this.#limits);
      if (batch.length === 0) break;
      this.#requests++;
      for (const record of batch) {
        this.#inFlight.add(record);
        for (const { header } of record.chunks) this.#pace.spend(header.bytes);
      }
      const done: SpooledChunk[] = [];
      void this.#put(batch, done).finally(() => {
        for (const record of batch) this.#inFlight.delete(record);
        this.#requests--;
        this.#dependencies.acknowledged(done);
        this.#pump();
      });
    }
    if (this.#requests < allowed) this.#wakeLater();
  }

  /** The limits of the next request. */
  get #limits(): BatchLimits {
    const { recordBytes, requestRecords, bytesPerSecond } = this.#options;
    // Where bytes a second are bounded, a request carries about a quarter of a second's share.
    const requestBytes = Math.min(this.#requestBytes, Math.max(recordBytes, bytesPerSecond / 4));
    return {
      recordBytes,
      gatheredBytes: Math.max(recordBytes, Math.min(GATHERED_RECORDS * recordBytes, requestBytes / 2)),
      requestBytes,
      // A request that the service refuses as such goes in single records, to find the one that is at fault.
      requestRecords: this.#trouble?.condition === 'request' ? 1 : requestRecords,
    };
  }

  /** @param done gets the chunks that are done with */
  async #put(batch: readonly OutgoingRecord[], done: SpooledChunk[]): Promise<void> {
    const sent: OutgoingRecord[] = [];
    const entries: PutRecordsRequestEntry[] = [];
    let left = batch;
    try {
      for (const record of batch) {
        const sound = await this.#readSound(record, done);
        left = left.slice(1);
        if (!sound) continue;
        sent.push(sound.record);
        entries.push(sound.entry);
      }
    } catch (cause) {
      const error = new TailraceError('SPOOL_READ', (cause as Error).message, { cause });
      this.#requestFailed([...sent, ...left], error);
      return;
    }
    if (entries.length > 0) await this.#putEntries(sent, entries, done);
  }

  /** Reads a record's chunks; damaged ones go to the quarantine and leave the record. */
  async #readSound(
    record: OutgoingRecord,
    done: SpooledChunk[],
  ): Promise<{ record: OutgoingRecord; entry: PutRecordsRequestEntry } | null> {
    const chunks: SpooledChunk[] = [];
    const bytes: Buffer[] = [];
    const damaged: SpooledChunk[] = [];
    for (const chunk of record.chunks) {
      const read = this.#recent.get(chunk) ?? (await this.#dependencies.spool.read(chunk));
      if (read) {
        chunks.push(chunk);
        bytes.push(read);
      } else {
        damaged.push(chunk);
      }
    }
    done.push(...damaged);
    for (const { header } of damaged) {
      this.#waitingEvents -= header.events;
      this.#dependencies.counters.add('tailrace_agent_quarantined_events_total', header.events);
    }
    record.lane.settle(damaged);
    const first = chunks[0];
    if (!first) return null;
    const entry = {
      Data: bytes.length === 1 ? bytes[0]! : Buffer.concat(bytes),
      PartitionKey: partitionKey(first.header),
      ExplicitHashKey: explicitHashKey(first.header.lane),
    };
    return { record: { lane: record.lane, chunks }, entry };
  }

  async #putEntries(
    sent: readonly OutgoingRecord[],
    entries: PutRecordsRequestEntry[],
    done: SpooledChunk[],
  ): Promise<void> {
    const { stream, counters } = this.#dependencies;
    counters.add('tailrace_agent_put_requests_total');
    counters.add('tailrace_agent_sent_records_total', entries.length);
    counters.add(
      'tailrace_agent_sent_bytes_total',
      sum(entries, ({ Data }) => Data!.length),
    );
    let answers: readonly PutRecordsResultEntry[];
    try {
      for (const [i, record] of sent.entries()) checkWhole(record, entries[i]!.Data!);
      answers = await stream.put(entries);
      // Which record each answer is of goes by their order alone.
      if (answers.length !== entries.length)
        throw new Error(`${answers.length} answers for ${entries.length} records`);
    } catch (error) {
      this.#requestFailed(sent, error);
      return;
    }
    this.#recovered();
    const outcomes = new Map<LaneQueue, LaneOutcome>();
    for (const [i, record] of sent.entries()) {
      const outcome = outcomeOf(outcomes, record.lane);
      const answer = answers[i]!;
      if (answer.SequenceNumber && !answer.ErrorCode) {
        outcome.accepted++;
        outcome.shard = answer.ShardId ?? null;
        await this.#acknowledged(record, outcome.shard ?? 'unknown');
        done.push(...record.chunks);
      } else {
        const reason = answer.ErrorCode ?? 'NoAnswer';
        counters.add('tailrace_agent_retried_records_total', 1, { reason });
        outcome.refused.push(...record.chunks);
        outcome.refusedRecords++;
        if (reason === THROTTLED) outcome.throttled = true;
      }
    }
    for (const [lane, outcome] of outcomes) this.#learn(lane, outcome);
  }

  async #acknowledged({ lane, chunks }: OutgoingRecord, shard: string): Promise<void> {
    const { counters, spool } = this.#dependencies;
    const labels = { shard };
    lane.settle(chunks);
    let events = 0;
    let bytes = 0;
    for (const chunk of chunks) {
      events += chunk.header.events;
      bytes += chunk.header.bytes;
      this.#recent.forget(chunk);
      await spool.acknowledge(chunk);
    }
    this.#waitingEvents -= events;
    counters.add('tailrace_agent_acknowledged_records_total', 1, labels);
    counters.add('tailrace_agent_acknowledged_chunks_total', chunks.length, labels);
    counters.add('tailrace_agent_acknowledged_events_total', events, labels);
    counters.add('tailrace_agent_acknowledged_bytes_total', bytes, labels);
  }

  #learn(lane: LaneQueue, outcome: LaneOutcome): void {
    const { lanes, counters } = this.#dependencies;
    const now = performance.now();
    if (outcome.refused.length > 0) lane.putBack(outcome.refused);
    lane.answered(outcome.accepted, outcome.refusedRecords, now);
    if (outcome.accepted > 0) lanes.accepted(lane.lane, outcome.shard, lane.empty, now);
    // Whatever its shard refuses it for: new chunks have better go where they are taken.
    if (outcome.refusedRecords > 0) lanes.throttled(lane.lane, now);
    if (outcome.throttled) counters.add('tailrace_agent_throttled_answers_total');
    // While this answer was worked off another one may have emptied the lane, and new chunks have started another backlog.
    if (lane.empty && this.#queues.get(lane.lane) === lane) this.#queues.delete(lane.lane);
    this.#shards.notice(now);
    if (lanes.wantsShards) void this.#shards.ask(now);
  }

  #requestFailed(sent: readonly OutgoingRecord[], error: unknown): void {
    const { counters, lanes, log, explain } = this.#dependencies;
    const trouble = explain(error);
    const { condition } = trouble;
    const now = performance.now();
    counters.add('tailrace_agent_failed_requests_total', 1, { reason: condition });
    for (const { lane, chunks } of sent.toReversed()) lane.putBack(chunks);
    this.#failures++;
    const [only] = sent;
    // A single record that is refused keeps back its own lane and no other.
    if (condition === 'request' && this.#trouble?.condition === 'request' && sent.length === 1 && only) {
      only.lane.answered(0, 1, now);
      lanes.throttled(only.lane.lane, now);
    } else {
      this.#notBefore = now + this.#requestBackoff.next();
    }
    // What a slow network does not carry in time it never would: half as much at a time, a record at least.
    if (condition === 'timeout') {
      this.#requestBytes = Math.max(this.#options.recordBytes, this.#requestBytes / 2);
    }
    log.debug({ reason: trouble.message, failures: this.#failures }, 'a request failed and is retried');
    if (PASSING.has(condition) && this.#failures < 2) return;
    this.#trouble = trouble;
    if (this.#news.worthTelling(condition, now)) {
      log.error(
        { condition, reason: trouble.message },
        'the stream accepts nothing; the spool keeps everything',
      );
    }
  }

  #recovered(): void {
    this.#requestBackoff.reset();
    this.#notBefore = 0;
    this.#failures = 0;
    this.#trouble = null;
    const { requestBytes, recordBytes } = this.#options;
    this.#requestBytes = Math.min(requestBytes, this.#requestBytes + recordBytes);
    const conditions = this.#news.over();
    if (conditions.length > 0) this.#dependencies.log.info({ conditions }, 'the stream accepts records');
  }

  /** Wakes the sender when the next lane, or the whole stream, may be retried. */
  #wakeLater(): void {
    const now = performance.now();
    const { gatheredBytes } = this.#limits;
    const earliest = Math.max(this.#notBefore, this.#pace.readyAt(now));
    let at = Number.POSITIVE_INFINITY;
    for (const lane of this.#queues.values()) {
      if (lane.waiting > 0 && lane.hasRoom)
        at = Math.min(at, Math.max(lane.readyAt(gatheredBytes), earliest));
    }
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#pump(), Math.max(1, at - now));
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

function outcomeOf(outcomes: Map<LaneQueue, LaneOutcome>, lane: LaneQueue): LaneOutcome {
  let outcome = outcomes.get(lane);
  if (!outcome) {
    outcome = { accepted: 0, throttled: false, shard: null, refused: [], refusedRecords: 0 };
    outcomes.set(lane, outcome);
  }
  return outcome;
}
