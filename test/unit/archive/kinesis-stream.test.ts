/** The look at a shard before a range is given up: only the tip and the shard's end say that there is nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ExpiredIteratorException,
  GetShardIteratorCommand,
  type KinesisClient,
  ProvisionedThroughputExceededException,
  ResourceNotFoundException,
} from '@aws-sdk/client-kinesis';
import { holdsRecord } from '../../../archive/kinesis-stream.ts';

interface Page {
  readonly Records: readonly { readonly SequenceNumber: string }[];
  readonly MillisBehindLatest: number;
  readonly NextShardIterator?: string;
}

const METADATA = { message: '', $metadata: {} };
const behind = (next: string): Page => ({ Records: [], MillisBehindLatest: 1000, NextShardIterator: next });
const tip: Page = { Records: [], MillisBehindLatest: 0, NextShardIterator: 'next' };
const ended: Page = { Records: [], MillisBehindLatest: 1000 };
const record = (SequenceNumber: string): Page => ({ Records: [{ SequenceNumber }], MillisBehindLatest: 9 });

/** A shard that gives these answers to GetRecords; returns what is held, and the iterators that were asked for. */
async function look(answers: readonly (Page | Error)[]): Promise<{ held: boolean; asked: string[] }> {
  const left = [...answers];
  const asked: string[] = [];
  const client = {
    send: async (command: { input: { ShardIterator?: string } }) => {
      if (command instanceof GetShardIteratorCommand) return { ShardIterator: 'first' };
      asked.push(command.input.ShardIterator!);
      const answer = left.shift()!;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  const held = await holdsRecord(client as unknown as KinesisClient, {
    stream: { name: 'weblogs', region: 'eu-west-1' },
    shard: 'shardId-000000000000',
    from: { at: '5' },
    to: '7',
    onTrouble: () => {},
  });
  assert.deepEqual(left, []);
  return { held, asked };
}

test('a record up to the last one is held, a later one is not', async () => {
  assert.equal((await look([record('7')])).held, true);
  assert.equal((await look([record('8')])).held, false);
});

test('pages without records are passed over, from where they end, throttled or not', async () => {
  const throttled = new ProvisionedThroughputExceededException(METADATA);
  assert.deepEqual(await look([behind('second'), throttled, behind('third'), record('6')]), {
    held: true,
    asked: ['first', 'second', 'second', 'third'],
  });
});

test('an iterator that has expired is opened afresh', async () => {
  const { held, asked } = await look([behind('second'), new ExpiredIteratorException(METADATA), record('6')]);
  assert.equal(held, true);
  assert.deepEqual(asked, ['first', 'second', 'first']);
});

test('nothing is held at the tip, at the end of a shard, or by a shard that is gone', async () => {
  for (const answer of [tip, ended, new ResourceNotFoundException(METADATA)])
    assert.equal((await look([answer])).held, false);
});
