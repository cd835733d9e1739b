/** Changes of shards and their notes: what the service refuses uses up nothing, what may have been done does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KinesisClient, LimitExceededException, ResourceInUseException } from '@aws-sdk/client-kinesis';
import { changeBorders, changeCount } from '../../../../functions/scale/change.ts';
import { parseChanges } from '../../../../functions/scale/change-log.ts';

const NOW = 1_764_000_000_500;
const SECOND = 1_764_000_000_000;

/** A stream with a tag, whose changes end in `failure`. */
class Stream {
  tag = '';
  readonly changes: string[] = [];
  /** What the tag said when the change was asked for. */
  noted = '';
  readonly #failure: Error | null;

  constructor(tag = '', failure: Error | null = null) {
    this.tag = tag;
    this.#failure = failure;
  }

  get client(): KinesisClient {
    const send = async ({
      constructor: { name },
      input,
    }: {
      constructor: { name: string };
      input: object;
    }) => {
      if (name === 'ListTagsForStreamCommand') {
        return { Tags: [{ Key: 'tailrace:shard-changes', Value: this.tag }] };
      }
      if (name === 'AddTagsToStreamCommand') {
        this.tag = Object.values((input as { Tags: Record<string, string> }).Tags)[0]!;
        return {};
      }
      this.changes.push(name);
      this.noted = this.tag;
      if (this.#failure) throw this.#failure;
      return {};
    };
    return { send } as unknown as KinesisClient;
  }
}

const refusal = (attempts: number): Error =>
  new LimitExceededException({ message: 'simulated', $metadata: { attempts } });

test('a change of the count is noted before it is asked for; older than a day is dropped', async () => {
  const stream = new Stream('1763900000 1763990000');
  await changeCount(stream.client, 'weblogs', 8, NOW);
  assert.deepEqual(stream.changes, ['UpdateShardCountCommand']);
  assert.equal(stream.noted, stream.tag);
  assert.deepEqual(parseChanges(stream.tag).counts, [1_763_990_000_000, SECOND]);
});

test('a refused change is taken back, and is still an error', async () => {
  const busy = new ResourceInUseException({ message: 'simulated', $metadata: { attempts: 1 } });
  for (const error of [refusal(1), busy]) {
    const stream = new Stream('1763990000 s1763980000', error);
    await assert.rejects(changeCount(stream.client, 'weblogs', 8, NOW), error);
    assert.equal(stream.tag, '1763990000 s1763980000');
    const split = { kind: 'split', shard: 'a', at: 1n } as const;
    await assert.rejects(changeBorders(stream.client, 'weblogs', split, NOW), error);
    assert.match(stream.noted, /s1764000000$/);
    assert.equal(stream.tag, '1763990000 s1763980000');
  }
});

test('a change that may have been made stays noted: no answer, or a refusal only of the retry', async () => {
  for (const error of [new Error('socket hang up'), refusal(2)]) {
    const stream = new Stream('', error);
    await assert.rejects(changeCount(stream.client, 'weblogs', 8, NOW), error);
    assert.equal(stream.tag, '1764000000');
  }
});

test('a split is noted apart and uses up none of the day; a merge needs no note', async () => {
  const stream = new Stream('1763990000');
  await changeBorders(stream.client, 'weblogs', { kind: 'split', shard: 'a', at: 5n }, NOW);
  await changeBorders(stream.client, 'weblogs', { kind: 'merge', shard: 'a', with: 'b' }, NOW + 60_000);
  assert.deepEqual(stream.changes, ['SplitShardCommand', 'MergeShardsCommand']);
  assert.equal(stream.tag, '1763990000 s1764000000');
});
