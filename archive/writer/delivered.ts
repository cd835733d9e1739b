/**
 * Archives batches that something else delivers, and redelivers until all of it is archived: an event source mapping
 * of Lambda.
 *
 * There is no checkpoint here: the log says where the next record belongs, and whatever a batch does not bring (the
 * rest of a half-done commit, records that the mapping left out, the end of a parent) is read from the stream.
 */

import { compareSequence } from '../commit-keys.ts';
import type { ArchiveStore } from '../store.ts';
import type { LogContext } from './context.ts';
import type { StreamRecord } from './record.ts';
import { type ArchiverEvents, type BatchLimits, RereadNeededError, ShardArchiver } from './shard-archiver.ts';
import type { Position, StreamView } from './start.ts';

/** Records of a shard as the stream has them. */
export interface ShardPage {
  /** In stream order; user records of one stream record are in one page. */
  readonly records: readonly StreamRecord[];
  /** Whether the stream had nothing behind them. */
  readonly atTip: boolean;
  /** Whether the shard is closed and nothing will ever come behind them. */
  readonly ended: boolean;
}

export interface ShardReader {
  /** Reads on from a place; each call of `next` returns what follows, at most `limit` stream records. */
  open(shard: string, from: Position): { next(limit?: number): Promise<ShardPage> };
}

export interface DeliveredOptions {
  readonly store: ArchiveStore;
  readonly stream: StreamView;
  readonly reader: ShardReader;
  /** The log of a shard. */
  readonly contextOf: (shard: string) => Promise<LogContext>;
  /** Of what is read from the stream; what was delivered is always committed before the call ends. */
  readonly limits: BatchLimits;
  /** Wall clock, ms. */
  readonly now: () => number;
  /** Milliseconds of a clock that only goes on. */
  readonly uptime: () => number;
  readonly events: ArchiverEvents;
}

/** Another archiver's writes may require reading a range once more; each time means that it made progress. */
const MOST_REREADS = 20;

export class DeliveredArchiver {
  readonly #options: DeliveredOptions;

  constructor(options: DeliveredOptions) {
    this.#options = options;
  }

  /**
   * Archives a batch: when this returns, every record of it is in the archive.
   *
   * @param records in stream order, without gaps; user records of one stream record stand together
   */
  async archive(shard: string, records: readonly StreamRecord[]): Promise<void> {
    if (records.length === 0) return;
    await this.#withRereads(async () => {
      const archiver = await this.#archiverOf(shard);
      const from = await archiver.resume();
      await this.#catchUp(archiver, shard, from, records[0]!.sequence);
      await archiver.take(records, false);
      await archiver.flush();
      // Another archiver's commit may stand here, and go further than this batch.
      // rule: a function reads the rest of another archiver's commit
      await this.#finish(archiver, shard, { after: records.at(-1)!.sequence });
    });
  }

  /**
   * Completes the newest commit of a shard's log where an archiver has left it without its data. A later batch does the
   * same; this is for a shard that receives none.
   */
  async complete(shard: string): Promise<void> {
    await this.#withRereads(async () => {
      const archiver = await this.#archiverOf(shard);
      await this.#finish(archiver, shard, await archiver.resume());
    });
  }

  /**
   * Completes these shards, whatever happens to the others.
   *
   * @returns what was thrown, by shard
   */
  async completeAll(shards: readonly string[]): Promise<Map<string, unknown>> {
    const failed = new Map<string, unknown>();
    for (const shard of shards) {
      await this.complete(shard).catch((error: unknown) => failed.set(shard, error));
    }
    return failed;
  }

  /** Reads a shard that was split or merged to its end, and closes its log. */
  async close(shard: string): Promise<void> {
    await this.#withRereads(async () => {
      const archiver = await this.#archiverOf(shard);
      const cursor = this.#options.reader.open(shard, await archiver.resume());
      for (let ended = false; !ended && !archiver.closed; ) {
        const page = await cursor.next();
        // rule: a function reads a parent to its end before it closes its log
        ended = page.ended;
        await archiver.take(page.records, page.atTip || page.ended);
      }
      await archiver.end();
    });
  }

  /** Takes in what the log still needs of the stream before `first`: nothing, unless somebody left it behind. */
  async #catchUp(archiver: ShardArchiver, shard: string, from: Position, first: string): Promise<void> {
    if (from !== null && compareSequence(first, 'at' in from ? from.at : from.after) <= 0) return;
    const cursor = this.#options.reader.open(shard, from);
    // As a rule, the first record is the first one of the batch.
    for (let limit: number | undefined = 1; ; limit = undefined) {
      const page = await cursor.next(limit);
      const end = page.records.findIndex(({ sequence }) => compareSequence(sequence, first) >= 0);
      // rule: a function first reads what the log still needs of the stream
      await archiver.take(end === -1 ? page.records : page.records.slice(0, end), false);
      if (end !== -1 || page.atTip || page.ended) return;
    }
  }

  /** Reads on until the newest commit has its data. */
  async #finish(archiver: ShardArchiver, shard: string, from: Position): Promise<void> {
    if (!archiver.unfinished) return;
    const cursor = this.#options.reader.open(shard, from);
    while (archiver.unfinished) {
      const page = await cursor.next();
      await archiver.take(page.records, page.atTip || page.ended);
      await archiver.flush();
    }
  }

  async #archiverOf(shard: string): Promise<ShardArchiver> {
    const { store, stream, limits, now, uptime, events, contextOf } = this.#options;
    return new ShardArchiver(await contextOf(shard), store, stream, {
      limits,
      now,
      uptime,
      events,
      // No mapping reports the end of a shard: the first batch of a child closes its parents' logs.
      wait: (parent) => this.close(parent),
    });
  }

  async #withRereads(work: () => Promise<void>): Promise<void> {
    for (let reread = 0; ; reread++) {
      try {
        await work();
        return;
      } catch (error) {
        if (!(error instanceof RereadNeededError) || reread === MOST_REREADS) throw error;
      }
    }
  }
}
