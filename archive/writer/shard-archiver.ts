/**
 * Archives one shard: takes its records in, and carries its commit log on, whatever others do to the same log.
 *
 * A commit is written in three steps: the commit itself, which the first writer decides; the objects that it names;
 * then, for the caller, the checkpoint of {@link ShardArchiver.safe}. Records stay in memory until the commit that
 * covers them has all its data, so that a commit of somebody else can be followed and completed.
 */
import { atOnce } from '../../base/at-once.ts';
import { TailraceError } from '../../base/errors.ts';
import type { Commit, CommitObject } from '../commit.ts';
import { commitFolder, compareSequence } from '../commit-keys.ts';
import { loadState, newestCommit, putCommit, readCommit } from '../commit-log.ts';
import { ShardState } from '../state.ts';
import type { ArchiveStore } from '../store.ts';
import { fence, standing } from '../voiding.ts';
import type { LogContext } from './context.ts';
import type { Body } from './encoders.ts';
import { openedSize } from './opened.ts';
import { planCommit } from './plan.ts';
import { rebuild } from './rebuild.ts';
import { type Item, readRecord, type StreamRecord } from './record.ts';
import { type Position, type StartOptions, type StreamView, startState } from './start.ts';

export interface BatchLimits {
  /** A batch is committed when its records have this many bytes … */
  readonly maxBytes: number;
  /** … or when its first record came this long ago, ms. */
  readonly maxAge: number;
}

/** What an archiver tells whoever watches it. */
export interface ArchiverEvents {
  received(items: readonly Item[]): void;
  /** Records that the log covers already were delivered once more. */
  passedOver(records: number): void;
  /**
   * A commit of this worker is in the log; its data follows.
   *
   * @param rewritten lines of foreign records that were changed so that every reader takes them
   */
  committed(commit: Commit, rewritten: number): void;
  /** Somebody else's commit stood where this worker's should have gone, or its data was completed. */
  followed(commit: Commit): void;
  /** The commit has all its data. */
  completed(commit: Commit): void;
  /** Data of a commit can no longer be rebuilt; what the stream still has of it is archived in a new commit. */
  voided(commit: Commit, lost: readonly CommitObject[]): void;
}

export interface ArchiverOptions extends StartOptions {
  readonly limits: BatchLimits;
  /** Milliseconds of a clock that only goes on: how old a batch is. */
  readonly uptime: () => number;
  readonly events: ArchiverEvents;
}

/** Thrown when the log asks for records that this reader is past: rereading from the checkpoint helps. */
export class RereadNeededError extends TailraceError {
  constructor(shard: string, number: number) {
    super(
      'REREAD_NEEDED',
      `commit ${number} of ${shard} lacks data that only a reread from the checkpoint can rebuild`,
      {
        retriable: true,
      },
    );
  }
}

interface SettleOptions {
  /** The objects' bodies, when this worker has just written the commit. */
  readonly bodies?: ReadonlyMap<string, Body>;
  /** Whether the reader has come to the end of what there was to read. */
  readonly nothingMore: boolean;
}

const PUTS_AT_ONCE = 4;

export class ShardArchiver {
  readonly #context: LogContext;
  readonly #store: ArchiveStore;
  readonly #stream: StreamView;
  readonly #options: ArchiverOptions;
  #state = new ShardState();
  /** All records since the end of the last complete commit, in stream order. */
  #pending: Item[] = [];
  #pendingBytes = 0;
  #pendingSince = 0;
  /** The newest commit, while it is not known to have all its data. */
  #incomplete: Commit | null = null;
  /** The last record that need not be redelivered: taken in, passed over, or covered by a complete commit. */
  #seen: string | null = null;
  /** The last record that came by. */
  #delivered: string | null = null;
  /** All that the stream had after this record has come by and, unless archived, is pending. Null: from its beginning. */
  #readFrom: string | null = null;
  #safe: string | null = null;

  constructor(context: LogContext, store: ArchiveStore, stream: StreamView, options: ArchiverOptions) {
    this.#context = context;
    this.#store = store;
    this.#stream = stream;
    this.#options = options;
  }

  /** The record up to which the archive is complete, of those that have come by; null when there is none. */
  get safe(): string | null {
    if (this.#safe === null || this.#delivered === null) return null;
    return compareSequence(this.#safe, this.#delivered) < 0 ? this.#safe : this.#delivered;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** When the oldest record that is not committed came in, by `uptime`; null when there is none. */
  get pendingSince(): number | null {
    return this.#pending.length > 0 ? this.#pendingSince : null;
  }

  /** Whether the log is final. */
  get closed(): boolean {
    return this.#state.closed && this.#incomplete === null;
  }

  get laneCount(): number {
    return this.#state.lanes.size;
  }

  /** Range of the newest commit while some of its data may be missing; null when it has all of it. */
  get unfinished(): { readonly from: string | null; readonly to: string | null } | null {
    return this.#incomplete;
  }

  /**
   * Reads where the log stands.
   *
   * @param checkpoint the sequence number after which records will come; null when from the stream's beginning
   * @throws TailraceError BAD_CHECKPOINT when records between the end of the log and the checkpoint would be left out
   */
  async initialize(checkpoint: string | null): Promise<void> {
    this.#seen = checkpoint;
    this.#readFrom = checkpoint;
    const newest = await this.#load();
    // What the log does not have was not archived here, whatever the checkpoint says
    if (checkpoint !== null && !reaches(newest, checkpoint))
      throw badCheckpoint(this.#context, newest, checkpoint);
    if (newest === null) return;
    // A checkpoint is written when the data is complete, so behind it there is nothing to look at.
    // rule: the newest commit's data is made sure of at a takeover
    if (newest.to === null || (checkpoint !== null && compareSequence(checkpoint, newest.to) >= 0)) {
      this.#complete(newest);
    } else {
      this.#incomplete = newest;
      await this.#settle({ nothingMore: false });
    }
  }

  /**
   * Reads where the log stands, for a caller that keeps no checkpoint and can read the stream from anywhere.
   *
   * @returns where the records that are to be taken in begin
   */
  async resume(): Promise<Position> {
    const newest = await this.#load();
    if (newest === null) return null;
    this.#seen = newest.from === null ? newest.to : justBefore(newest.from);
    this.#readFrom = this.#seen;
    this.#incomplete = newest;
    // rule: a function completes the newest commit, which may lack data
    await this.#settle({ nothingMore: false });
    if (this.#incomplete && newest.from !== null) return { at: newest.from };
    return newest.to === null ? null : { after: newest.to };
  }

  /** The newest commit; the state is then what the log says up to it, or what a shard without a log starts from. */
  async #load(): Promise<Commit | null> {
    const newest = await newestCommit(this.#store, this.#context);
    this.#state = newest
      ? await loadState(this.#store, this.#context, newest)
      : await startState(this.#context, this.#store, this.#stream, this.#options);
    return newest;
  }

  /**
   * Takes records in and commits what is due.
   *
   * @param records in stream order; all user records of one sequence number come in one call
   * @param atTip whether the stream had nothing after these records
   */
  async take(records: readonly StreamRecord[], atTip: boolean): Promise<void> {
    let passedOver = 0;
    for (let i = 0; i < records.length; ) {
      const { sequence } = records[i]!;
      const first = i;
      // rule: all user records of a sequence number go together
      while (i < records.length && records[i]!.sequence === sequence) i += 1;
      if (this.#isNew(sequence)) {
        const group = records.slice(first, i).map(readRecord);
        this.#append(group);
        this.#options.events.received(group);
      } else {
        passedOver += i - first;
      }
      if (this.#delivered === null || compareSequence(sequence, this.#delivered) > 0)
        this.#delivered = sequence;
      if (this.#isDue()) await this.#advance(false, false);
    }
    if (passedOver > 0) this.#options.events.passedOver(passedOver);
    if (this.#isDue() || (this.#incomplete && atTip)) await this.#advance(false, atTip);
  }

  /** Commits all that is pending, whether due or not. */
  async flush(): Promise<void> {
    if (this.#pending.length > 0 || this.#incomplete) await this.#advance(false, false, true);
  }

  /** Closes the log: all records of the shard have come by. */
  async end(): Promise<void> {
    while (!this.closed) await this.#advance(true, true);
  }

  #isNew(sequence: string): boolean {
    if (this.#seen !== null && compareSequence(sequence, this.#seen) <= 0) return false;
    if (this.#incomplete?.from) return compareSequence(sequence, this.#incomplete.from) >= 0;
    return true;
  }

  #append(group: readonly Item[]): void {
    if (this.#pending.length === 0) this.#pendingSince = this.#options.uptime();
    for (const item of group) {
      this.#pending.push(item);
      this.#pendingBytes += weightOf(item);
    }
    this.#seen = group[0]!.sequence;
  }

  #isDue(): boolean {
    const { maxBytes, maxAge } = this.#options.limits;
    if (this.#incomplete) return this.#hasSeen(this.#incomplete.to);
    if (this.#state.voiding.length > 0) return true;
    if (this.#pending.length === 0) return false;
    return this.#pendingBytes >= maxBytes || this.#options.uptime() - this.#pendingSince >= maxAge;
  }

  #hasSeen(sequence: string | null): boolean {
    return sequence === null || (this.#seen !== null && compareSequence(this.#seen, sequence) >= 0);
  }

  /** Completes the newest commit, then writes the next ones while they are due. */
  async #advance(close: boolean, nothingMore: boolean, force = false): Promise<void> {
    for (;;) {
      // rule: data that another worker lacks is written before the next commit
      const settled = this.#incomplete === null || (await this.#settle({ nothingMore }));
      // The shard's end has come by, but not what is in the stream.
      if (!settled && close) throw new RereadNeededError(this.#context.shard, this.#incomplete!.number);
      if (!settled) return;
      // rule: nothing is written after a closing commit
      if (this.#state.closed) {
        // Whoever closed the log says that nothing comes after; what is pending was trimmed from the stream.
        this.#drop(null);
        return;
      }
      if (!close && !this.#isDue() && !(force && this.#pending.length > 0)) return;
      await this.#writeNext(close);
    }
  }

  async #writeNext(close: boolean): Promise<void> {
    const { prefix } = this.#context;
    const now = this.#options.now();
    const plan = planCommit(this.#context, { state: this.#state, items: this.#pending, close, now });
    let winner: Commit = plan.commit;
    if ((await putCommit(this.#store, prefix, plan.commit)) === 'exists') {
      // rule: the first writer decides what a commit is
      winner = await readCommit(this.#store, this.#context, plan.commit.number);
    }
    const isOurs = winner.hash === plan.commit.hash;
    // rule: the checkpoint comes after the data
    this.#state.apply(winner);
    this.#incomplete = winner;
    if (isOurs) {
      this.#options.events.committed(winner, plan.rewritten);
      await this.#settle({ bodies: plan.bodies, nothingMore: false });
    } else {
      this.#options.events.followed(winner);
    }
  }

  /**
   * Sees to it that the newest commit has its data, or is redone without what is lost.
   *
   * @returns false when more records have to come first
   */
  async #settle({ bodies, nothingMore }: SettleOptions): Promise<boolean> {
    const commit = this.#incomplete!;
    const { missing, lost } = await this.#putMade(commit, bodies ?? null);
    const lacks = missing.length + lost.length > 0;
    // Rebuilding data and redoing the range both need all records of the range.
    // rule: a commit is completed only with all records of its range at hand
    if (lacks && !this.#hasSeen(commit.to) && !(nothingMore && (await this.#isTrimmed(commit)))) return false;
    if (missing.length > 0) {
      lost.push(...(await this.#putRebuilt(commit, missing)));
      if (lost.length === 0) this.#options.events.followed(commit);
    }
    if (lost.length === 0) this.#complete(commit);
    else this.#goBack(commit, lost);
    return true;
  }

  /**
   * Whether no more records of the commit's range can come, by a look at the stream. That a reader was at the tip does
   * not say so: it may have read before others archived what came after, and its batches wait in queues.
   */
  async #isTrimmed(commit: Commit): Promise<boolean> {
    const from: Position = this.#hasSeen(commit.from) ? { after: this.#seen! } : { at: commit.from! };
    return !(await this.#stream.holds(commit.shard, from, commit.to!));
  }

  /** Puts the bodies that are at hand; returns which objects still lack their data, and which never get it. */
  async #putMade(
    commit: Commit,
    bodies: ReadonlyMap<string, Body> | null,
  ): Promise<{ missing: CommitObject[]; lost: CommitObject[] }> {
    const lost: CommitObject[] = [];
    const missing: CommitObject[] = [];
    await atOnce(PUTS_AT_ONCE, commit.objects, async (object) => {
      const body = bodies?.get(object.key);
      if (body && (await this.#put(object, body)) === 'created') return;
      const now = await standing(this.#store, object);
      if (now === 'void') lost.push(object);
      else if (now === 'missing') missing.push(object);
    });
    return { missing, lost };
  }

  /** Puts what the pending records still make of the missing objects, and fences the others; returns the lost ones. */
  async #putRebuilt(commit: Commit, missing: readonly CommitObject[]): Promise<CommitObject[]> {
    const rebuilt = rebuild(this.#context, commit, this.#pending);
    if (!this.#hasReadAll(commit) && missing.some((object) => !rebuilt.has(object.key))) {
      throw new RereadNeededError(commit.shard, commit.number);
    }
    const lost: CommitObject[] = [];
    await atOnce(PUTS_AT_ONCE, missing, async (object) => {
      const body = rebuilt.get(object.key);
      if (body && (await this.#put(object, body)) === 'created') return;
      const now = body ? await standing(this.#store, object) : await fence(this.#store, object);
      if (now === 'void') lost.push(object);
    });
    return lost;
  }

  #put(object: CommitObject, body: Body): Promise<'created' | 'exists'> {
    return this.#store.putIfAbsent(object.key, body, object.codec, object.sha256);
  }

  /** Archives the range of the newest commit once more, except for what its other objects hold. */
  #goBack(commit: Commit, lost: readonly CommitObject[]): void {
    if (!this.#hasReadAll(commit)) throw new RereadNeededError(commit.shard, commit.number);
    this.#incomplete = null;
    this.#state.redo(commit, lost);
    this.#options.events.voided(commit, lost);
  }

  /** Whether all that the stream had of the commit's range has come by and is pending. */
  #hasReadAll(commit: Commit): boolean {
    if (commit.from === null || this.#readFrom === null) return true;
    return compareSequence(this.#readFrom, commit.from) < 0;
  }

  #complete(commit: Commit): void {
    this.#incomplete = null;
    this.#drop(commit.to);
    if (commit.to !== null) {
      this.#safe = commit.to;
      if (this.#readFrom === null || compareSequence(commit.to, this.#readFrom) > 0)
        this.#readFrom = commit.to;
      if (!this.#hasSeen(commit.to)) this.#seen = commit.to;
    }
    this.#options.events.completed(commit);
  }

  /** Forgets pending records up to `to`, all of them when it is null. */
  #drop(to: string | null): void {
    const rest = to === null ? [] : this.#pending.filter((item) => compareSequence(item.sequence, to) > 0);
    this.#pending = rest;
    this.#pendingBytes = rest.reduce((sum, item) => sum + weightOf(item), 0);
    this.#pendingSince = this.#options.uptime();
  }
}

function reaches(newest: Commit | null, checkpoint: string): boolean {
  return newest !== null && newest.to !== null && compareSequence(newest.to, checkpoint) >= 0;
}

function badCheckpoint(
  { prefix, incarnation, shard }: LogContext,
  newest: Commit | null,
  checkpoint: string,
): TailraceError {
  const end = newest?.to == null ? 'has nothing of this shard' : `ends at ${newest.to}`;
  return new TailraceError(
    'BAD_CHECKPOINT',
    `the lease of ${shard} starts after ${checkpoint}, the archive (${commitFolder(prefix, incarnation, shard)}) ${end}: what is between would be left out. Correct the bucket and prefix, or set the lease's checkpoint to TRIM_HORIZON (or delete the lease table), which repeats nothing`,
  );
}

/** A number below a sequence number and above all that are smaller; null when there is none. */
function justBefore(sequence: string): string | null {
  return sequence === '0' ? null : (BigInt(sequence) - 1n).toString();
}

/** What an item counts in a batch: a foreign record what it says it comes to when it is opened. */
function weightOf({ bytes, foreign }: Item): number {
  return foreign === null ? bytes : bytes - foreign.length + openedSize(foreign);
}
