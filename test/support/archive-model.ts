/**
 * A model of the world around the archiver: a stream with shards that split, merge and are trimmed, an object store,
 * leases, and workers that stall, die and come back as zombies. The archiver itself is the production code; every call
 * to the store waits until the schedule lets it continue, so that anything can happen between any two of them.
 */
import { parseCommit } from '../../archive/commit.ts';
import { commitFolder, compareSequence } from '../../archive/commit-keys.ts';
import type { ArchiveStore } from '../../archive/store.ts';
import type { LogContext } from '../../archive/writer/context.ts';
import type { Encoder } from '../../archive/writer/encoders.ts';
import type { StreamRecord } from '../../archive/writer/record.ts';
import type { Position, ShardInfo } from '../../archive/writer/start.ts';
import { ChunkSource, digest32, epochName, LIES, type MadeChunk } from './chunks.ts';
import { MemoryArchive } from './memory-archive.ts';

/** The production code under test: of this tree, or of a copy with a fault in it. */
export interface Code {
  readonly ShardArchiver: typeof import('../../archive/writer/shard-archiver.ts').ShardArchiver;
  readonly DeliveredArchiver: typeof import('../../archive/writer/delivered.ts').DeliveredArchiver;
  readonly ENCODERS: typeof import('../../archive/writer/encoders.ts').ENCODERS;
}

/** What may happen in a schedule; the numbers are relative weights. */
export interface Weights {
  readonly go: number;
  readonly put: number;
  readonly repeat: number;
  /** Chunks waiting in a spill: made now and put much later, when the stream looks different. */
  readonly hold: number;
  readonly readmit: number;
  readonly foreign: number;
  readonly start: number;
  readonly crash: number;
  readonly split: number;
  readonly merge: number;
  readonly trim: number;
  readonly recreate: number;
  readonly loseLeases: number;
  readonly epoch: number;
  /** Starts of the function that an event source mapping calls, in addition to those of KCL workers. */
  readonly invoke: number;
  /** Which kind of archiver finishes everything in the end. */
  readonly survivor: 'worker' | 'function';
}

type Action = Exclude<keyof Weights, 'survivor'>;

interface ModelShard {
  readonly id: string;
  readonly info: ShardInfo;
  readonly incarnation: string;
  readonly records: {
    readonly record: StreamRecord;
    readonly chunks: readonly string[];
    foreign: string | null;
  }[];
  /** How many records retention has trimmed from the front. */
  trimmed: number;
  closed: boolean;
  /** The stream's newest sequence number when the shard was closed. */
  closedAt: bigint;
  deleted: boolean;
}

interface Lease {
  /** Null at the beginning of the stream, END when the shard is finished. */
  checkpoint: string | null;
  owner: Worker | null;
}

interface Worker {
  readonly application: number;
  readonly shard: ModelShard;
  readonly encoder: number;
  alive: boolean;
}

/** One epoch of a producer. */
interface Source {
  readonly source: ChunkSource;
  readonly name: string;
  readonly epoch: number;
  readonly made: MadeChunk[];
}

interface Waiting {
  readonly worker: Worker;
  readonly go: () => void;
}

/** What a worker may end with; whoever is of an older release leaves what it does not know to others. */
const EXPECTED_CODES = new Set(['REREAD_NEEDED', 'DEAD', 'ENCODER_UNKNOWN']);
const END = 'END';
/** The lease table of the event source mapping, which a person does not see. */
const MAPPING = 9;
const FAMILY = 'abcdefabcd';
const HOUR_MS = 3_600_000;
const HASHES = 2 ** 16;
export const START_TIME = 495_000 * HOUR_MS;

export class ArchiveModel {
  readonly archive = new MemoryArchive();
  /** Every chunk ever put, and whether some record of it was never trimmed. */
  readonly chunks = new Map<string, MadeChunk>();
  readonly foreign = new Set<string>();
  /** Of the chunks those whose data is not what they say, and in how many records they were put. */
  readonly liars = new Map<string, number>();
  /** Counts of what happened, so that a test can check that it exercised something. */
  readonly happened = new Map<string, number>();
  now = START_TIME;
  readonly #code: Code;
  readonly #random: () => number;
  readonly #weights: Weights;
  #shards: ModelShard[] = [];
  readonly #allShards: ModelShard[] = [];
  get dbg(): unknown {
    return {
      trimmedTo: String(this.#trimmedTo),
      leases: [...this.#leases].map(([k, l]) => [k, l.checkpoint]),
      shards: this.#allShards.map((s) => [
        s.id,
        s.info,
        s.closed,
        String(s.closedAt),
        s.trimmed,
        s.records.length,
        this.#isGone(s),
        s.records.at(-1)?.record.sequence,
        s.records.map((r, i) =>
          [i, r.record.sequence, r.chunks.map((c) => c.slice(0, 6) + c.slice(32)), r.foreign].join(' '),
        ),
      ]),
    };
  }
  #waiting: Waiting[] = [];
  #leases = new Map<string, Lease>();
  #incarnation = 0;
  #shardNumber = 0;
  #sequence = 10n ** 20n;
  #trimmedTo = 0n;
  #sources: Source[] = [];
  /** Chunks of all epochs that have not been put yet. */
  #held: { readonly name: string; readonly epoch: number; readonly chunk: MadeChunk }[] = [];
  #failure: unknown = null;
  #foreignCount = 0;

  constructor(code: Code, random: () => number, weights: Weights) {
    this.#code = code;
    this.#random = random;
    this.#weights = weights;
    this.#createStream(1 + this.#below(3));
    for (let i = 0; i < 3; i++) this.#newEpoch(i, 1);
  }

  /** Runs a schedule of this many steps, then lets everything finish. */
  async run(steps: number): Promise<void> {
    const actions = Object.entries(this.#weights).filter(([, weight]) => Number(weight) > 0) as [
      Action,
      number,
    ][];
    const total = actions.reduce((sum, [, weight]) => sum + weight, 0);
    for (let i = 0; i < steps; i++) {
      let pick = this.#random() * total;
      const [action] = actions.find(([, weight]) => {
        pick -= weight;
        return pick < 0;
      })!;
      this.#act(action);
      this.now += this.#below(400);
      await this.#settled();
    }
    await this.#finish();
  }

  #act(action: Action): void {
    switch (action) {
      case 'go':
        this.#release();
        return;
      case 'put':
        this.#putNew();
        return;
      case 'repeat':
        this.#putAgain();
        return;
      case 'hold':
        this.#hold();
        return;
      case 'readmit':
        this.#readmit(this.#below(this.#held.length));
        return;
      case 'foreign':
        this.#putForeign();
        return;
      case 'start':
        this.#start(this.#below(4) === 0 ? 1 : 0, this.#pick(this.#shards));
        return;
      case 'invoke':
        this.#invoke(this.#pick(this.#shards));
        return;
      case 'crash': {
        const waiting = this.#pick(this.#waiting);
        if (waiting) this.#kill(waiting.worker);
        return;
      }
      case 'split':
        this.#split();
        return;
      case 'merge':
        this.#merge();
        return;
      case 'trim':
        this.#trim();
        return;
      case 'recreate':
        for (const shard of this.#shards) shard.deleted = true;
        this.#leases.clear();
        this.#createStream(1 + this.#below(3));
        return;
      case 'loseLeases':
        this.#leases.clear();
        return;
      case 'epoch': {
        const i = this.#below(this.#sources.length);
        this.#newEpoch(i, this.#sources[i]!.epoch + 1);
        return;
      }
    }
  }

  /** Everyone's last chunks, all processes but zombies replaced, every shard read to its end. */
  async #finish(): Promise<void> {
    while (this.#held.length > 0) this.#readmit(this.#below(this.#held.length));
    for (let i = 0; i < this.#sources.length; i++) {
      const { source } = this.#sources[i]!;
      this.#put([this.#make(i, source, { end: true })]);
    }
    await this.#comeToRest();
    // A zombie's last commit may stand behind a worker that has read its shard to the end; a takeover finds it.
    if (this.#hasUnfinishedCommit()) {
      this.#count('completed by a takeover');
      await this.#comeToRest();
    }
  }

  /** Workers go on until nothing is left to do; then all of them, zombies too, are gone. */
  async #comeToRest(): Promise<void> {
    for (let round = 0; ; round++) {
      if (round > 3000) throw new Error('the model does not come to rest');
      let busy = false;
      for (const shard of this.#shards) {
        if (this.#isGone(shard)) continue;
        const byFunction = this.#weights.survivor === 'function';
        const lease = this.#lease(byFunction ? MAPPING : 0, shard);
        if (lease.checkpoint === END) continue;
        busy ||= byFunction ? !this.#isDelivered(shard, lease) : !this.#isDone(shard, lease);
        if (byFunction) this.#invoke(shard);
        else if (!lease.owner?.alive) this.#start(0, shard);
      }
      if (!busy && round > 0) break;
      const count = Math.max(1, this.#waiting.length);
      for (let i = 0; i < count; i++) this.#release();
      // Everything is due in the end.
      this.now += 20_000;
      await this.#settled();
    }
    for (const { worker } of this.#waiting) worker.alive = false;
    this.#waiting = [];
  }

  #hasUnfinishedCommit(): boolean {
    return [...this.archive.objects].some(
      ([key, bytes]) =>
        key.startsWith('x/_commits/') &&
        parseCommit(bytes, key).objects.some((object) => !this.archive.objects.has(object.key)),
    );
  }

  #isDone(shard: ModelShard, lease: Lease): boolean {
    if (shard.closed) return lease.checkpoint === END;
    const last = shard.records.at(-1);
    if (!last || shard.trimmed === shard.records.length)
      return lease.owner?.alive === true && this.#isIdle(lease.owner);
    return lease.checkpoint === last.record.sequence;
  }

  #isDelivered(shard: ModelShard, lease: Lease): boolean {
    if (shard.closed) return lease.checkpoint === END;
    const left = shard.records.slice(shard.trimmed);
    return (
      this.#lookedAfter.get(shard) === shard.records.length &&
      left.every(({ record }) => !isAfter(record.sequence, lease.checkpoint))
    );
  }

  /** Whether a worker is only waiting for records, and knows of no commit that lacks data. */
  #isIdle(worker: Worker): boolean {
    return this.#idle.has(worker);
  }

  readonly #idle = new Set<Worker>();

  // What producers do.

  #newEpoch(i: number, epoch: number): void {
    const name = `p${i}`;
    const before = this.#sources[i];
    const previous = before ? { epoch: before.epoch, ordinal: before.made.length } : null;
    const lane = digest32(`${name} ${epoch} ${this.#below(1e9)}`);
    const source = new ChunkSource({
      name,
      epoch,
      lane,
      // What is still held may arrive at any time; the rest was acknowledged, may be forgotten and is never resent.
      floor: () => this.#floorOf(name, epoch),
      previous: before && before.made.length > 0 ? previous : null,
    });
    this.#sources[i] = { source, name, epoch, made: [] };
  }

  #make(i: number, source: ChunkSource, changes: object = {}): MadeChunk {
    const hour = Math.floor(START_TIME / HOUR_MS) - this.#below(2);
    const lie = this.#below(30) === 0 ? this.#pick(LIES) : undefined;
    const kind = lie ?? (this.#below(6) === 0 ? 'old' : 'spliceable');
    const chunk = source.next(this.#below(3) === 0 ? 'b' : 'a', hour, 1 + this.#below(2), changes, kind);
    this.#sources[i]!.made.push(chunk);
    const name = `${chunk.lane}/${chunk.sequence}`;
    this.chunks.set(name, chunk);
    if (lie !== undefined) {
      this.#count('liars');
      this.liars.set(name, 0);
    }
    return chunk;
  }

  #floorOf(name: string, epoch: number): number {
    return Math.min(epoch, ...this.#held.filter((held) => held.name === name).map((held) => held.epoch));
  }

  #hold(): void {
    const i = this.#below(this.#sources.length);
    const { source, name, epoch } = this.#sources[i]!;
    const before = this.#held.length;
    for (let n = 1 + this.#below(3); n > 0; n--)
      this.#held.push({ name, epoch, chunk: this.#make(i, source) });
    this.#count('held');
    // Some of them were sent before without anyone knowing.
    for (const { chunk } of this.#held.slice(before)) if (this.#below(3) === 0) this.#put([chunk]);
  }

  #readmit(i: number): void {
    const [held] = this.#held.splice(i, 1);
    if (!held) return;
    const isLate = this.#sources.some(({ name, epoch }) => name === held.name && epoch > held.epoch);
    this.#count(isLate ? 'readmitted in a later epoch' : 'readmitted');
    this.#put([held.chunk]);
  }

  #putNew(): void {
    const i = this.#below(this.#sources.length);
    const count = 1 + this.#below(3);
    const { source } = this.#sources[i]!;
    const chunks = Array.from({ length: count }, () => this.#make(i, source));
    // Chunks of one record travel together, not always in order.
    this.#put(this.#below(3) === 0 ? chunks.reverse() : chunks);
  }

  #putAgain(): void {
    const made = this.#pick(this.#sources)!.made;
    const chunk = this.#pick(made);
    if (chunk) this.#put(this.#below(2) === 0 ? [chunk] : [chunk, chunk]);
  }

  #put(chunks: readonly MadeChunk[]): void {
    const lane = chunks[0]!.lane;
    const shard = this.#shards.find(
      ({ closed, info }) => !closed && lane >= info.range[0] && lane <= info.range[1],
    )!;
    const data = Buffer.concat(chunks.map((chunk) => chunk.bytes));
    for (const { lane: of, sequence } of chunks) {
      const puts = this.liars.get(`${of}/${sequence}`);
      if (puts !== undefined) this.liars.set(`${of}/${sequence}`, puts + 1);
    }
    this.#append(
      shard,
      data,
      chunks.map((chunk) => `${chunk.lane}/${chunk.sequence}`),
      null,
    );
  }

  #putForeign(): void {
    const shard = this.#pick(this.#shards.filter(({ closed }) => !closed))!;
    const sequence = this.#nextSequence();
    // Some are user records of one aggregate.
    for (let i = this.#below(4) === 0 ? 3 : 1; i > 0; i--) {
      const id = `f${this.#foreignCount++}`;
      this.foreign.add(id);
      this.#append(shard, Buffer.from(JSON.stringify({ foreign: id })), [], id, sequence);
    }
  }

  #append(
    shard: ModelShard,
    data: Buffer,
    chunks: readonly string[],
    foreign: string | null,
    sequence: string = this.#nextSequence(),
  ): void {
    shard.records.push({ record: { sequence, arrival: this.now, data }, chunks, foreign });
  }

  #nextSequence(): string {
    this.#sequence += BigInt(1 + this.#below(5));
    return this.#sequence.toString();
  }

  // What happens to the stream.

  #createStream(shards: number): void {
    this.#incarnation += 1;
    this.#trimmedTo = this.#sequence;
    this.#shardNumber = 0;
    this.#shards = [];
    const step = HASHES / shards;
    for (let i = 0; i < shards; i++) {
      this.#addShard(Math.round(i * step), Math.round((i + 1) * step), []);
    }
  }

  #addShard(from: number, to: number, parents: readonly string[]): void {
    const id = `shardId-${String(this.#shardNumber++).padStart(12, '0')}`;
    const range = [
      from.toString(16).padStart(4, '0') + '0'.repeat(28),
      (to - 1).toString(16).padStart(4, '0') + 'f'.repeat(28),
    ] as const;
    const incarnation = FAMILY + this.#incarnation.toString(16).padStart(8, '0');
    const shard: ModelShard = {
      id,
      info: { id, parents, range },
      incarnation,
      records: [],
      trimmed: 0,
      closed: false,
      closedAt: 0n,
      deleted: false,
    };
    this.#shards.push(shard);
    this.#allShards.push(shard);
  }

  #split(): void {
    const open = this.#shards.filter(({ closed }) => !closed);
    const shard = this.#pick(open)!;
    const [from, to] = bounds(shard);
    if (open.length >= 5 || to - from < 16) return;
    const middle = from + 1 + this.#below(to - from - 2);
    this.#close(shard);
    this.#addShard(from, middle, [shard.id]);
    this.#addShard(middle, to, [shard.id]);
  }

  #merge(): void {
    const open = this.#shards.filter(({ closed }) => !closed);
    const shard = this.#pick(open)!;
    const next = open.find((other) => bounds(other)[0] === bounds(shard)[1]);
    if (!next) return;
    this.#close(shard);
    this.#close(next);
    this.#addShard(bounds(shard)[0], bounds(next)[1], [shard.id, next.id]);
  }

  #close(shard: ModelShard): void {
    shard.closed = true;
    shard.closedAt = this.#sequence;
  }

  /** Retention trims the oldest records of all shards; a parent disappears before its children. */
  #trim(): void {
    const left = Number(this.#sequence - this.#trimmedTo);
    this.#trimmedTo += BigInt(this.#below(4) === 0 ? left : this.#below(left + 1));
    for (const shard of this.#shards) {
      const kept = shard.records.findIndex(({ record }) => BigInt(record.sequence) > this.#trimmedTo);
      shard.trimmed = kept === -1 ? shard.records.length : kept;
    }
  }

  /** Whether the stream no longer lists it. */
  #isGone(shard: ModelShard): boolean {
    return shard.deleted || (shard.closed && shard.closedAt <= this.#trimmedTo);
  }

  // What KCL and its workers do.

  #lease(application: number, shard: ModelShard): Lease {
    const key = `${application}/${shard.incarnation}/${shard.id}`;
    let lease = this.#leases.get(key);
    if (!lease) {
      lease = { checkpoint: null, owner: null };
      this.#leases.set(key, lease);
    }
    return lease;
  }

  /** A worker takes the lease; the previous owner continues as a zombie. */
  #start(application: number, shard: ModelShard | undefined): void {
    if (!shard || this.#isGone(shard)) return;
    const lease = this.#lease(application, shard);
    if (lease.checkpoint === END) return;
    for (const parent of shard.info.parents) {
      const present = this.#shards.find(({ id }) => id === parent);
      if (present && !this.#isGone(present) && this.#lease(application, present).checkpoint !== END) return;
    }
    const worker: Worker = { application, shard, encoder: 1 + this.#below(3), alive: true };
    lease.owner = worker;
    this.#work(worker, lease).catch((error: unknown) => {
      worker.alive = false;
      const { code } = error as { code?: string };
      this.#count(String(code));
      if (!EXPECTED_CODES.has(code ?? '')) this.#failure ??= error;
    });
  }

  async #work(worker: Worker, lease: Lease): Promise<void> {
    const { shard } = worker;
    const archiver = new this.#code.ShardArchiver(
      this.#context(worker),
      this.#store(worker),
      this.#view(worker),
      {
        limits: { maxBytes: 200 + this.#below(1500), maxAge: 2000 + this.#below(8000) },
        now: () => this.now,
        uptime: () => this.now,
        wait: () => this.#gate(worker),
        events: {
          received: () => {},
          passedOver: () => this.#count('passed over'),
          committed: () => this.#count('committed'),
          followed: () => this.#count('followed'),
          completed: () => {},
          voided: () => this.#count('voided'),
        },
      },
    );
    const checkpoint = lease.checkpoint === END ? null : lease.checkpoint;
    // KCL reads ahead, from before a processor is initialized: what it delivers may be old.
    const read = this.#readerOf(shard, checkpoint);
    const queue = this.#below(2) === 0 ? [] : [read()];
    await archiver.initialize(checkpoint);
    let cursor = checkpoint;
    let checkpointed = checkpoint;
    for (;;) {
      if (archiver.unfinished === null) this.#idle.add(worker);
      await this.#gate(worker);
      this.#idle.delete(worker);
      if (shard.deleted) throw dead();
      queue.push(read());
      if (queue.length <= this.#below(3)) continue;
      const { records, atTip, ended } = queue.shift()!;
      if (ended && records.length === 0) {
        await archiver.end();
        await this.#gate(worker);
        if (lease.owner === worker) lease.checkpoint = END;
        worker.alive = false;
        return;
      }
      await archiver.take(records, atTip);
      cursor = records.at(-1)?.sequence ?? cursor;
      const { safe } = archiver;
      if (safe !== null && safe !== checkpointed) {
        await this.#gate(worker);
        if (cursor === null || isAfter(safe, cursor))
          throw new Error(`checkpoint ${safe} is ahead of ${cursor}`);
        if (lease.owner === worker) lease.checkpoint = safe;
        checkpointed = safe;
      }
    }
  }

  /** Reads a shard on from its checkpoint, a few records at a time. */
  #readerOf(shard: ModelShard, checkpoint: string | null) {
    let cursor = checkpoint;
    return (): { records: StreamRecord[]; atTip: boolean; ended: boolean } => {
      const left = shard.records
        .slice(shard.trimmed)
        .filter(({ record }) => isAfter(record.sequence, cursor));
      let count = this.#below(Math.min(left.length, 5) + 1);
      while (count > 0 && left[count]?.record.sequence === left[count - 1]!.record.sequence) count += 1;
      const records = left.slice(0, count).map(({ record }) => record);
      cursor = records.at(-1)?.sequence ?? cursor;
      return { records, atTip: left.length === 0, ended: left.length === 0 && shard.closed };
    };
  }

  /**
   * The event source mapping delivers the next batch of a shard. Without an answer, because the function was frozen
   * or ran out of time, it redelivers, cut otherwise; the function that was given up may still continue.
   */
  #invoke(shard: ModelShard | undefined): void {
    if (!shard || this.#isGone(shard)) return;
    const lease = this.#lease(MAPPING, shard);
    if (lease.checkpoint === END || (lease.owner?.alive && this.#below(6) > 0)) return;
    // Mostly parents come first.
    for (const parent of shard.info.parents) {
      const present = this.#shards.find(({ id }) => id === parent);
      if (!present || this.#isGone(present) || this.#lease(MAPPING, present).checkpoint === END) continue;
      if (this.#below(4) > 0 || this.#weights.survivor === 'function') return;
    }
    const last = shard.records.at(-1);
    if (lease.checkpoint === null && last && this.#weights.survivor === 'worker' && this.#below(4) === 0) {
      // A mapping may begin at the stream's end, and may be configured to discard batches.
      this.#count('left out by the mapping');
      lease.checkpoint = last.record.sequence;
    }
    const left = shard.records
      .slice(shard.trimmed)
      .filter(({ record }) => isAfter(record.sequence, lease.checkpoint));
    if (left.length === 0) {
      this.#complete(shard, lease);
      return;
    }
    let count = 1 + this.#below(Math.min(left.length, 6));
    while (left[count]?.record.sequence === left[count - 1]!.record.sequence) count += 1;
    const records = left.slice(0, count).map(({ record }) => record);
    const worker: Worker = { application: MAPPING, shard, encoder: 1 + this.#below(3), alive: true };
    lease.owner = worker;
    this.#count('invoked');
    this.#answer(worker, this.#function(worker).archive(shard.id, records), () => {
      this.#assertArchived(shard, records.at(-1)!.sequence);
      // Whoever was given up does not move the mapping on.
      if (lease.owner === worker) lease.checkpoint = records.at(-1)!.sequence;
    });
  }

  /** A schedule looks after shards that get no batches. */
  #complete(shard: ModelShard, lease: Lease): void {
    const worker: Worker = { application: MAPPING, shard, encoder: 1 + this.#below(3), alive: true };
    lease.owner = worker;
    this.#count('looked after');
    const records = shard.records.length;
    this.#answer(worker, this.#function(worker).complete(shard.id), () => {
      this.#lookedAfter.set(shard, records);
      if (lease.owner === worker && shard.closed && shard.records.length === records) lease.checkpoint = END;
    });
  }

  readonly #lookedAfter = new Map<ModelShard, number>();

  #answer(worker: Worker, work: Promise<void>, then: () => void): void {
    work.then(
      () => {
        then();
        worker.alive = false;
      },
      (error: unknown) => {
        worker.alive = false;
        const { code } = error as { code?: string };
        this.#count(String(code));
        if (code !== 'DEAD' && code !== 'ENCODER_UNKNOWN') this.#failure ??= error;
      },
    );
  }

  /** When a function has answered, nothing of its batch waits for anybody. */
  #assertArchived(shard: ModelShard, last: string): void {
    const folder = commitFolder('x/', shard.incarnation, shard.id);
    for (const [key, bytes] of this.archive.objects) {
      if (!key.startsWith(folder)) continue;
      const { from, objects, number } = parseCommit(bytes, key);
      if (from === null || isAfter(from, last)) continue;
      for (const object of objects) {
        if (!this.archive.objects.has(object.key)) {
          this.#failure ??= new Error(`answered before commit ${number} had all its data`);
        }
      }
    }
  }

  #function(worker: Worker) {
    const read = (id: string, from: Position) => {
      let cursor = from;
      return {
        next: async (limit = 1 + this.#below(6)) => {
          await this.#gate(worker);
          if (worker.shard.deleted) throw dead();
          const shard = this.#shards.find((one) => one.id === id && !this.#isGone(one));
          // Listed a moment ago, and gone since.
          if (!shard) throw dead();
          const left = shard.records
            .slice(shard.trimmed)
            .filter(({ record }) => isFrom(record.sequence, cursor));
          let count = Math.min(limit, left.length);
          while (count > 0 && left[count]?.record.sequence === left[count - 1]!.record.sequence) count += 1;
          const records = left.slice(0, count).map(({ record }) => record);
          if (records.length > 0) cursor = { after: records.at(-1)!.sequence };
          const atTip = count === left.length;
          return { records, atTip, ended: atTip && shard.closed };
        },
      };
    };
    return new this.#code.DeliveredArchiver({
      store: this.#store(worker),
      stream: this.#view(worker),
      reader: { open: read },
      contextOf: async (id) => {
        const shard = this.#shards.find((one) => one.id === id);
        if (!shard || shard.incarnation !== worker.shard.incarnation) throw dead();
        return this.#context({ ...worker, shard });
      },
      limits: { maxBytes: 200 + this.#below(1500), maxAge: 2000 + this.#below(8000) },
      now: () => this.now,
      uptime: () => this.now,
      events: {
        received: () => {},
        passedOver: () => this.#count('passed over'),
        committed: () => this.#count('committed'),
        followed: () => this.#count('followed'),
        completed: () => {},
        voided: () => this.#count('voided'),
      },
    });
  }

  #context(worker: Worker): LogContext {
    const { shard } = worker;
    const { ENCODERS } = this.#code;
    const v2 = ENCODERS.get(2)!;
    // The release after this one writes foreign records otherwise, and those before it do not know how.
    const v3: Encoder = {
      ...v2,
      assemble: (draft, source) => v2.assemble({ ...draft, records: draft.records.toReversed() }, source),
    };
    const all = new Map([...ENCODERS, [3, v3] as const]);
    const encoders = new Map([...all].filter(([version]) => version <= worker.encoder));
    return {
      stream: 'stream',
      incarnation: shard.incarnation,
      shard: shard.id,
      range: shard.info.range,
      parents: shard.info.parents,
      prefix: 'x/',
      keyTemplate: 'tag={tag}/{hour}/{name}',
      forget: { horizon: 90 * 24 * HOUR_MS, grace: 0 },
      snapshotEvery: 3,
      encoder: worker.encoder,
      encoders,
    };
  }

  #view(worker: Worker) {
    return {
      family: FAMILY,
      shards: async () => {
        if (worker.shard.deleted) throw dead();
        return this.#shards.filter((shard) => !this.#isGone(shard)).map(({ info }) => info);
      },
      holds: async (id: string, from: Position, to: string) => {
        await this.#gate(worker);
        if (worker.shard.deleted) throw dead();
        const shard = this.#shards.find((one) => one.id === id && !this.#isGone(one));
        const left = shard?.records.slice(shard.trimmed).find(({ record }) => isFrom(record.sequence, from));
        this.#count('looked at the stream');
        return left !== undefined && compareSequence(left.record.sequence, to) <= 0;
      },
    };
  }

  /** The archive; every call waits for the schedule, and a put may be attempted twice. */
  #store(worker: Worker): ArchiveStore {
    const { archive } = this;
    return {
      putIfAbsent: async (key, body) => {
        await this.#gate(worker);
        const first = await archive.putIfAbsent(key, body);
        return this.#below(8) === 0 ? archive.putIfAbsent(key, body) : first;
      },
      get: async (key) => {
        await this.#gate(worker);
        return archive.get(key);
      },
      head: async (key) => {
        await this.#gate(worker);
        return archive.head(key);
      },
      first: async (prefix) => {
        await this.#gate(worker);
        return archive.first(prefix);
      },
      folders: async (prefix) => {
        await this.#gate(worker);
        return archive.folders(prefix);
      },
    };
  }

  // The schedule.

  #gate(worker: Worker): Promise<void> {
    if (!worker.alive) return new Promise(() => {});
    return new Promise((resolve) => {
      this.#waiting.push({ worker, go: resolve });
    });
  }

  #release(): void {
    if (this.#waiting.length === 0) return;
    const i = this.#below(this.#waiting.length);
    const [waiting] = this.#waiting.splice(i, 1);
    waiting!.go();
  }

  #kill(worker: Worker): void {
    worker.alive = false;
    this.#idle.delete(worker);
    this.#waiting = this.#waiting.filter((waiting) => waiting.worker !== worker);
  }

  /** Waits until all workers wait, for the schedule or forever. */
  async #settled(): Promise<void> {
    await new Promise(setImmediate);
    if (this.#failure !== null) throw this.#failure;
  }

  // What must hold at the end.

  /** Chunks and foreign records of which a record is still in the stream, or was when the stream ended. */
  retained(): { readonly chunks: ReadonlySet<string>; readonly foreign: ReadonlySet<string> } {
    const chunks = new Set<string>();
    const foreign = new Set<string>();
    for (const shard of this.#allShards) {
      if (shard.deleted) continue;
      for (const record of shard.records.slice(shard.trimmed)) {
        for (const chunk of record.chunks) chunks.add(chunk);
        if (record.foreign) foreign.add(record.foreign);
      }
    }
    return { chunks, foreign };
  }

  #count(what: string): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(values: readonly T[]): T | undefined {
    return values[this.#below(values.length)];
  }
}

function bounds(shard: ModelShard): [from: number, to: number] {
  const [first, last] = shard.info.range;
  return [Number.parseInt(first.slice(0, 4), 16), Number.parseInt(last.slice(0, 4), 16) + 1];
}

function isAfter(sequence: string, cursor: string | null): boolean {
  return cursor === null || BigInt(sequence) > BigInt(cursor);
}

function isFrom(sequence: string, position: Position): boolean {
  if (position === null) return true;
  if ('at' in position) return BigInt(sequence) >= BigInt(position.at);
  return BigInt(sequence) > BigInt(position.after);
}

function dead(): Error {
  return Object.assign(new Error('the stream is gone'), { code: 'DEAD' });
}

export { epochName };
