/** The changes of a stream's shard count, kept as a tag of the stream: whoever changes it next knows what is left of the day. */
import {
  AddTagsToStreamCommand,
  type KinesisClient,
  ListTagsForStreamCommand,
} from '@aws-sdk/client-kinesis';
import { CHANGES_PER_DAY, changesOfDay } from './rules.ts';

const TAG = 'tailrace:shard-changes';

/** Times of the last changes, milliseconds since 1970. Changes made without tailrace are not known. */
export async function readChanges(kinesis: KinesisClient, stream: string): Promise<number[]> {
  const { Tags = [] } = await kinesis.send(new ListTagsForStreamCommand({ StreamName: stream }));
  return parseChanges(Tags.find(({ Key }) => Key === TAG)?.Value ?? '');
}

/** Seconds since 1970, separated by spaces: letters that a tag takes; whatever else is there is ignored. */
export function parseChanges(text: string): number[] {
  return text
    .split(' ')
    .filter((part) => /^\d{10}$/.test(part))
    .map((part) => Number(part) * 1000);
}

/** Written before the change is asked for, so that none is missing when its answer is lost. */
export async function noteChange(
  kinesis: KinesisClient,
  stream: string,
  changes: readonly number[],
  now: number,
): Promise<number[]> {
  const kept = [...changesOfDay(changes, now), now].slice(-2 * CHANGES_PER_DAY);
  const Value = kept.map((at) => String(Math.floor(at / 1000))).join(' ');
  await kinesis.send(new AddTagsToStreamCommand({ StreamName: stream, Tags: { [TAG]: Value } }));
  return kept;
}
