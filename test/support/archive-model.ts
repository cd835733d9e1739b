/**
 * A model of the world around the archiver: a stream with shards that split, merge and are trimmed, an object store,
 * leases, and workers that stall, die and come back as zombies. The archiver itself is the production code; every call
 * to the store waits until the schedule lets it continue, so that anything can happen between any two of them.
 */
import { parseCommit } from '../../archive/commit.ts';
import { commitFolder } from '../../archive/commit-keys.ts';
import type { StreamRecord } from '../../archive/writer/record.ts';
import { MemoryArchive } from './memory-archive.ts';
import { ModelProducers } from './model-producers.ts';
import { type Code, dead, isAfter, ModelServices, type Worker } from './model-services.ts';
import { type ModelShard, ModelStream } from './model-stream.ts';
import { Chance } from './random.ts';

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

interface Lease {
  /** Null at the beginning of the stream, END when the shard is finished. */
  checkpoint: string | null;
  owner: Worker | null;
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
const HOUR_MS = 3_600_000;
export const START_TIME = 495_000 * HOUR_MS;

export class ArchiveModel {
  readonly archive = new MemoryArchive();
  readonly stream: ModelStream;
  readonly producers: ModelProducers;
  /** Counts of what happened, so that a test can check that it exercised something. */
  readonly happened = new Map<string, number>();
  now = START_TIME;
  readonly #code: Code;
  readonly #chance: Chance;
  readonly #services: ModelServices;
  readonly #weights: Weights;
  #waiting: Waiting[] = [];
  #leases = new Map<string, Lease>();
  #failure: unknown = null;

  constructor(code: Code, random: () => number, weights: Weights) {
    this.#code = code;
    this.#chance = new Chance(random);
    this.#weights = weights;
    this.stream = new ModelStream(this.#chance, () => this.now);
    this.stream.create(1 + this.#chance.below(3));
    this.#services = new ModelServices({
      code,
      stream: this.stream,
      archive: this.archive,
      chance: this.#chance,
      gate: (worker) => this.#gate(worker),
      count: (what) => this.#count(what),
    });
    const hour = Math.floor(START_TIME / HOUR_MS);
    this.producers = new ModelProducers(this.stream, this.#chance, hour, (what) => this.#count(what));
  }

  /** Runs a schedule of this many steps, then lets everything finish. */
  async run(steps: number): Promise<void> {
    const actions = Object.entries(this.#weights).filter(([, weight]) => Number(weight) > 0) as [
      Action,
      number,
    ][];
    const total = actions.reduce((sum, [, weight]) => sum + weight, 0);
    for (let i = 0; i < steps; i++) {
      let pick = this.#chance.next() * total;
      const [action] = actions.find(([, weight]) => {
        pick -= weight;
        return pick < 0;
      })!;
      this.#act(action);
      this.now += this.#chance.below(400);
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
        this.producers.putNew();
        return;
      case 'repeat':
        this.producers.putAgain();
        return;
      case 'hold':
        this.producers.hold();
        return;
      case 'readmit':
        this.producers.readmit();
        return;
      case 'foreign':
        this.producers.putForeign();
        return;
      case 'start':
        this.#start(this.#chance.below(4) === 0 ? 1 : 0, this.#chance.pick(this.stream.shards));
        return;
      case 'invoke':
        this.#invoke(this.#chance.pick(this.stream.shards));
        return;
      case 'crash': {
        const waiting = this.#chance.pick(this.#waiting);
        if (waiting) this.#kill(waiting.worker);
        return;
      }
      case 'split':
        this.stream.split();
        return;
      case 'merge':
        this.stream.merge();
        return;
      case 'trim':
        this.stream.trim();
        return;
      case 'recreate':
        for (const shard of this.stream.shards) shard.deleted = true;
        this.#leases.clear();
        this.stream.create(1 + this.#chance.below(3));
        return;
      case 'loseLeases':
        this.#leases.clear();
        return;
      case 'epoch':
        this.producers.restart();
        return;
    }
  }

  /** Everyone's last chunks, all processes but zombies replaced, every shard read to its end. */
  async #finish(): Promise<void> {
    this.producers.end();
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
      for (const shard of this.stream.shards) {
        if (this.stream.isGone(shard)) continue;
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
    if (!shard || this.stream.isGone(shard)) return;
    const lease = this.#lease(application, shard);
    if (lease.checkpoint === END) return;
    for (const parent of shard.info.parents) {
      const present = this.stream.shards.find(({ id }) => id === parent);
      if (present && !this.stream.isGone(present) && this.#lease(application, present).checkpoint !== END)
        return;
    }
    const worker: Worker = { application, shard, encoder: 1 + this.#chance.below(4), alive: true };
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
      this.#services.context(worker),
      this.#services.store(worker),
      this.#services.view(worker),
      {
        limits: { maxBytes: 200 + this.#chance.below(1500), maxAge: 2000 + this.#chance.below(8000) },
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
    const queue = this.#chance.below(2) === 0 ? [] : [read()];
    await archiver.initialize(checkpoint);
    let cursor = checkpoint;
    let checkpointed = checkpoint;
    for (;;) {
      if (archiver.unfinished === null) this.#idle.add(worker);
      await this.#gate(worker);
      this.#idle.delete(worker);
      if (shard.deleted) throw dead();
      queue.push(read());
      if (queue.length <= this.#chance.below(3)) continue;
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
      let count = this.#chance.below(Math.min(left.length, 5) + 1);
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
    if (!shard || this.stream.isGone(shard)) return;
    const lease = this.#lease(MAPPING, shard);
    if (lease.checkpoint === END || (lease.owner?.alive && this.#chance.below(6) > 0)) return;
    // Mostly parents come first.
    for (const parent of shard.info.parents) {
      const present = this.stream.shards.find(({ id }) => id === parent);
      if (!present || this.stream.isGone(present) || this.#lease(MAPPING, present).checkpoint === END)
        continue;
      if (this.#chance.below(4) > 0 || this.#weights.survivor === 'function') return;
    }
    const last = shard.records.at(-1);
    if (
      lease.checkpoint === null &&
      last &&
      this.#weights.survivor === 'worker' &&
      this.#chance.below(4) === 0
    ) {
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
    let count = 1 + this.#chance.below(Math.min(left.length, 6));
    while (left[count]?.record.sequence === left[count - 1]!.record.sequence) count += 1;
    const records = left.slice(0, count).map(({ record }) => record);
    const worker: Worker = { application: MAPPING, shard, encoder: 1 + this.#chance.below(4), alive: true };
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
    const worker: Worker = { application: MAPPING, shard, encoder: 1 + this.#chance.below(4), alive: true };
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
    return new this.#code.DeliveredArchiver({
      store: this.#services.store(worker),
      stream: this.#services.view(worker),
      reader: this.#services.reader(worker),
      contextOf: async (id) => {
        const shard = this.stream.shards.find((one) => one.id === id);
        if (!shard || shard.incarnation !== worker.shard.incarnation) throw dead();
        return this.#services.context({ ...worker, shard });
      },
      limits: { maxBytes: 200 + this.#chance.below(1500), maxAge: 2000 + this.#chance.below(8000) },
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

  // The schedule.

  #gate(worker: Worker): Promise<void> {
    if (!worker.alive) return new Promise(() => {});
    return new Promise((resolve) => {
      this.#waiting.push({ worker, go: resolve });
    });
  }

  #release(): void {
    if (this.#waiting.length === 0) return;
    const i = this.#chance.below(this.#waiting.length);
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

  #count(what: string): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
  }
}
