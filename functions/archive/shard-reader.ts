/** Reads a shard from the stream itself, for what a batch does not bring. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ExpiredIteratorException,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type KinesisClient,
  ProvisionedThroughputExceededException,
} from '@aws-sdk/client-kinesis';
import { iteratorStart } from '../../archive/kinesis-stream.ts';
import type { ShardPage, ShardReader } from '../../archive/writer/delivered.ts';
import type { Position } from '../../archive/writer/start.ts';
import { Backoff, type BackoffLimits } from '../../base/backoff.ts';
import { TailraceError } from '../../base/errors.ts';
import { streamOfIterator, streamTarget } from '../../base/stream-target.ts';
import { userRecords } from './events.ts';

/** A shard answers five reads a second to all its readers together. */
const BACKOFF: BackoffLimits = { base: 250, cap: 4000, jitter: 'half' };
/** What one read may bring at the most. */
const MOST_RECORDS = 10_000;

export interface ReaderOptions {
  readonly stream: string;
  /** Milliseconds since 1970 from which on nothing more is read: what is archived by then stays so. */
  readonly deadline: number;
}

export function shardReader(kinesis: Pick<KinesisClient, 'send'>, options: ReaderOptions): ShardReader {
  return { open: (shard, from) => new ShardCursor(kinesis, options, shard, from) };
}

class ShardCursor {
  readonly #kinesis: Pick<KinesisClient, 'send'>;
  readonly #options: ReaderOptions;
  readonly #shard: string;
  #position: Position;
  /** Undefined before the first read; null at the end of the shard. */
  #iterator: string | null | undefined;

  constructor(kinesis: Pick<KinesisClient, 'send'>, options: ReaderOptions, shard: string, from: Position) {
    this.#kinesis = kinesis;
    this.#options = options;
    this.#shard = shard;
    this.#position = from;
  }

  /** @throws TailraceError FUNCTION_TIMEOUT, retriable, at the deadline */
  async next(limit = MOST_RECORDS): Promise<ShardPage> {
    const backoff = new Backoff(BACKOFF);
    for (;;) {
      if (Date.now() >= this.#options.deadline) {
        throw new TailraceError('FUNCTION_TIMEOUT', 'the shard was not read to where it had to be in time', {
          retriable: true,
        });
      }
      if (this.#iterator === null) return { records: [], atTip: true, ended: true };
      try {
        this.#iterator ??= await this.#open();
        return await this.#read(this.#iterator, limit);
      } catch (error) {
        if (error instanceof ExpiredIteratorException) this.#iterator = undefined;
        else if (!(error instanceof ProvisionedThroughputExceededException)) throw error;
        await sleep(backoff.next());
      }
    }
  }

  async #open(): Promise<string> {
    const { ShardIterator } = await this.#kinesis.send(
      new GetShardIteratorCommand({
        ...streamTarget(this.#options.stream),
        ShardId: this.#shard,
        ...iteratorStart(this.#position),
      }),
    );
    return ShardIterator!;
  }

  async #read(iterator: string, limit: number): Promise<ShardPage> {
    const { Records, NextShardIterator, MillisBehindLatest } = await this.#kinesis.send(
      new GetRecordsCommand({
        ShardIterator: iterator,
        Limit: limit,
        ...streamOfIterator(this.#options.stream),
      }),
    );
    const read = Records ?? [];
    this.#iterator = NextShardIterator ?? null;
    const last = read.at(-1);
    if (last) this.#position = { after: last.SequenceNumber! };
    return {
      records: read.flatMap(({ SequenceNumber, ApproximateArrivalTimestamp, Data }) =>
        userRecords(SequenceNumber!, ApproximateArrivalTimestamp!.getTime(), Buffer.from(Data!)),
      ),
      // Kinesis may answer with nothing in the middle of a shard; it is then behind the latest record.
      atTip: this.#iterator === null || MillisBehindLatest === 0,
      ended: this.#iterator === null,
    };
  }
}
