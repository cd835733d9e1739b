/** Called every minute: keeps the number of shards of a provisioned stream right. */
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import {
  DescribeStreamSummaryCommand,
  KinesisClient,
  LimitExceededException,
  ResourceInUseException,
  SplitShardCommand,
  UpdateShardCountCommand,
} from '@aws-sdk/client-kinesis';
import * as z from 'zod/mini';
import { listShards } from '../base/list-shards.ts';
import { readEnvironment, wholeNumber } from './runtime/environment.ts';
import { withLogging } from './runtime/handler.ts';
import { log } from './runtime/log.ts';
import { Measures } from './runtime/metrics.ts';
import { noteChange, readChanges } from './scale/change-log.ts';
import type { Grid } from './scale/forecast.ts';
import { type KeeperPolicy, type Plan, planShards, type Traffic } from './scale/keeper.ts';
import { middleOf, openShards } from './scale/layout.ts';
import { CHANGES_PER_DAY, changesOfDay } from './scale/rules.ts';
import { hottestOf, pastOf, recentMinutes, shardRates } from './scale/traffic.ts';

const schema = z.object({
  STREAM_NAME: z.string().check(z.minLength(1)),
  MIN_SHARDS: wholeNumber,
  MAX_SHARDS: wholeNumber,
  /** Dollars a month; 0 for no limit. */
  COST_CEILING: z.coerce.number().check(z.minimum(0)),
  /** The part of the shards' capacity that is to be used. */
  TARGET_USE: z.coerce.number().check(z.minimum(0.1), z.maximum(1)),
});
/** Milliseconds for which two weeks of traffic are remembered by a container. */
const PAST_FOR_MS = 3_600_000;

const kinesis = new KinesisClient();
const cloudWatch = new CloudWatchClient();
let past: { readonly at: number; readonly grid: Grid } | null = null;

export const handler = withLogging().handler(async () => {
  const measures = new Measures();
  try {
    return await pass(measures);
  } finally {
    measures.write();
  }
});

async function pass(measures: Measures): Promise<{ open: number; plan: Plan['kind'] }> {
  const env = readEnvironment(schema);
  const stream = env.STREAM_NAME;
  const now = Date.now();
  const { StreamDescriptionSummary: summary } = await kinesis.send(
    new DescribeStreamSummaryCommand({ StreamName: stream }),
  );
  const open = summary?.OpenShardCount ?? 0;
  measures.add('OpenShards', open);
  if (summary?.StreamModeDetails?.StreamMode === 'ON_DEMAND') {
    log.info({ open }, 'the stream is on demand: its shards look after themselves');
    return { open, plan: 'hold' };
  }
  const changes = await readChanges(kinesis, stream);
  const policy: KeeperPolicy = {
    minimum: env.MIN_SHARDS,
    maximum: env.MAX_SHARDS,
    ceiling: env.COST_CEILING === 0 ? null : env.COST_CEILING,
    retentionHours: summary?.RetentionPeriodHours ?? 24,
    target: env.TARGET_USE,
  };
  const settled = summary?.StreamStatus === 'ACTIVE';
  const plan = planShards(await trafficOf(stream, now), { open, settled }, changes, policy, now);
  measures.add('ShardsWanted', plan.wanted);
  measures.add('ShardsAtLimit', plan.limited ? 1 : 0);
  measures.add('ShardChangesLeft', CHANGES_PER_DAY - changesOfDay(changes, now).length);
  log[plan.limited ? 'warn' : 'info']({ open, ...plan }, plan.reason);
  if (plan.kind === 'hold') return { open, plan: plan.kind };
  try {
    await carryOut(stream, plan, changes, now);
    measures.add('ShardUpdates');
  } catch (error) {
    // Changes that others made are not known here: the service counts them.
    if (!(error instanceof LimitExceededException || error instanceof ResourceInUseException)) throw error;
    measures.add('ShardsAtLimit');
    log.warn({ open, err: error }, 'the service refuses the change now; the next pass retries');
    return { open, plan: 'hold' };
  }
  return { open, plan: plan.kind };
}

async function carryOut(
  stream: string,
  plan: Exclude<Plan, { kind: 'hold' }>,
  changes: readonly number[],
  now: number,
): Promise<void> {
  if (plan.kind === 'scale') {
    await noteChange(kinesis, stream, changes, now);
    await kinesis.send(
      new UpdateShardCountCommand({
        StreamName: stream,
        TargetShardCount: plan.shards,
        ScalingType: 'UNIFORM_SCALING',
      }),
    );
    return;
  }
  const shard = (await shardsOf(stream)).find(({ id }) => id === plan.shard);
  if (!shard) return;
  await kinesis.send(
    new SplitShardCommand({
      StreamName: stream,
      ShardToSplit: shard.id,
      NewStartingHashKey: middleOf(shard).toString(),
    }),
  );
}

async function shardsOf(stream: string) {
  return openShards(await listShards(stream, (command) => kinesis.send(command)));
}

async function trafficOf(stream: string, now: number): Promise<Traffic> {
  if (past === null || now - past.at > PAST_FOR_MS) {
    past = { at: now, grid: await pastOf(cloudWatch, stream, now) };
  }
  const minutes = await recentMinutes(cloudWatch, stream, now);
  // Only refusals make it worth asking which shard is hot; without enhanced monitoring there is no answer.
  if (!minutes.slice(-5).some(({ refused }) => refused > 0)) return { minutes, past: past.grid };
  const ids = (await shardsOf(stream)).map(({ id }) => id);
  const hottest = hottestOf(await shardRates(cloudWatch, stream, ids, 5, now));
  return { minutes, past: past.grid, hottest };
}
