/** `tailrace shards show`: how the shards of a stream are used. */
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { AccessDeniedException, type KinesisClient } from '@aws-sdk/client-kinesis';
import { TailraceError } from '../base/errors.ts';
import { plainLines } from '../base/human.ts';
import { listShards } from '../base/list-shards.ts';
import { LeaseTable } from '../consumer/kcl/lease-table.ts';
import { readChanges } from '../functions/scale/change-log.ts';
import { type OpenShard, openShards } from '../functions/scale/layout.ts';
import { changesOfDay } from '../functions/scale/rules.ts';
import { summaryOf } from './shards-change.ts';
import { placeOf, type StreamOptions, withClient } from './shards-client.ts';
import { lagsOf } from './shards-lag.ts';
import { agesOf, fromCloudWatch, fromStream } from './shards-measure.ts';
import { type StreamView, viewText } from './shards-view.ts';

export interface ShowOptions extends StreamOptions {
  /** The KCL application of the consumer whose checkpoints are read. */
  readonly application?: string;
}

/** @param seconds to measure the stream itself for; null to ask CloudWatch */
export async function showStream(options: ShowOptions, seconds: number | null): Promise<void> {
  await withClient(options, async (kinesis) => {
    const { stream } = options;
    const summary = await summaryOf(kinesis, stream);
    const all = await listShards(stream, (request) => kinesis.send(request));
    const open = openShards(all);
    const ids = open.map(({ id }) => id);
    const closed = all.map(({ ShardId }) => ShardId!).filter((id) => !ids.includes(id));
    const now = Date.now();
    const exists = now - (summary.StreamCreationTimestamp?.getTime() ?? 0);
    const most = Math.min(summary.RetentionPeriodHours! * 3_600_000, exists);
    // A service that is compatible with Kinesis need not know which shards were open at a time.
    const ages = await agesOf(kinesis, stream, ids, most, now).catch(() => new Map<string, number>());
    const changesUsed = await changesUsedOf(kinesis, stream, now);
    const measured =
      seconds === null
        ? await measuredByCloudWatch(options, open, closed)
        : await fromStream(kinesis, stream, open, seconds);
    const lagging = await lagOfConsumer(kinesis, options, [...ids, ...closed], now);
    process.stdout.write(
      plainLines(
        viewText({
          stream,
          mode: summary.StreamModeDetails?.StreamMode ?? 'PROVISIONED',
          status: summary.StreamStatus!,
          retentionHours: summary.RetentionPeriodHours!,
          open,
          closed,
          ages,
          changesUsed,
          ...measured,
          ...lagging,
        }),
      ),
    );
  });
}

/** Null where the tags may not be read, as those of a stream of another account. */
async function changesUsedOf(kinesis: KinesisClient, stream: string, now: number): Promise<number | null> {
  try {
    return changesOfDay((await readChanges(kinesis, stream)).counts, now).length;
  } catch (error) {
    if (error instanceof AccessDeniedException) return null;
    throw error;
  }
}

async function measuredByCloudWatch(
  options: StreamOptions,
  open: readonly OpenShard[],
  closed: readonly string[],
): ReturnType<typeof fromCloudWatch> {
  const { endpoint: _, ...place } = placeOf(options);
  const cloudWatch = new CloudWatchClient({ ...place, maxAttempts: 2 });
  try {
    return await fromCloudWatch(cloudWatch, options.stream, open, closed);
  } finally {
    cloudWatch.destroy();
  }
}

/** The lag of a consumer by its checkpoints, where its application is named. */
async function lagOfConsumer(
  kinesis: KinesisClient,
  options: ShowOptions,
  shards: readonly string[],
  now: number,
): Promise<Pick<StreamView, 'lag' | 'lags'> | null> {
  const { stream, application } = options;
  if (application === undefined) return null;
  const { region = 'us-east-1' } = placeOf(options);
  const table = new LeaseTable({ application, stream: { region }, dynamodb: {} });
  try {
    const leases = await table.leases();
    if (leases.length === 0) {
      throw new TailraceError('CONFIG', `--application ${application}: there is no lease table of that name`);
    }
    const checkpoints = new Map(leases.map(({ shard, checkpoint }) => [shard, checkpoint]));
    const lags = await lagsOf(kinesis, stream, shards, checkpoints, now);
    return { lags, lag: Math.max(0, ...lags.values()) };
  } finally {
    table.close();
  }
}
