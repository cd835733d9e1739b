/** Leases that are lost or not of this stream: all that the stream has is read, and what is archived is archived once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  type KinesisClient,
  waitUntilStreamExists,
  waitUntilStreamNotExists,
} from '@aws-sdk/client-kinesis';
import { dynamodbClient } from '../../local/clients.ts';
import { ChunkSource, type MadeChunk } from '../support/chunks.ts';
import { assertArchivedOnce, ConsumerProcess, putChunks, until } from '../support/consumer-process.ts';
import { startTestStack } from '../support/test-stack.ts';

const TableName = 'tailrace';

function lease(shard: string): { leaseKey: { S: string } } {
  return { leaseKey: { S: shard } };
}

test('lost, ended and stale leases stop no shard and repeat nothing, and a stream that is recreated is read', async (t) => {
  const { directory, stack, client } = await startTestStack(t, 2);
  const dynamodb = dynamodbClient(stack.dynamodbEndpoint);
  t.after(() => dynamodb.destroy());

  const hour = Math.floor(Date.now() / 3_600_000);
  const sources = Array.from({ length: 6 }, (_, i) => new ChunkSource({ name: `agent-${i}` }));
  const made: MadeChunk[] = [];
  const load = async (): Promise<void> => {
    for (const source of sources) {
      const fresh = Array.from({ length: 3 }, () => source.next('nginx.access', hour, 5));
      made.push(...fresh);
      await putChunks(client, stack, [...fresh, fresh[0]!]);
    }
  };

  const options = { stack, directory, workerId: 'worker-1' };
  const first = new ConsumerProcess(options);
  t.after(() => first.kill('SIGKILL'));
  await first.start();
  await load();
  await assertArchivedOnce(stack, made);
  // What deleting a dead leader's lock relies on, as KCL itself wrote it.
  const leader = { leaseKey: { S: 'Leader' } };
  const { Item: lock } = await dynamodb.send(new GetItemCommand({ TableName: 'tailrace', Key: leader }));
  assert.deepEqual(
    [lock?.['ownerName']?.S, typeof lock?.['recordVersionNumber']?.S, lock?.['leaseDuration']?.S],
    ['worker-1', 'string', '120000'],
  );
  assert.equal(await first.stop(), 0);

  await damageLeases(dynamodb);
  const second = new ConsumerProcess(options);
  t.after(() => second.kill('SIGKILL'));
  await second.start();
  await load();
  await assertArchivedOnce(stack, made);
  assert.ok((await second.status()).totals.passed_over > 0, 'it reread what it had archived');
  await until('the lease of the dead worker has ended', async () => {
    const { Item } = await dynamodb.send(
      new GetItemCommand({ TableName, Key: lease('shardId-000000000008'), ConsistentRead: true }),
    );
    return Item === undefined || Item['checkpoint']?.S === 'SHARD_END';
  });
  assert.equal((await second.status()).daemon_restarts, 0);

  await recreateStream(client, stack.streamName);
  await load();
  const report = await assertArchivedOnce(stack, made);
  assert.ok(report.duplicatesSkipped > 0, 'what the earlier stream had archived is known');
  assert.deepEqual((await second.status()).faults, []);
  assert.equal(await second.stop(), 0);
});

/** One lease is lost, one ended in an open shard, and two are of shards that are gone: this worker's, and a dead one's. */
async function damageLeases(dynamodb: DynamoDBClient): Promise<void> {
  await dynamodb.send(new DeleteItemCommand({ TableName, Key: lease('shardId-000000000000') }));
  await dynamodb.send(
    new UpdateItemCommand({
      TableName,
      Key: lease('shardId-000000000001'),
      UpdateExpression: 'SET checkpoint = :end',
      ExpressionAttributeValues: { ':end': { S: 'SHARD_END' } },
    }),
  );
  for (const [shard, owner] of [
    ['shardId-000000000007', 'worker-1'],
    ['shardId-000000000008', 'worker-dead'],
  ] as const) {
    const Item = {
      ...lease(shard),
      leaseOwner: { S: owner },
      checkpoint: { S: 'TRIM_HORIZON' },
      checkpointSubSequenceNumber: { N: '0' },
      leaseCounter: { N: '5' },
      ownerSwitchesSinceCheckpoint: { N: '0' },
    };
    await dynamodb.send(new PutItemCommand({ TableName, Item }));
  }
}

/** Deletes the stream and creates it with fewer shards; the lease table stays. */
async function recreateStream(client: KinesisClient, StreamName: string): Promise<void> {
  await client.send(new DeleteStreamCommand({ StreamName }));
  await waitUntilStreamNotExists({ client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { StreamName });
  await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
  await waitUntilStreamExists({ client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { StreamName });
}
