/** A worker that is stopped, loses its leases and goes on, and one whose leases are taken by hand: archived once. */
import { test } from 'node:test';
import { DeleteItemCommand, DynamoDBClient, ScanCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { ChunkSource, type MadeChunk } from '../support/chunks.ts';
import {
  archived,
  assertArchivedOnce,
  ConsumerProcess,
  putChunks,
  until,
} from '../support/consumer-process.ts';
import { startTestStack } from '../support/test-stack.ts';

test('zombies lose and repeat nothing', async (t) => {
  const { directory, stack, client } = await startTestStack(t, 2);
  const dynamodb = new DynamoDBClient({ endpoint: stack.dynamodbEndpoint, region: stack.region });
  t.after(() => dynamodb.destroy());

  const hour = Math.floor(Date.now() / 3_600_000);
  const sources = Array.from({ length: 10 }, (_, i) => new ChunkSource({ name: `agent-${i}` }));
  const made: MadeChunk[] = [];
  const load = async (): Promise<void> => {
    for (const source of sources) {
      const fresh = Array.from({ length: 4 }, () => source.next('nginx.access', hour, 5));
      made.push(...fresh);
      await putChunks(client, stack, [...fresh, fresh[0]!]);
    }
  };
  const owners = async (): Promise<Map<string, string>> => {
    const { Items: items } = await dynamodb.send(new ScanCommand({ TableName: 'tailrace' }));
    // The leader lock and the workers' metrics are in the same table.
    const leases = items!.filter(({ entityType }) => entityType === undefined);
    return new Map(leases.map((item) => [item.leaseKey!.S!, item.leaseOwner?.S ?? '']));
  };

  const first = new ConsumerProcess({ stack, directory, workerId: 'worker-1' });
  t.after(() => first.kill('SIGKILL'));
  await first.start();
  await load();
  const { daemon_pid: daemon } = await first.running(2);
  // Records are on their way when it is stopped.
  await load();
  process.kill(-daemon!, 'SIGSTOP');
  await load();

  const second = new ConsumerProcess({ stack, directory, workerId: 'worker-2' });
  t.after(() => second.kill('SIGKILL'));
  await second.start();
  // KCL's leader assigns the leases, and its lock lives for two minutes after its last heartbeat.
  await dynamodb.send(new DeleteItemCommand({ TableName: 'tailrace', Key: { leaseKey: { S: 'Leader' } } }));
  await archived(stack, made.length);
  process.kill(-daemon!, 'SIGCONT');
  await load();
  await assertArchivedOnce(stack, made);

  // Whoever has the leases now finds them gone in the middle of its work.
  const before = await owners();
  await load();
  for (const shard of before.keys()) {
    await dynamodb.send(
      new UpdateItemCommand({
        TableName: 'tailrace',
        Key: { leaseKey: { S: shard } },
        UpdateExpression: 'SET leaseOwner = :nobody ADD leaseCounter :much',
        ExpressionAttributeValues: { ':nobody': { S: 'nobody' }, ':much': { N: '1000' } },
      }),
    );
  }
  await load();
  await until('all leases have owners', async () =>
    [...(await owners()).values()].every((owner) => owner.startsWith('worker-')),
  );
  await load();
  await assertArchivedOnce(stack, made);
  await Promise.all([first.stop(), second.stop()]);
});
