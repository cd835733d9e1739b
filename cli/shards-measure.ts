/** What `tailrace shards` shows of a stream's traffic: from CloudWatch, or measured from the stream itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { GetRecordsCommand, GetShardIteratorCommand, type KinesisClient } from '@aws-sdk/client-kinesis';
import { listShards } from '../base/list-shards.ts';
import { streamOfIterator, streamTarget } from '../base/stream-target.ts';
import type { OpenShard } from '../functions/scale/layout.ts';
import { iteratorAge, shardAges, shardRates } from '../functions/scale/traffic.ts';
import type { ShardRate, StreamView } from './shards-view.ts';

/** Minutes of CloudWatch that rates are averaged over. */
const MINUTES = 5;
const MINUTE = 60_000;
/** The time of a shard's beginning is narrowed down to this part of its age. */
const AGE_PRECISION = 0.1;

export type Measured = Pick<StreamView, 'rates' | 'source' | 'lag' | 'lags'>;

/** @param closed ids of shards that take no records any more, whose readers may not be done with them */
export async function fromCloudWatch(
  cloudWatch: CloudWatchClient,
  stream: string,
  open: readonly OpenShard[],
  closed: readonly string[],
): Promise<Measured> {
  const now = Date.now();
  try {
    const ids = open.map(({ id }) => id);
    const rates = await shardRates(cloudWatch, stream, ids, MINUTES, now);
    const source =
      rates.size > 0
        ? `CloudWatch, the last ${MINUTES} minutes`
        : 'CloudWatch does not measure single shards (enhanced monitoring is off); --sample measures from the stream';
    const lags = await shardAges(cloudWatch, stream, [...ids, ...closed], MINUTES, now);
    return { rates, source, lags, lag: await iteratorAge(cloudWatch, stream, MINUTES, now) };
  } catch (error) {
    const source = `cannot reach CloudWatch (${(error as Error).message}); --sample measures from the stream`;
    return { rates: new Map(), source, lags: new Map(), lag: null };
  }
}

/** Reads what comes in during so many seconds; a read of a shard counts towards its five a second. */
export async function fromStream(
  kinesis: KinesisClient,
  stream: string,
  open: readonly OpenShard[],
  seconds: number,
): Promise<Measured> {
  const iterators = new Map<string, string>();
  for (const { id } of open) {
    const { ShardIterator } = await kinesis.send(
      new GetShardIteratorCommand({ ...streamTarget(stream), ShardId: id, ShardIteratorType: 'LATEST' }),
    );
    iterators.set(id, ShardIterator!);
  }
  const from = Date.now();
  const totals = new Map(open.map(({ id }) => [id, { bytes: 0, records: 0 }]));
  while (Date.now() < from + seconds * 1000) {
    await sleep(1000);
    for (const [shard, ShardIterator] of iterators) {
      const { Records = [], NextShardIterator } = await kinesis.send(
        new GetRecordsCommand({ ShardIterator, ...streamOfIterator(stream) }),
      );
      const total = totals.get(shard)!;
      total.records += Records.length;
      for (const { Data, PartitionKey } of Records) total.bytes += Data!.length + PartitionKey!.length;
      if (NextShardIterator) iterators.set(shard, NextShardIterator);
      else iterators.delete(shard);
    }
  }
  const elapsed = (Date.now() - from) / 1000;
  // What is refused never reaches the stream.
  const rates = new Map<string, ShardRate>(
    [...totals].map(([shard, { bytes, records }]) => [
      shard,
      { bytes: bytes / elapsed, records: records / elapsed, refused: null },
    ]),
  );
  return { rates, source: `the stream itself, ${Math.round(elapsed)} s`, lags: new Map(), lag: null };
}

/**
 * How long each of these shards has been open, milliseconds, to a tenth. The service has no such time; it says which
 * shards were open at one.
 *
 * @param most milliseconds of the stream's retention: of a shard that is older, only that is known
 */
export async function agesOf(
  kinesis: KinesisClient,
  stream: string,
  shards: readonly string[],
  most: number,
  now: number,
): Promise<Map<string, number>> {
  const ages = new Map<string, number>();
  // [those that began between the two ages, the younger, the older]
  const narrow = async (unknown: readonly string[], younger: number, older: number): Promise<void> => {
    if (unknown.length === 0) return;
    if (older - younger <= Math.max(MINUTE, AGE_PRECISION * older)) {
      for (const shard of unknown) ages.set(shard, older);
      return;
    }
    // Most shards are as old as the last changes: the steps are fine where it is young.
    const at = younger < MINUTE ? Math.min(MINUTE, older / 2) : Math.sqrt(younger * older);
    const then = await openAt(kinesis, stream, now - at);
    await narrow(
      unknown.filter((shard) => !then.has(shard)),
      younger,
      at,
    );
    await narrow(
      unknown.filter((shard) => then.has(shard)),
      at,
      older,
    );
  };
  await narrow(shards, 0, most);
  return ages;
}

async function openAt(kinesis: KinesisClient, stream: string, at: number): Promise<Set<string>> {
  const filter = { ShardFilter: { Type: 'AT_TIMESTAMP' as const, Timestamp: new Date(at) } };
  const shards = await listShards(stream, (command) => kinesis.send(command), filter);
  return new Set(shards.map(({ ShardId }) => ShardId!));
}
