/** Asks the service for a change of a stream's shards, and notes it: the one way in which the keeper and `tailrace shards` do. */
import {
  type KinesisClient,
  KinesisServiceException,
  MergeShardsCommand,
  SplitShardCommand,
  UpdateShardCountCommand,
} from '@aws-sdk/client-kinesis';
import { streamTarget } from '../../base/stream-target.ts';
import { type ChangeLog, readChanges, writeChanges } from './change-log.ts';
import type { Reshard } from './layout.ts';
import { changesOfDay } from './rules.ts';

/** Uses up one of the day's changes, unless the service refuses it. */
export async function changeCount(
  kinesis: KinesisClient,
  stream: string,
  shards: number,
  now: number,
): Promise<void> {
  const command = new UpdateShardCountCommand({
    ...streamTarget(stream),
    TargetShardCount: shards,
    ScalingType: 'UNIFORM_SCALING',
  });
  await noted(
    kinesis,
    stream,
    (log) => ({ ...log, counts: [...changesOfDay(log.counts, now), now] }),
    (log) => ({ ...log, counts: without(log.counts, now) }),
    (failed) => kinesis.send(telling(command, failed)),
  );
}

/** A split or merge, of which a day may have any number; a split is noted, because it answers refusals as a change does. */
export async function changeBorders(
  kinesis: KinesisClient,
  stream: string,
  step: Reshard,
  now: number,
): Promise<void> {
  if (step.kind === 'merge') {
    const { shard: ShardToMerge, with: AdjacentShardToMerge } = step;
    await kinesis.send(
      new MergeShardsCommand({ ...streamTarget(stream), ShardToMerge, AdjacentShardToMerge }),
    );
    return;
  }
  const command = new SplitShardCommand({
    ...streamTarget(stream),
    ShardToSplit: step.shard,
    NewStartingHashKey: step.at.toString(),
  });
  let before = 0;
  await noted(
    kinesis,
    stream,
    (log) => {
      before = log.lastSplit;
      return { ...log, lastSplit: now };
    },
    (log) => ({ ...log, lastSplit: before }),
    (failed) => kinesis.send(telling(command, failed)),
  );
}

/** Notes a change before it is asked for, so that none is missing when the answer is lost, and takes a refused one back. */
async function noted(
  kinesis: KinesisClient,
  stream: string,
  note: (log: ChangeLog) => ChangeLog,
  takeBack: (log: ChangeLog) => ChangeLog,
  change: (failed: (error: unknown) => void) => Promise<unknown>,
): Promise<void> {
  const failures: unknown[] = [];
  await writeChanges(kinesis, stream, note(await readChanges(kinesis, stream)));
  try {
    await change((failure) => failures.push(failure));
  } catch (error) {
    if ([...failures, error].every(isRefusal)) {
      // Read once more: whoever made the change under way may have noted it meanwhile. A note that cannot be taken
      // back counts one change too many, never one too few.
      const log = await readChanges(kinesis, stream).catch(() => null);
      if (log !== null) await writeChanges(kinesis, stream, takeBack(log)).catch(() => {});
    }
    throw error;
  }
}

/** The command, which says how each of its tries failed: the SDK repeats it even when the service refuses it, for a limit. */
function telling<C extends UpdateShardCountCommand | SplitShardCommand>(
  command: C,
  failed: (error: unknown) => void,
): C {
  (command as UpdateShardCountCommand).middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        failed(error);
        throw error;
      }
    },
    // Within the SDK's retries.
    { step: 'finalizeRequest', priority: 'low' },
  );
  return command;
}

/** Whether the service has certainly not begun the change: not when an answer was lost, whatever a retry says. */
function isRefusal(error: unknown): boolean {
  return error instanceof KinesisServiceException && error.$fault === 'client';
}

/** Without one of this second: a tag has whole seconds. */
function without(counts: readonly number[], at: number): number[] {
  const index = counts.findLastIndex((each) => Math.floor(each / 1000) === Math.floor(at / 1000));
  return index === -1 ? [...counts] : counts.toSpliced(index, 1);
}
