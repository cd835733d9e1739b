/** How far a consumer is behind in each shard: the age of the first record after the checkpoint in its lease table. */
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  InvalidArgumentException,
  type KinesisClient,
} from '@aws-sdk/client-kinesis';
import { atOnce } from '../base/at-once.ts';
import { streamOfIterator, streamTarget } from '../base/stream-target.ts';

/** Shards asked at once. */
const CONCURRENCY = 10;
/** Reads of a shard: one may find nothing although there is something further on. */
const MOST_READS = 20;
/** What a lease says of a shard that is read to its end. */
const SHARD_END = 'SHARD_END';

/**
 * @param shards ids, closed ones among them
 * @param checkpoints of the leases by shard; a shard without one has not been begun
 * @returns milliseconds by shard, 0 for those that are read up to their newest record; without those read to their end
 */
export async function lagsOf(
  kinesis: KinesisClient,
  stream: string,
  shards: readonly string[],
  checkpoints: ReadonlyMap<string, string>,
  now: number,
): Promise<Map<string, number>> {
  const lags = new Map<string, number>();
  const unfinished = shards.filter((shard) => checkpoints.get(shard) !== SHARD_END);
  await atOnce(CONCURRENCY, unfinished, async (shard) => {
    const arrived = await firstAfter(kinesis, stream, shard, checkpoints.get(shard));
    lags.set(shard, arrived === null ? 0 : Math.max(0, now - arrived));
  });
  return lags;
}

/** When the first record after a checkpoint came in, milliseconds since 1970; null when there is none. */
async function firstAfter(
  kinesis: KinesisClient,
  stream: string,
  shard: string,
  checkpoint: string | undefined,
): Promise<number | null> {
  let iterator = await iteratorAfter(kinesis, stream, shard, checkpoint);
  for (let reads = 0; iterator !== undefined && reads < MOST_READS; reads++) {
    const {
      Records = [],
      NextShardIterator,
      MillisBehindLatest,
    } = await kinesis.send(
      new GetRecordsCommand({ ShardIterator: iterator, Limit: 1, ...streamOfIterator(stream) }),
    );
    const [first] = Records;
    if (first) return first.ApproximateArrivalTimestamp!.getTime();
    if (MillisBehindLatest === 0) return null;
    iterator = NextShardIterator ?? undefined;
  }
  return null;
}

async function iteratorAfter(
  kinesis: KinesisClient,
  stream: string,
  shard: string,
  checkpoint: string | undefined,
): Promise<string | undefined> {
  const from = { ...streamTarget(stream), ShardId: shard };
  const oldest = { ...from, ShardIteratorType: 'TRIM_HORIZON' } as const;
  const isNumber = /^\d+$/.test(checkpoint ?? '');
  const after = {
    ...from,
    ShardIteratorType: 'AFTER_SEQUENCE_NUMBER',
    StartingSequenceNumber: checkpoint,
  } as const;
  try {
    const command = new GetShardIteratorCommand(isNumber ? after : oldest);
    return (await kinesis.send(command)).ShardIterator;
  } catch (error) {
    // A checkpoint of an earlier stream of this name, or one that retention has passed.
    if (!(error instanceof InvalidArgumentException)) throw error;
    return (await kinesis.send(new GetShardIteratorCommand(oldest))).ShardIterator;
  }
}
