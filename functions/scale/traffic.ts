/** The traffic of a stream as CloudWatch has it: the last minutes, two weeks for the time of day, the busiest shard. */
import {
  type CloudWatchClient,
  GetMetricDataCommand,
  type MetricDataQuery,
  type MetricDataResult,
} from '@aws-sdk/client-cloudwatch';
import { streamName } from '../../base/stream-target.ts';
import type { Grid } from './forecast.ts';
import type { Minute } from './keeper.ts';
import { SHARD_BYTES, SHARD_RECORDS } from './rules.ts';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
/** Minutes that the keeper looks back. */
const RECENT_MS = 60 * MINUTE;
/** CloudWatch keeps minutes for 15 days, and five minutes for 63. */
const PAST_MS = 15 * DAY;
const PAST_PERIOD_MS = 5 * MINUTE;
/** Queries of one call. https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html */
const MOST_QUERIES = 500;

/** @param shard of a stream whose shards are measured, too; the whole stream unless given */
function query(
  Id: string,
  stream: string,
  MetricName: string,
  periodMs: number,
  shard?: string,
): MetricDataQuery {
  const Dimensions = [
    { Name: 'StreamName', Value: streamName(stream) },
    ...(shard === undefined ? [] : [{ Name: 'ShardId', Value: shard }]),
  ];
  const Metric = { Namespace: 'AWS/Kinesis', MetricName, Dimensions };
  const Stat = MetricName.endsWith('IteratorAgeMilliseconds') ? 'Maximum' : 'Sum';
  return { Id, MetricStat: { Metric, Period: periodMs / 1000, Stat } };
}

/** All values of these queries by their ids, page by page. */
async function ask(
  cloudWatch: CloudWatchClient,
  queries: readonly MetricDataQuery[],
  from: number,
  to: number,
): Promise<Map<string, Map<number, number>>> {
  const values = new Map<string, Map<number, number>>();
  let NextToken: string | undefined;
  do {
    const page: { MetricDataResults?: MetricDataResult[] | undefined; NextToken?: string | undefined } =
      await cloudWatch.send(
        new GetMetricDataCommand({
          StartTime: new Date(from),
          EndTime: new Date(to),
          ScanBy: 'TimestampAscending',
          MetricDataQueries: [...queries],
          ...(NextToken === undefined ? {} : { NextToken }),
        }),
      );
    for (const { Id, Timestamps = [], Values = [] } of page.MetricDataResults ?? []) {
      const known = values.get(Id!) ?? new Map<number, number>();
      Timestamps.forEach((time, i) => void known.set(time.getTime(), Values[i]!));
      values.set(Id!, known);
    }
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return values;
}

/** The last hour, whole minutes only. A minute without a count of bytes is a gap, not an idle one. */
export async function recentMinutes(
  cloudWatch: CloudWatchClient,
  stream: string,
  now: number,
): Promise<Minute[]> {
  const end = Math.floor(now / MINUTE) * MINUTE;
  const queries = [
    query('bytes', stream, 'IncomingBytes', MINUTE),
    query('records', stream, 'IncomingRecords', MINUTE),
    query('refused', stream, 'PutRecords.ThrottledRecords', MINUTE),
  ];
  const values = await ask(cloudWatch, queries, end - RECENT_MS, end);
  const of = (id: string) => values.get(id) ?? new Map<number, number>();
  return [...of('bytes')]
    .sort(([a], [b]) => a - b)
    .map(([at, bytes]) => ({
      at,
      bytes,
      records: of('records').get(at) ?? 0,
      refused: of('refused').get(at) ?? 0,
    }));
}

/** Two weeks of shards needed at full use; what CloudWatch lacks is not known. */
export async function pastOf(cloudWatch: CloudWatchClient, stream: string, now: number): Promise<Grid> {
  const start = Math.floor((now - PAST_MS) / PAST_PERIOD_MS) * PAST_PERIOD_MS;
  const queries = [
    query('bytes', stream, 'IncomingBytes', PAST_PERIOD_MS),
    query('records', stream, 'IncomingRecords', PAST_PERIOD_MS),
  ];
  const values = await ask(cloudWatch, queries, start, now);
  const grid = new Float64Array(Math.ceil((now - start) / PAST_PERIOD_MS)).fill(Number.NaN);
  const seconds = PAST_PERIOD_MS / 1000;
  for (const [at, bytes] of values.get('bytes') ?? []) {
    const records = values.get('records')?.get(at) ?? 0;
    const slot = Math.floor((at - start) / PAST_PERIOD_MS);
    grid[slot] = Math.max(bytes / SHARD_BYTES, records / SHARD_RECORDS) / seconds;
  }
  return { start, period: PAST_PERIOD_MS, values: grid };
}

/** What one shard, or the stream, took a second on average. */
export interface Rate {
  readonly bytes: number;
  readonly records: number;
  readonly refused: number;
}

/**
 * Rates of single shards over the last minutes, empty where shards are not measured (enhanced monitoring is off).
 * Shards that CloudWatch knows nothing of are left out.
 */
export async function shardRates(
  cloudWatch: CloudWatchClient,
  stream: string,
  shards: readonly string[],
  minutes: number,
  now: number,
): Promise<Map<string, Rate>> {
  const end = Math.floor(now / MINUTE) * MINUTE;
  const rates = new Map<string, Rate>();
  // Three for each shard.
  const shardsACall = Math.floor(MOST_QUERIES / 3);
  for (let at = 0; at < shards.length; at += shardsACall) {
    const part = shards.slice(at, at + shardsACall);
    const queries = part.flatMap((shard, i) => [
      query(`b${i}`, stream, 'IncomingBytes', MINUTE, shard),
      query(`r${i}`, stream, 'IncomingRecords', MINUTE, shard),
      query(`t${i}`, stream, 'WriteProvisionedThroughputExceeded', MINUTE, shard),
    ]);
    const values = await ask(cloudWatch, queries, end - minutes * MINUTE, end);
    part.forEach((shard, i) => {
      const sum = (id: string): number =>
        [...(values.get(`${id}${i}`)?.values() ?? [])].reduce((a, b) => a + b, 0);
      const measured = values.get(`b${i}`)?.size ?? 0;
      if (measured === 0) return;
      const seconds = measured * 60;
      rates.set(shard, {
        bytes: sum('b') / seconds,
        records: sum('r') / seconds,
        refused: sum('t') / seconds,
      });
    });
  }
  return rates;
}

/** The shard that takes the largest part of the stream's load, and that part. */
export function hottestOf(rates: ReadonlyMap<string, Rate>): { shard: string; share: number } | undefined {
  // What was refused was as large as what was taken.
  const load = ({ bytes, records, refused }: Rate): number => {
    const offered = records > 0 ? (records + refused) / records : 1;
    return Math.max((bytes * offered) / SHARD_BYTES, (records + refused) / SHARD_RECORDS);
  };
  const loads = [...rates].map(([shard, rate]) => ({ shard, load: load(rate) }));
  const total = loads.reduce((sum, one) => sum + one.load, 0);
  if (total === 0) return undefined;
  const hottest = loads.reduce((most, one) => (one.load > most.load ? one : most));
  return { shard: hottest.shard, share: hottest.load / total };
}

/** Milliseconds that the oldest record read was on the stream, at most, over the last minutes; null when nobody reads. */
export async function iteratorAge(
  cloudWatch: CloudWatchClient,
  stream: string,
  minutes: number,
  now: number,
): Promise<number | null> {
  const queries = [query('age', stream, 'GetRecords.IteratorAgeMilliseconds', MINUTE)];
  const values = await ask(cloudWatch, queries, now - minutes * MINUTE, now);
  const ages = [...(values.get('age')?.values() ?? [])];
  return ages.length > 0 ? Math.max(...ages) : null;
}

/** The same of single shards, where they are measured; those that nobody reads are left out. */
export async function shardAges(
  cloudWatch: CloudWatchClient,
  stream: string,
  shards: readonly string[],
  minutes: number,
  now: number,
): Promise<Map<string, number>> {
  const ages = new Map<string, number>();
  for (let at = 0; at < shards.length; at += MOST_QUERIES) {
    const part = shards.slice(at, at + MOST_QUERIES);
    const queries = part.map((shard, i) => query(`a${i}`, stream, 'IteratorAgeMilliseconds', MINUTE, shard));
    const values = await ask(cloudWatch, queries, now - minutes * MINUTE, now);
    part.forEach((shard, i) => {
      const known = [...(values.get(`a${i}`)?.values() ?? [])];
      if (known.length > 0) ages.set(shard, Math.max(...known));
    });
  }
  return ages;
}
