/** A lease table that is lost: the worker reads all that the stream has again, and archives none of it again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeleteItemCommand, GetItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { dynamodbClient } from '../../local/clients.ts';
import { primeLeases } from '../../local/prime.ts';
import { ChunkSource, type MadeChunk } from '../support/chunks.ts';
import { assertArchivedOnce, ConsumerProcess, putChunks } from '../support/consumer-process.ts';
import { startTestStack } from '../support/test-stack.ts';

test('without its leases a worker repeats nothing', async (t) => {
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

  const { Items: leases } = await dynamodb.send(new ScanCommand({ TableName: 'tailrace' }));
  for (const { leaseKey } of leases!) {
    await dynamodb.send(new DeleteItemCommand({ TableName: 'tailrace', Key: { leaseKey: leaseKey! } }));
  }
  // As KCL would by itself, but for its wait of a minute.
  const { streamName } = stack;
  await primeLeases({ kinesis: client, dynamodb, streamName, application: 'tailrace' });
  const second = new ConsumerProcess(options);
  t.after(() => second.kill('SIGKILL'));
  await second.start();
  await load();
  await assertArchivedOnce(stack, made);
  assert.ok((await second.status()).totals.passed_over > 0, 'it read again what it had archived');
  assert.equal(await second.stop(), 0);
});
