/** What Kinesis says of the stream: its identity and its shards. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeStreamSummaryCommand,
  KinesisClient,
  ResourceNotFoundException,
} from '@aws-sdk/client-kinesis';
import { Backoff, type BackoffLimits } from '../base/backoff.ts';
import { TailraceError } from '../base/errors.ts';
import { listShards } from '../base/list-shards.ts';
import { incarnationFamily, incarnationOf, type StreamIdentity } from './commit-keys.ts';
import type { ShardInfo, StreamView } from './writer/start.ts';

const BACKOFF: BackoffLimits = { base: 1000, cap: 20_000, jitter: 'half' };

export interface StreamLocation {
  readonly name: string;
  readonly region: string;
  /** Of a Kinesis that is not Amazon's. */
  readonly endpoint?: string | undefined;
}

export class KinesisStream implements StreamView {
  readonly family: string;
  readonly incarnation: string;
  readonly #client: KinesisClient;
  readonly #name: string;
  readonly #onTrouble: (error: Error) => void;

  private constructor(client: KinesisClient, identity: StreamIdentity, onTrouble: (error: Error) => void) {
    this.#client = client;
    this.#name = identity.name;
    this.#onTrouble = onTrouble;
    this.family = incarnationFamily(identity);
    this.incarnation = incarnationOf(identity);
  }

  /** Asks until Kinesis answers. */
  static async open(config: StreamLocation, onTrouble: (error: Error) => void): Promise<KinesisStream> {
    const client = streamClient(config, 3);
    const identity = await untilAnswered(onTrouble, () => describeStream(client, config));
    return new KinesisStream(client, identity, onTrouble);
  }

  shards(): Promise<ShardInfo[]> {
    return untilAnswered(this.#onTrouble, () => this.#listShards());
  }

  async #listShards(): Promise<ShardInfo[]> {
    const shards = await listShards(this.#name, (command) => this.#client.send(command));
    return shards.map(
      ({ ShardId: id, ParentShardId: parent, AdjacentParentShardId: other, HashKeyRange: range }) => ({
        id: id!,
        parents: [parent, other].filter((name) => name !== undefined),
        range: [hashKey(range!.StartingHashKey!), hashKey(range!.EndingHashKey!)],
      }),
    );
  }
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
      new DescribeStreamSummaryCommand({ StreamName: name }),
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
