/** Changes of a stream's shards, step by step in the rules of the service; each is found from what is there. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeLimitsCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  type StreamDescriptionSummary,
} from '@aws-sdk/client-kinesis';
import { TailraceError } from '../base/errors.ts';
import { listShards } from '../base/list-shards.ts';
import { streamTarget } from '../base/stream-target.ts';
import { changeBorders, changeCount } from '../functions/scale/change.ts';
import { readChanges } from '../functions/scale/change-log.ts';
import { type OpenShard, openShards, type Reshard } from '../functions/scale/layout.ts';
import {
  CHANGES_PER_DAY,
  changesOfDay,
  MOST_SHARDS,
  RESERVED_CHANGES,
  stepsTo,
} from '../functions/scale/rules.ts';

/** The service allows 20 such calls a second. */
const POLL_MS = 500;

/** How a change is carried out. */
export interface Conduct {
  /** A line of progress. */
  readonly report: (line: string) => void;
  /** Whether the command was asked to stop: it does before the next change. */
  readonly stopped: () => boolean;
}

export async function summaryOf(kinesis: KinesisClient, stream: string): Promise<StreamDescriptionSummary> {
  const command = new DescribeStreamSummaryCommand(streamTarget(stream));
  return (await kinesis.send(command)).StreamDescriptionSummary!;
}

export async function openShardsOf(kinesis: KinesisClient, stream: string): Promise<OpenShard[]> {
  return openShards(await listShards(stream, (command) => kinesis.send(command)));
}

/**
 * Waits until no change is under way: before that, nothing says how many shards there will be.
 *
 * @returns null when the command was stopped meanwhile
 * @throws TailraceError STREAM when the stream is being deleted
 */
export async function settled(
  kinesis: KinesisClient,
  stream: string,
  { report, stopped }: Conduct,
): Promise<StreamDescriptionSummary | null> {
  for (let polls = 0; ; polls++) {
    const summary = await summaryOf(kinesis, stream);
    if (summary.StreamStatus === 'ACTIVE') return summary;
    if (summary.StreamStatus === 'DELETING') {
      throw new TailraceError('STREAM', `stream ${stream} is being deleted: its shards cannot be changed`);
    }
    if (stopped()) return null;
    if (polls === 0) report('waiting for the change that is under way …');
    await sleep(POLL_MS);
  }
}

export interface ScalePlan {
  readonly open: number;
  /** The counts that lead to the target, one change each. */
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
  open: number,
  target: number,
  emergency: boolean,
): Promise<ScalePlan> {
  await assertRoom(kinesis, open, target, `${target} shards`);
  const steps = stepsTo(open, target);
  const { counts } = await readChanges(kinesis, stream);
  const changesLeft = Math.max(0, CHANGES_PER_DAY - changesOfDay(counts, Date.now()).length);
  const kept = emergency ? 0 : RESERVED_CHANGES;
  if (steps.length > changesLeft - kept) {
    throw new TailraceError(
      'CONFIG',
      `${steps.length} changes are needed (${[open, ...steps].join(' → ')}), and ${changesLeft} of ${CHANGES_PER_DAY} in 24 hours are left${emergency ? '' : `, ${RESERVED_CHANGES} of them for an emergency; --emergency uses those, too`}`,
    );
  }
  return { open, steps, changesLeft };
}

/**
 * @param open shards that the stream has
 * @param most shards that it is to have, or will have on the way
 * @throws TailraceError CONFIG when a stream, or the account, may not have so many
 */
export async function assertRoom(
  kinesis: KinesisClient,
  open: number,
  most: number,
  what: string,
): Promise<void> {
  if (most > MOST_SHARDS) {
    throw new TailraceError('CONFIG', `${what}: a stream has at most ${MOST_SHARDS} shards`);
  }
  if (most <= open) return;
  const { ShardLimit, OpenShardCount = 0 } = await kinesis.send(new DescribeLimitsCommand({}));
  if (ShardLimit !== undefined && OpenShardCount - open + most > ShardLimit) {
    throw new TailraceError(
      'CONFIG',
      `${what}: the account may have ${ShardLimit} open shards in this region (ShardLimit) and has ${OpenShardCount}; ask for a higher quota`,
    );
  }
}

/** Asks for each count and waits until it is there. @returns false when it was stopped before the last */
export async function scale(
  kinesis: KinesisClient,
  stream: string,
  steps: readonly number[],
  conduct: Conduct,
): Promise<boolean> {
  for (const [i, step] of steps.entries()) {
    if (conduct.stopped()) return false;
    conduct.report(`change ${i + 1} of ${steps.length}: to ${step} shards …`);
    await changeCount(kinesis, stream, step, Date.now());
    await ended(kinesis, stream);
  }
  return true;
}

/** Splits and merges one after the other, each found from the layout that the one before it left. */
export async function reshard(
  kinesis: KinesisClient,
  stream: string,
  next: (shards: readonly OpenShard[], done: number) => Reshard | null,
  { report, stopped }: Conduct,
): Promise<boolean> {
  for (let done = 0; ; done++) {
    const step = next(await openShardsOf(kinesis, stream), done);
    if (step === null) return true;
    if (stopped()) return false;
    report(`${stepText(step)} …`);
    await changeBorders(kinesis, stream, step, Date.now());
    await ended(kinesis, stream);
  }
}

/** Waits for the change that was just asked for: whoever stops the command then waits for its end. */
async function ended(kinesis: KinesisClient, stream: string): Promise<void> {
  await settled(kinesis, stream, { report: () => {}, stopped: () => false });
}

export function stepText(step: Reshard): string {
  return step.kind === 'split'
    ? `split ${step.shard} at ${step.at}`
    : `merge ${step.shard} with ${step.with}`;
}
