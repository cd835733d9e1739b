/** The lock that a dead daemon of this worker has left goes away; one of another worker stays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateTableCommand, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { pino } from 'pino';
import * as z from 'zod/mini';
import { consumerSchema } from '../../consumer/config.ts';
import { giveUpLeadership } from '../../consumer/leadership.ts';
import { dynamodbClient, LOCAL_ENV } from '../../local/clients.ts';
import { startStack } from '../../local/stack.ts';
import { temporaryDirectory } from '../support/agent-process.ts';

test('a worker gives up its own lock and no other', async (t) => {
  Object.assign(process.env, LOCAL_ENV);
  const stack = await startStack({ dataDir: temporaryDirectory(t), shards: 1, application: null });
  t.after(() => stack.stop());
  const dynamodb = dynamodbClient(stack.dynamodbEndpoint);
  t.after(() => dynamodb.destroy());
  const config = z.parse(consumerSchema, {
    stream: { name: stack.streamName, region: stack.region },
    archive: { bucket: stack.bucket },
    dynamodb: { endpoint: stack.dynamodbEndpoint },
    worker_id: 'worker-1',
  });
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const TableName = 'tailrace-CoordinatorState';
  const Key = { key: { S: 'Leader' } };
  const holder = async (): Promise<string | undefined> => {
    const { Item } = await dynamodb.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
    return Item?.['ownerName']?.S;
  };

  await giveUpLeadership(config, log);
  assert.deepEqual(lines, [], 'without a table there is nothing to say');

  await dynamodb.send(
    new CreateTableCommand({
      TableName,
      KeySchema: [{ AttributeName: 'key', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'key', AttributeType: 'S' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );
  await giveUpLeadership(config, log);
  assert.deepEqual(lines, [], 'without a lock there is nothing to say');

  for (const owner of ['worker-2', 'worker-1']) {
    await dynamodb.send(new PutItemCommand({ TableName, Item: { ...Key, ownerName: { S: owner } } }));
    await giveUpLeadership(config, log);
    assert.equal(await holder(), owner === 'worker-1' ? undefined : owner);
  }
  assert.match(lines.join(), /gave up the lock/);
  assert.equal(lines.length, 1);

  await stack.stop();
  await giveUpLeadership(config, log);
  assert.match(lines[1]!, /may stand/);
});
