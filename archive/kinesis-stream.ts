/** What Kinesis says about the stream: its identity and its shards. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeStreamSummaryCommand,
  ExpiredIteratorException,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ResourceNotFoundException,
} from '@aws-sdk/client-kinesis';
import { Backoff, type BackoffLimits } from '../base/backoff.ts';
import { TailraceError } from '../base/errors.ts';
import { listShards } from '../base/list-shards.ts';
import { streamOfIterator, streamTarget } from '../base/stream-target.ts';
import { compareSequence, incarnationFamily, incarnationOf, type StreamIdentity } from './commit-keys.ts';
import type { Position, ShardInfo, StreamView } from './writer/start.ts';

const BACKOFF: BackoffLimits = { base: 1000, cap: 20_000, jitter: 'half' };

/** A shard answers five reads a second to all its readers together. */
const EMPTY_PAGE_MS = 250;

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

export interface RangeQuestion {
  readonly stream: StreamLocation;
  readonly shard: string;
  readonly from: Position;
  readonly to: string;
  readonly onTrouble: (error: Error) => void;
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
    return holdsRecord(this.#client, { stream: this.#config, shard, from, to, onTrouble: this.#onTrouble });
  }

  close(): void {
    this.#client.destroy();
  }
}

/** What names the stream in a request: its ARN where there is one, which reaches another account's, too. */
export function handleOf({ name, arn }: StreamLocation): string {
  return arn ?? name;
}

/** Its ARN, asked for where the configuration has none. */
export async function streamArn(client: KinesisClient, config: StreamLocation): Promise<string> {
  if (config.arn !== undefined) return config.arn;
  const answer = await client.send(new DescribeStreamSummaryCommand(streamTarget(handleOf(config))));
  return answer.StreamDescriptionSummary!.StreamARN!;
}

/** Where an iterator starts, as GetShardIterator takes it. */
export function iteratorStart(position: Position) {
  if (position === null) return { ShardIteratorType: 'TRIM_HORIZON' } as const;
  if ('at' in position) {
    return { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: position.at } as const;
  }
  return { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: position.after } as const;
}

/** Whether a shard has a record from a place on, up to and including the one with sequence number `to`. */
export async function holdsRecord(
  client: Pick<KinesisClient, 'send'>,
  { stream, shard, from, to, onTrouble }: RangeQuestion,
): Promise<boolean> {
  const start = { ...streamTarget(handleOf(stream)), ShardId: shard, ...iteratorStart(from) };
  let iterator: string | undefined;
  for (;;) {
    const page = await untilAnswered(onTrouble, async () => {
      try {
        iterator ??= (await client.send(new GetShardIteratorCommand(start))).ShardIterator;
        const page = { ShardIterator: iterator, Limit: 1, ...streamOfIterator(handleOf(stream)) };
        return await client.send(new GetRecordsCommand(page));
      } catch (error) {
        // The shard is gone from the stream, with all that it had.
        if (error instanceof ResourceNotFoundException) return null;
        if (error instanceof ExpiredIteratorException) iterator = undefined;
        throw error;
      }
    });
    const first = page?.Records?.[0];
    if (first) return compareSequence(first.SequenceNumber!, to) <= 0;
    // Kinesis may answer with nothing in the middle of a shard; it is then behind the latest record.
    iterator = page?.NextShardIterator;
    if (page?.MillisBehindLatest === 0 || iterator === undefined) return false;
    await sleep(EMPTY_PAGE_MS);
  }
}

/** All shards that the stream has, closed ones included while their records are retained. */
export async function streamShards(client: KinesisClient, config: StreamLocation): Promise<StreamShard[]> {
  const shards = await listShards(handleOf(config), (command) => client.send(command));
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
      new DescribeStreamSummaryCommand(streamTarget(handleOf(config))),
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
