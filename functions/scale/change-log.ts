/** The changes of a stream's shards, kept as a tag of the stream: whoever changes it next knows what is left of the day. */
import {
  AddTagsToStreamCommand,
  type KinesisClient,
  ListTagsForStreamCommand,
} from '@aws-sdk/client-kinesis';
import { streamTarget } from '../../base/stream-target.ts';
import { CHANGES_PER_DAY } from './rules.ts';

const TAG = 'tailrace:shard-changes';
/** A tag's value has at most 256 characters: so many times fit, and one of a split. */
const KEPT = 2 * CHANGES_PER_DAY;

/** Changes made without tailrace are not in it. */
export interface ChangeLog {
  /** Times of the last changes of the count, milliseconds since 1970, oldest first. */
  readonly counts: readonly number[];
  /** When a shard was last split, milliseconds since 1970; 0 when that is not known. */
  readonly lastSplit: number;
}

export async function readChanges(kinesis: KinesisClient, stream: string): Promise<ChangeLog> {
  let after: string | undefined;
  for (;;) {
    const input = {
      ...streamTarget(stream),
      ...(after === undefined ? {} : { ExclusiveStartTagKey: after }),
    };
    const { Tags = [], HasMoreTags } = await kinesis.send(new ListTagsForStreamCommand(input));
    const found = Tags.find(({ Key }) => Key === TAG);
    after = Tags.at(-1)?.Key;
    if (found || !HasMoreTags || after === undefined) return parseChanges(found?.Value ?? '');
  }
}

export async function writeChanges(kinesis: KinesisClient, stream: string, log: ChangeLog): Promise<void> {
  const Tags = { [TAG]: changesText(log) };
  await kinesis.send(new AddTagsToStreamCommand({ ...streamTarget(stream), Tags }));
}

/**
 * Seconds since 1970, separated by spaces, that of a split behind an `s`: letters that a tag takes.
 * Whatever else is there is ignored.
 */
export function parseChanges(text: string): ChangeLog {
  const timesOf = (form: RegExp): number[] =>
    text.split(' ').flatMap((part) => {
      const [, seconds] = form.exec(part) ?? [];
      return seconds === undefined ? [] : [Number(seconds) * 1000];
    });
  return { counts: timesOf(/^(\d{10})$/), lastSplit: Math.max(0, ...timesOf(/^s(\d{10})$/)) };
}

export function changesText({ counts, lastSplit }: ChangeLog): string {
  const seconds = (at: number): string => String(Math.floor(at / 1000));
  const times = counts.slice(-KEPT).map(seconds);
  return [...times, ...(lastSplit === 0 ? [] : [`s${seconds(lastSplit)}`])].join(' ');
}
