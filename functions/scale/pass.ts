/** One pass of the keeper: reads what the plan needs, carries the plan out, and leaves a refused one to the next pass. */
import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import {
  DescribeStreamSummaryCommand,
  type KinesisClient,
  LimitExceededException,
  ResourceInUseException,
} from '@aws-sdk/client-kinesis';
import { listShards } from '../../base/list-shards.ts';
import { streamTarget } from '../../base/stream-target.ts';
import { log } from '../runtime/log.ts';
import type { Measures } from '../runtime/metrics.ts';
import { changeBorders, changeCount } from './change.ts';
import { readChanges } from './change-log.ts';
import type { Grid } from './forecast.ts';
import { type Hottest, type KeeperPolicy, type Plan, planShards, type Traffic } from './keeper.ts';
import { middleOf, type OpenShard, openShards, type Reshard, shareOf } from './layout.ts';
import { CHANGES_PER_DAY, changesOfDay } from './rules.ts';
import { hottestOf, pastOf, recentMinutes, shardRates } from './traffic.ts';

/** Milliseconds for which two weeks of traffic are remembered by a container. */
const PAST_FOR_MS = 3_600_000;
/** Milliseconds for which the busiest shard is, where that keeps shards from being taken away: each shard is asked for. */
const ASK_EVERY_MS = 900_000;

export interface PassTools {
  readonly kinesis: KinesisClient;
  readonly cloudWatch: CloudWatchClient;
  readonly stream: string;
  readonly policy: Omit<KeeperPolicy, 'retentionHours'>;
  readonly measures: Measures;
}

export interface PassResult {
  readonly open: number;
  readonly plan: Plan['kind'];
}

export class Keeper {
  #past: { readonly at: number; readonly grid: Grid } | null = null;
  #hottest: { readonly at: number; readonly hottest: Hottest | undefined } | null = null;

  /** @param now milliseconds since 1970 */
  async pass(tools: PassTools, now: number): Promise<PassResult> {
    const { kinesis, stream, measures } = tools;
    const { StreamDescriptionSummary: summary } = await kinesis.send(
      new DescribeStreamSummaryCommand(streamTarget(stream)),
    );
    const open = summary?.OpenShardCount ?? 0;
    measures.add('OpenShards', open);
    if (summary?.StreamModeDetails?.StreamMode === 'ON_DEMAND') {
      log.info({ open }, 'the stream is on demand: its shards look after themselves');
      return { open, plan: 'hold' };
    }
    if (summary?.StreamStatus === 'CREATING' || summary?.StreamStatus === 'DELETING' || open === 0) {
      log.info({ open, status: summary?.StreamStatus }, 'the stream has no shards to look after now');
      return { open, plan: 'hold' };
    }
    const changes = await readChanges(kinesis, stream);
    const policy = { ...tools.policy, retentionHours: summary?.RetentionPeriodHours ?? 24 };
    const layout = { open, settled: summary?.StreamStatus === 'ACTIVE' };
    const traffic = await this.#trafficOf(tools, now);
    let plan = planShards(traffic, layout, changes, policy, now);
    // Whether a shard is busy is worth asking only where that decides.
    if (isFewer(plan, open) && !traffic.hottest) {
      const hottest = await this.#hottestOf(tools, now, ASK_EVERY_MS);
      plan = planShards({ ...traffic, hottest }, layout, changes, policy, now);
    }
    measures.add('ShardsWanted', plan.wanted);
    measures.add('ShardsAtLimit', plan.limited ? 1 : 0);
    measures.add('ShardChangesLeft', Math.max(0, CHANGES_PER_DAY - changesOfDay(changes.counts, now).length));
    log[plan.limited ? 'warn' : 'info']({ open, ...plan }, plan.reason);
    if (plan.kind === 'hold') return { open, plan: plan.kind };
    const isDone = await this.#carryOut(tools, plan, open, now);
    return { open, plan: isDone ? plan.kind : 'hold' };
  }

  /** @returns false when nothing was changed: the service refuses it now, or the shard is gone */
  async #carryOut(
    { kinesis, stream, measures }: PassTools,
    plan: Exclude<Plan, { kind: 'hold' }>,
    open: number,
    now: number,
  ): Promise<boolean> {
    try {
      if (plan.kind === 'scale') await changeCount(kinesis, stream, plan.shards, now);
      else {
        const step = stepOf(plan, await shardsOf(kinesis, stream));
        if (step === null) return false;
        await changeBorders(kinesis, stream, step, now);
      }
    } catch (error) {
      // Changes that others made are not known here: the service counts them.
      if (!(error instanceof LimitExceededException || error instanceof ResourceInUseException)) throw error;
      if (!plan.limited) measures.add('ShardsAtLimit');
      log.warn({ open, err: error }, 'the service refuses the change now; the next pass retries');
      return false;
    }
    measures.add('ShardUpdates');
    return true;
  }

  async #trafficOf(tools: PassTools, now: number): Promise<Traffic> {
    const { cloudWatch, stream } = tools;
    if (this.#past === null || now - this.#past.at > PAST_FOR_MS) {
      this.#past = { at: now, grid: await pastOf(cloudWatch, stream, now) };
    }
    const past = this.#past.grid;
    const minutes = await recentMinutes(cloudWatch, stream, now);
    // Only refusals make it worth asking which shard is hot; without enhanced monitoring there is no answer.
    if (!minutes.slice(-5).some(({ refused }) => refused > 0)) return { minutes, past };
    return { minutes, past, hottest: await this.#hottestOf(tools, now, 0) };
  }

  /** @param maxAge of an answer that is good enough, ms */
  async #hottestOf(
    { kinesis, cloudWatch, stream }: PassTools,
    now: number,
    maxAge: number,
  ): Promise<Hottest | undefined> {
    const known = this.#hottest;
    if (known !== null && now - known.at < maxAge) return known.hottest;
    const open = await shardsOf(kinesis, stream);
    const ids = open.map(({ id }) => id);
    const busiest = hottestOf(await shardRates(cloudWatch, stream, ids, 5, now));
    const shard = open.find(({ id }) => id === busiest?.shard);
    const hottest = busiest && shard ? { ...busiest, width: shareOf(shard) } : undefined;
    this.#hottest = { at: now, hottest };
    return hottest;
  }
}

function isFewer(plan: Plan, open: number): boolean {
  return plan.kind === 'merge' || (plan.kind === 'scale' && plan.shards < open);
}

async function shardsOf(kinesis: KinesisClient, stream: string): Promise<OpenShard[]> {
  return openShards(await listShards(stream, (command) => kinesis.send(command)));
}

/** The split or merge that a plan asks for, or null when its shard is gone. */
function stepOf(plan: Plan & { kind: 'split' | 'merge' }, open: readonly OpenShard[]): Reshard | null {
  if (plan.kind === 'merge') {
    const pairs = open.slice(1).map((shard, i) => ({
      step: { kind: 'merge', shard: open[i]!.id, with: shard.id } as const,
      share: shareOf(open[i]!) + shareOf(shard),
    }));
    return pairs.reduce((least, pair) => (pair.share < least.share ? pair : least), pairs[0]!)?.step ?? null;
  }
  const largest = open.reduce((most, shard) => (shareOf(shard) > shareOf(most) ? shard : most));
  const shard = plan.shard === null ? largest : open.find(({ id }) => id === plan.shard);
  return shard ? { kind: 'split', shard: shard.id, at: middleOf(shard) } : null;
}
