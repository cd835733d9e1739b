/** The lock that a dead daemon has left goes away: this worker's at once, another one's when it has been silent for long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateTableCommand, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { pino } from 'pino';
import * as z from 'zod/mini';
import { consumerSchema } from '../../consumer/config.ts';
import { Leadership } from '../../consumer/kcl/leadership.ts';
import { dynamodbClient, LOCAL_ENV } from '../../local/clients.ts';
import { startStack } from '../../local/stack.ts';
import { temporaryDirectory } from '../support/agent-process.ts';

test('a worker gives up its own lock, and that of another worker only when it is silent', async (t) => {
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
  let now = 0;
  const leadership = new Leadership(config, log, () => now);
  t.after(() => leadership.close());
  const TableName = 'tailrace-CoordinatorState';
  const Key = { key: { S: 'Leader' } };
  const holder = async (): Promise<string | undefined> => {
    const { Item } = await dynamodb.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
    return Item?.['ownerName']?.S;
  };

  await leadership.giveUp();
  await leadership.look();
  assert.deepEqual(lines, [], 'without a table there is nothing to say');

  await dynamodb.send(
    new CreateTableCommand({
      TableName,
      KeySchema: [{ AttributeName: 'key', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'key', AttributeType: 'S' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );
  await leadership.giveUp();
  await leadership.look();
  assert.deepEqual(lines, [], 'without a lock there is nothing to say');

  for (const owner of ['worker-2', 'worker-1']) {
    await dynamodb.send(new PutItemCommand({ TableName, Item: { ...Key, ownerName: { S: owner } } }));
    await leadership.giveUp();
    assert.equal(await holder(), owner === 'worker-1' ? undefined : owner);
  }
  assert.match(lines.join(), /gave up the lock/);
  assert.equal(lines.length, 1);

  const sign = async (owner: string, version: string): Promise<void> => {
    const Item = { ...Key, ownerName: { S: owner }, recordVersionNumber: { S: version } };
    await dynamodb.send(new PutItemCommand({ TableName, Item }));
  };
  const lookAfter = async (seconds: number): Promise<string | undefined> => {
    now += seconds * 1000;
    await leadership.look();
    return holder();
  };
  await sign('worker-2', 'a');
  assert.equal(await lookAfter(10), 'worker-2');
  assert.equal(await lookAfter(60), 'worker-2');
  await sign('worker-2', 'b');
  assert.equal(await lookAfter(60), 'worker-2', 'a sign of life, though a late one');
  await sign('worker-3', 'b');
  assert.equal(await lookAfter(60), 'worker-3', 'another leader');
  assert.equal(await lookAfter(60), 'worker-3');
  assert.equal(await lookAfter(10), undefined, 'silent for 70 s');
  assert.match(lines[1]!, /"owner":"worker-3","silent_ms":70000/);
  await sign('worker-1', 'a');
  assert.equal(await lookAfter(10), 'worker-1');
  assert.equal(await lookAfter(1000), 'worker-1', 'its own daemon runs');
  assert.equal(lines.length, 2);

  await stack.stop();
  await leadership.giveUp();
  assert.match(lines[2]!, /may stand/);
  await leadership.look();
  await leadership.look();
  assert.match(lines[3]!, /can not be read/);
  assert.equal(lines.length, 4, 'said once');
});
