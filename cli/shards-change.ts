/** Changes of a stream's shards, step by step in the rules of the service; each is found from what is there. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeLimitsCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  MergeShardsCommand,
  SplitShardCommand,
  type StreamDescriptionSummary,
  UpdateShardCountCommand,
} from '@aws-sdk/client-kinesis';
import { TailraceError } from '../base/errors.ts';
import { listShards } from '../base/list-shards.ts';
import { noteChange, readChanges } from '../functions/scale/change-log.ts';
import { type OpenShard, openShards, type Reshard } from '../functions/scale/layout.ts';
import {
  CHANGES_PER_DAY,
  changesOfDay,
  MOST_SHARDS,
  RESERVED_CHANGES,
  stepsTo,
} from '../functions/scale/rules.ts';

const POLL_MS = 1000;

export async function summaryOf(kinesis: KinesisClient, stream: string): Promise<StreamDescriptionSummary> {
  const command = new DescribeStreamSummaryCommand({ StreamName: stream });
  return (await kinesis.send(command)).StreamDescriptionSummary!;
}

export async function openShardsOf(kinesis: KinesisClient, stream: string): Promise<OpenShard[]> {
  return openShards(await listShards(stream, (command) => kinesis.send(command)));
}

export interface ScalePlan {
  readonly open: number;
  readonly target: number;
  /** The counts that lead there, one change each. */
  readonly steps: readonly number[];
  readonly changesLeft: number;
}

/**
 * @param emergency whether the changes that are kept for growth may be used
 * @throws TailraceError CONFIG that names the limit which the change would breach
 */
export async function planScale(
  kinesis: KinesisClient,
  stream: string,
  target: number,
  emergency: boolean,
): Promise<ScalePlan> {
  const { OpenShardCount: open = 0 } = await summaryOf(kinesis, stream);
  const steps = stepsTo(open, target);
  const changesLeft = CHANGES_PER_DAY - changesOfDay(await readChanges(kinesis, stream), Date.now()).length;
  const most = Math.max(target, open);
  if (target > MOST_SHARDS) {
    throw new TailraceError('CONFIG', `${target} shards: a stream has at most ${MOST_SHARDS}`);
  }
  const { ShardLimit, OpenShardCount = 0 } = await kinesis.send(new DescribeLimitsCommand({}));
  if (ShardLimit !== undefined && target > open && OpenShardCount - open + most > ShardLimit) {
    throw new TailraceError(
      'CONFIG',
      `${target} shards: the account may have ${ShardLimit} open shards in this region (ShardLimit) and has ${OpenShardCount}; ask for a higher quota`,
    );
  }
  const kept = emergency ? 0 : RESERVED_CHANGES;
  if (steps.length > changesLeft - kept) {
    throw new TailraceError(
      'CONFIG',
      `${steps.length} changes are needed (${[open, ...steps].join(' → ')}), and ${changesLeft} of ${CHANGES_PER_DAY} in 24 hours are left${emergency ? '' : `, ${RESERVED_CHANGES} of them for an emergency; --emergency uses those, too`}`,
    );
  }
  return { open, target, steps, changesLeft };
}

/** Asks for each step and waits until it is done. Stops before the next one when `stopped` says so. */
export async function scale(
  kinesis: KinesisClient,
  stream: string,
  { steps }: ScalePlan,
  report: (line: string) => void,
  stopped: () => boolean,
): Promise<boolean> {
  await settle(kinesis, stream);
  for (const [i, step] of steps.entries()) {
    if (stopped()) return false;
    await noteChange(kinesis, stream, await readChanges(kinesis, stream), Date.now());
    report(`change ${i + 1} of ${steps.length}: to ${step} shards …`);
    await kinesis.send(
      new UpdateShardCountCommand({
        StreamName: stream,
        TargetShardCount: step,
        ScalingType: 'UNIFORM_SCALING',
      }),
    );
    await settle(kinesis, stream);
  }
  return true;
}

/** Splits and merges one after the other, each found from the layout that the one before it left. */
export async function reshard(
  kinesis: KinesisClient,
  stream: string,
  next: (shards: readonly OpenShard[], done: number) => Reshard | null,
  report: (line: string) => void,
  stopped: () => boolean,
): Promise<boolean> {
  for (let done = 0; ; done++) {
    await settle(kinesis, stream);
    const step = next(await openShardsOf(kinesis, stream), done);
    if (step === null) return true;
    if (stopped()) return false;
    report(stepText(step));
    if (step.kind === 'split') {
      const NewStartingHashKey = step.at.toString();
      await kinesis.send(
        new SplitShardCommand({ StreamName: stream, ShardToSplit: step.shard, NewStartingHashKey }),
      );
    } else {
      await kinesis.send(
        new MergeShardsCommand({
          StreamName: stream,
          ShardToMerge: step.shard,
          AdjacentShardToMerge: step.with,
        }),
      );
    }
  }
}

export function stepText(step: Reshard): string {
  return step.kind === 'split'
    ? `split ${step.shard} at ${step.at}`
    : `merge ${step.shard} with ${step.with}`;
}

/** Waits until no change is under way. */
async function settle(kinesis: KinesisClient, stream: string): Promise<void> {
  while ((await summaryOf(kinesis, stream)).StreamStatus !== 'ACTIVE') await sleep(POLL_MS);
}
