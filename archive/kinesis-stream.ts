/** What Kinesis says about the stream: its identity and its shards. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  type GetRecordsCommandOutput,
  GetShardIteratorCommand,
  KinesisClient,
  ResourceNotFoundException,
} from '@aws-sdk/client-kinesis';
import { Backoff, type BackoffLimits } from '../base/backoff.ts';
import { TailraceError } from '../base/errors.ts';
import { listShards } from '../base/list-shards.ts';
import { compareSequence, incarnationFamily, incarnationOf, type StreamIdentity } from './commit-keys.ts';
import type { Position, ShardInfo, StreamView } from './writer/start.ts';

const BACKOFF: BackoffLimits = { base: 1000, cap: 20_000, jitter: 'half' };

export interface StreamLocation {
  readonly name: string;
  readonly region: string;
  /** Needed for a stream of another account. */
  readonly arn?: string | undefined;
  /** Of a Kinesis that is not Amazon's. */
  readonly endpoint?: string | undefined;
}

/** A shard as ListShards describes it. */
export interface StreamShard extends ShardInfo {
  /** First and last hash key, decimal, as KCL's leases have them. */
  readonly hashKeys: readonly [string, string];
  /** The sequence number from which records of this shard can be. */
  readonly startingSequence: string;
  /** Whether the shard was split or merged: nothing is added to it any more. */
  readonly closed: boolean;
}

export class KinesisStream implements StreamView {
  readonly family: string;
  readonly incarnation: string;
  readonly #client: KinesisClient;
  readonly #config: StreamLocation;
  readonly #onTrouble: (error: Error) => void;

  private constructor(
    client: KinesisClient,
    config: StreamLocation,
    identity: StreamIdentity,
    onTrouble: (error: Error) => void,
  ) {
    this.#client = client;
    this.#config = config;
    this.#onTrouble = onTrouble;
    this.family = incarnationFamily(identity);
    this.incarnation = incarnationOf(identity);
  }

  /** Asks until Kinesis answers. */
  static async open(config: StreamLocation, onTrouble: (error: Error) => void): Promise<KinesisStream> {
    const client = streamClient(config, 3);
    const identity = await untilAnswered(onTrouble, () => describeStream(client, config));
    return new KinesisStream(client, config, identity, onTrouble);
  }

  shards(): Promise<StreamShard[]> {
    return untilAnswered(this.#onTrouble, () => streamShards(this.#client, this.#config));
  }

  holds(shard: string, from: Position, to: string): Promise<boolean> {
    return untilAnswered(this.#onTrouble, async () => {
      try {
        const first = await this.#firstRecord(shard, from);
        return first !== null && compareSequence(first, to) <= 0;
      } catch (error) {
        // The shard is gone from the stream, with all that it had.
        if (error instanceof ResourceNotFoundException) return false;
        throw error;
      }
    });
  }

  /** The sequence number of the first record from a place on. */
  async #firstRecord(shard: string, from: Position): Promise<string | null> {
    const start = { ...streamTarget(this.#config), ShardId: shard, ...iteratorStart(from) };
    let iterator = (await this.#client.send(new GetShardIteratorCommand(start))).ShardIterator;
    while (iterator !== undefined) {
      const page: GetRecordsCommandOutput = await this.#client.send(
        new GetRecordsCommand({ ShardIterator: iterator, Limit: 1 }),
      );
      const first = page.Records?.[0];
      if (first) return first.SequenceNumber!;
      // Kinesis may answer with nothing in the middle of a shard; it is then behind the latest record.
      if (page.MillisBehindLatest === 0) return null;
      iterator = page.NextShardIterator;
    }
    return null;
  }

  close(): void {
    this.#client.destroy();
  }
}

/** How a request names the stream: by its ARN where there is one, which reaches another account's, too. */
export function streamTarget({ name, arn }: StreamLocation): { StreamARN: string } | { StreamName: string } {
  return arn === undefined ? { StreamName: name } : { StreamARN: arn };
}

/** Where an iterator starts, as GetShardIterator takes it. */
export function iteratorStart(position: Position) {
  if (position === null) return { ShardIteratorType: 'TRIM_HORIZON' } as const;
  if ('at' in position) {
    return { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: position.at } as const;
  }
  return { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: position.after } as const;
}

/** All shards that the stream has, closed ones included while their records are retained. */
export async function streamShards(client: KinesisClient, config: StreamLocation): Promise<StreamShard[]> {
  const stream = config.arn === undefined ? config.name : { StreamARN: config.arn };
  const shards = await listShards(stream, (command) => client.send(command));
  return shards.map((shard) => {
    const { HashKeyRange: keys, SequenceNumberRange: sequences } = shard;
    return {
      id: shard.ShardId!,
      parents: [shard.ParentShardId, shard.AdjacentParentShardId].filter((name) => name !== undefined),
      range: [hashKey(keys!.StartingHashKey!), hashKey(keys!.EndingHashKey!)],
      hashKeys: [keys!.StartingHashKey!, keys!.EndingHashKey!],
      startingSequence: sequences?.StartingSequenceNumber ?? '0',
      closed: sequences?.EndingSequenceNumber !== undefined,
    };
  });
}

export function streamClient(config: StreamLocation, maxAttempts: number): KinesisClient {
  const { region, endpoint } = config;
  return new KinesisClient({ region, maxAttempts, ...(endpoint === undefined ? {} : { endpoint }) });
}

/** @throws TailraceError STREAM when there is no such stream */
export async function describeStream(
  client: KinesisClient,
  config: StreamLocation,
): Promise<StreamIdentity & { readonly openShards: number }> {
  const { name, region } = config;
  try {
    const { StreamDescriptionSummary: summary } = await client.send(
      new DescribeStreamSummaryCommand(streamTarget(config)),
    );
    // arn:aws:kinesis:<region>:<account>:stream/<name>
    const account = summary!.StreamARN!.split(':')[4]!;
    return {
      account,
      region,
      name,
      createdAt: summary!.StreamCreationTimestamp!.getTime(),
      openShards: summary!.OpenShardCount ?? 0,
    };
  } catch (error) {
    if (error instanceof ResourceNotFoundException) {
      throw new TailraceError('STREAM', `there is no stream ${name} in ${region}: create it first`, {
        cause: error,
      });
    }
    throw error;
  }
}

/** A hash key, a decimal number below 2^128, as 32 hex digits: so that ranges and lanes compare as text. */
function hashKey(decimal: string): string {
  return BigInt(decimal).toString(16).padStart(32, '0');
}

async function untilAnswered<T>(onTrouble: (error: Error) => void, ask: () => Promise<T>): Promise<T> {
  const backoff = new Backoff(BACKOFF);
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      onTrouble(error as Error);
      await sleep(backoff.next());
    }
  }
}
