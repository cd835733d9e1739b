/** A split and a merge while chunks come in, repeats across both: archived once, and the logs of the parents are closed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DescribeStreamSummaryCommand,
  ListShardsCommand,
  MergeShardsCommand,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis';
import { ChunkSource, type MadeChunk } from '../support/chunks.ts';
import { assertArchivedOnce, ConsumerProcess, putChunks, until } from '../support/consumer-process.ts';
import { startTestStack } from '../support/test-stack.ts';

test('a split and a merge in the middle lose and repeat nothing', async (t) => {
  const { directory, stack, client } = await startTestStack(t, 2);
  const StreamName = stack.streamName;

  const hour = Math.floor(Date.now() / 3_600_000);
  const sources = Array.from({ length: 12 }, (_, i) => new ChunkSource({ name: `agent-${i}` }));
  const made: MadeChunk[] = [];
  /** Chunks of every agent, and repeats of some that went to other shards before. */
  const load = async (): Promise<void> => {
    for (const source of sources) {
      const again = made.filter((chunk) => chunk.lane === source.lane).slice(-3);
      const fresh = Array.from({ length: 3 }, () => source.next('nginx.access', hour, 5));
      made.push(...fresh);
      await putChunks(client, stack, [...fresh, ...again]);
    }
  };
  const active = (): Promise<void> =>
    until('the stream is active', async () => {
      const answer = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
      return answer.StreamDescriptionSummary!.StreamStatus === 'ACTIVE';
    });

  const consumer = new ConsumerProcess({ stack, directory, workerId: 'worker-1' });
  t.after(() => consumer.kill('SIGKILL'));
  await consumer.start();
  await load();
  await consumer.running(2);

  const middle = (2n ** 126n).toString();
  await client.send(
    new SplitShardCommand({ StreamName, ShardToSplit: 'shardId-000000000000', NewStartingHashKey: middle }),
  );
  await active();
  await load();
  const ended = (shards: string[]): Promise<void> =>
    until(`${shards} have ended`, async () => {
      const status = await consumer.status();
      return shards.every((shard) => status.shards[shard]?.phase === 'ended');
    });
  await ended(['shardId-000000000000']);
  await load();

  const { Shards: shards } = await client.send(new ListShardsCommand({ StreamName }));
  const upper = shards!.find((shard) => shard.HashKeyRange!.StartingHashKey === middle)!.ShardId!;
  await client.send(
    new MergeShardsCommand({ StreamName, ShardToMerge: upper, AdjacentShardToMerge: 'shardId-000000000001' }),
  );
  await active();
  await load();
  await ended([upper, 'shardId-000000000001']);
  await load();

  const report = await assertArchivedOnce(stack, made);
  assert.ok(report.duplicatesSkipped > 0);
  assert.equal(await consumer.stop(), 0);
});
