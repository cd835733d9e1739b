/**
 * An event source mapping of Lambda on a stream: batches by window, count and size, one call a shard at a time, a child
 * shard after its parents, retries without end, cut in two by chance (BisectBatchOnFunctionError).
 *
 * https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  type KinesisClient,
  type _Record as KinesisRecord,
  type Shard,
} from '@aws-sdk/client-kinesis';
import { listShards } from '../../base/list-shards.ts';

export interface MappingOptions {
  readonly stream: string;
  readonly kinesis: KinesisClient;
  /** Fails when the function does, or is not heard of in time. */
  readonly invoke: (event: unknown) => Promise<unknown>;
  /** Longest wait for a batch to fill, ms. */
  readonly window: number;
  /** Most records of a batch, at most 10,000. */
  readonly batchSize: number;
  /** A number in [0, 1): how often a batch that failed is cut in two. */
  readonly random: () => number;
  /** Where each shard stands: a mapping that is disabled and enabled continues there. Default: the stream's beginning. */
  readonly positions?: Map<string, string>;
  /** Time between two reads of a shard, ms; default 200. */
  readonly pollMs?: number;
}

/** A payload has 6 MB, and Base64 takes a third of that. */
const MOST_BYTES = 4_500_000;
const DEFAULT_POLL_MS = 200;
const RETRY_MS = 200;

export class EventSourceMapping {
  readonly #options: MappingOptions;
  readonly #shards = new Map<string, Promise<void>>();
  readonly #positions: Map<string, string>;
  readonly #pollMs: number;
  /** Shards whose parents have been read to their ends, and which are being read. */
  readonly reading = new Set<string>();
  #stopping = false;
  #watching: Promise<void> = Promise.resolve();
  /** Calls that failed. */
  failures = 0;
  calls = 0;
  /** What ended a shard's polling for good; the mapping itself has no such end. */
  fault: unknown = null;

  constructor(options: MappingOptions) {
    this.#options = options;
    this.#positions = options.positions ?? new Map();
    this.#pollMs = options.pollMs ?? DEFAULT_POLL_MS;
  }

  start(): void {
    this.#watching = this.#watch();
  }

  /** Resolves when no call is under way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#watching;
    await Promise.all(this.#shards.values());
    if (this.fault !== null) throw this.fault;
  }

  async #watch(): Promise<void> {
    const { kinesis, stream } = this.#options;
    while (!this.#stopping) {
      const shards = await listShards(stream, (command) => kinesis.send(command)).catch(() => []);
      for (const shard of shards) {
        if (this.#shards.has(shard.ShardId!)) continue;
        const polled = this.#poll(shard).catch((error: unknown) => {
          this.fault ??= error;
        });
        this.#shards.set(shard.ShardId!, polled);
      }
      await sleep(this.#pollMs);
    }
  }

  async #poll(shard: Shard): Promise<void> {
    const { kinesis, window, batchSize } = this.#options;
    // Its parents stand before it in the list of shards, if they are still in the stream.
    await Promise.all(
      [shard.ParentShardId, shard.AdjacentParentShardId].map((id) => id && this.#shards.get(id)),
    );
    const id = shard.ShardId!;
    this.reading.add(id);
    let iterator: string | undefined;
    let last = this.#positions.get(id) ?? null;
    let pending: KinesisRecord[] = [];
    let since = performance.now();
    while (!this.#stopping) {
      try {
        iterator ??= await this.#iterator(id, last);
        const page = await kinesis.send(new GetRecordsCommand({ ShardIterator: iterator }));
        iterator = page.NextShardIterator;
        const records = page.Records ?? [];
        if (records.length > 0 && pending.length === 0) since = performance.now();
        pending.push(...records);
        last = pending.at(-1)?.SequenceNumber ?? last;
      } catch {
        // Read from where it stands.
        iterator = undefined;
        await sleep(RETRY_MS);
        continue;
      }
      const ended = iterator === undefined;
      while (pending.length >= batchSize || (pending.length > 0 && (ended || isDue(since, window)))) {
        const batch = this.#nextBatch(pending);
        if (!(await this.#deliver(id, batch))) return;
        pending = pending.slice(batch.length);
        this.#positions.set(id, batch.at(-1)!.SequenceNumber!);
        since = performance.now();
      }
      if (ended) {
        this.reading.delete(id);
        return;
      }
      await sleep(this.#pollMs);
    }
  }

  async #iterator(ShardId: string, last: string | null): Promise<string> {
    const { kinesis, stream: StreamName } = this.#options;
    const start =
      last === null
        ? ({ ShardIteratorType: 'TRIM_HORIZON' } as const)
        : ({ ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: last } as const);
    const answer = await kinesis.send(new GetShardIteratorCommand({ StreamName, ShardId, ...start }));
    return answer.ShardIterator!;
  }

  #nextBatch(pending: readonly KinesisRecord[]): KinesisRecord[] {
    let bytes = 0;
    const end = pending.findIndex(({ Data }, i) => {
      bytes += Data!.length;
      return i >= this.#options.batchSize || (i > 0 && bytes > MOST_BYTES);
    });
    return end === -1 ? [...pending] : pending.slice(0, end);
  }

  /** @returns whether all of it was taken, sooner or later; false when the mapping stops before */
  async #deliver(shard: string, batch: readonly KinesisRecord[]): Promise<boolean> {
    while (!this.#stopping) {
      this.calls += 1;
      try {
        await this.#options.invoke({ Records: batch.map((record) => eventOf(shard, record)) });
        return true;
      } catch {
        this.failures += 1;
        const middle = Math.ceil(batch.length / 2);
        if (batch.length > 1 && this.#options.random() < 0.4) {
          return (
            (await this.#deliver(shard, batch.slice(0, middle))) &&
            (await this.#deliver(shard, batch.slice(middle)))
          );
        }
        await sleep(RETRY_MS);
      }
    }
    return false;
  }
}

function isDue(since: number, window: number): boolean {
  return performance.now() - since >= window;
}

function eventOf(shard: string, record: KinesisRecord) {
  return {
    eventID: `${shard}:${record.SequenceNumber}`,
    eventSource: 'aws:kinesis',
    eventVersion: '1.0',
    kinesis: {
      kinesisSchemaVersion: '1.0',
      partitionKey: record.PartitionKey,
      sequenceNumber: record.SequenceNumber,
      data: Buffer.from(record.Data!).toString('base64'),
      approximateArrivalTimestamp: record.ApproximateArrivalTimestamp!.getTime() / 1000,
    },
  };
}
