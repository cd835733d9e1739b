/** Called every few minutes: keeps the number of shards of a provisioned stream right. */
import { CloudWatchClient, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import {
  DescribeStreamSummaryCommand,
  KinesisClient,
  LimitExceededException,
  ResourceInUseException,
  UpdateShardCountCommand,
} from '@aws-sdk/client-kinesis';
import * as z from 'zod/mini';
import { readEnvironment, wholeNumber } from './runtime/environment.ts';
import { withLogging } from './runtime/handler.ts';
import { log } from './runtime/log.ts';
import { Measures } from './runtime/metrics.ts';
import { planShards } from './scale/plan.ts';

const part = z.coerce.number().check(z.minimum(0.05), z.maximum(1));
const schema = z.object({
  STREAM_NAME: z.string().check(z.minLength(1)),
  MIN_SHARDS: wholeNumber,
  MAX_SHARDS: wholeNumber,
  TARGET_USE: part,
  SHRINK_BELOW: part,
});
/** Minutes of load that count: the peak of the last hour, so that shards don't come and go with each wave. */
const WINDOW_MINUTES = 60;

const kinesis = new KinesisClient();
const cloudWatch = new CloudWatchClient();

export const handler = withLogging().handler(async () => {
  const env = readEnvironment(schema);
  const { StreamDescriptionSummary: stream } = await kinesis.send(
    new DescribeStreamSummaryCommand({ StreamName: env.STREAM_NAME }),
  );
  const open = stream?.OpenShardCount ?? 0;
  const measures = new Measures();
  measures.add('OpenShards', open);
  // A change under way is left to itself; the next run goes on from where it led.
  if (stream?.StreamStatus !== 'ACTIVE' || stream.StreamModeDetails?.StreamMode === 'ON_DEMAND') {
    return { open, target: open };
  }
  const target = planShards(open, await loadOf(env.STREAM_NAME), {
    minimum: env.MIN_SHARDS,
    maximum: env.MAX_SHARDS,
    target: env.TARGET_USE,
    shrinkBelow: env.SHRINK_BELOW,
  });
  if (target === open) return { open, target };
  try {
    await kinesis.send(
      new UpdateShardCountCommand({
        StreamName: env.STREAM_NAME,
        TargetShardCount: target,
        ScalingType: 'UNIFORM_SCALING',
      }),
    );
  } catch (error) {
    // Ten changes a day, one at a time: the next run tries again.
    if (!(error instanceof LimitExceededException || error instanceof ResourceInUseException)) throw error;
    log.warn({ open, target, err: error }, 'the number of shards could not be changed now');
    return { open, target: open };
  }
  measures.add('ShardUpdates');
  measures.write();
  log.info({ open, target }, 'the number of shards is being changed');
  return { open, target };
});

async function loadOf(stream: string) {
  const metric = (Id: string, MetricName: string) => ({
    Id,
    MetricStat: {
      Metric: { Namespace: 'AWS/Kinesis', MetricName, Dimensions: [{ Name: 'StreamName', Value: stream }] },
      Period: 60,
      Stat: 'Sum',
    },
  });
  const now = Date.now();
  const { MetricDataResults } = await cloudWatch.send(
    new GetMetricDataCommand({
      StartTime: new Date(now - WINDOW_MINUTES * 60_000),
      EndTime: new Date(now),
      ScanBy: 'TimestampAscending',
      MetricDataQueries: [
        metric('bytes', 'IncomingBytes'),
        metric('records', 'IncomingRecords'),
        metric('throttled', 'PutRecords.ThrottledRecords'),
      ],
    }),
  );
  const values = (id: string): number[] => MetricDataResults?.find(({ Id }) => Id === id)?.Values ?? [];
  return { bytes: values('bytes'), records: values('records'), throttled: values('throttled') };
}
