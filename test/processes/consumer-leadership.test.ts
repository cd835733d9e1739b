/** The leader lock of a dead daemon goes away: this worker's at once, another one's after two missed heartbeats. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  CreateTableCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { pino } from 'pino';
import * as z from 'zod/mini';
import { consumerSchema } from '../../consumer/config.ts';
import { Leadership } from '../../consumer/kcl/leadership.ts';
import { dynamodbClient, LOCAL_ENV } from '../../local/clients.ts';
import { type Stack, startStack } from '../../local/stack.ts';
import { temporaryDirectory } from '../support/agent-process.ts';

/** Where KCL keeps the lock: since 3.5 in the lease table, before in a table of its own. */
const LAYOUTS = [
  { application: 'one-table', table: 'one-table', hashKey: 'leaseKey' },
  { application: 'three-tables', table: 'three-tables-CoordinatorState', hashKey: 'key' },
] as const;

test('a worker deletes its own lock, and that of another worker only after missed heartbeats', async (t) => {
  Object.assign(process.env, LOCAL_ENV);
  const stack = await startStack({ dataDir: temporaryDirectory(t), shards: 1, application: null });
  t.after(() => stack.stop());
  const dynamodb = dynamodbClient(stack.dynamodbEndpoint);
  t.after(() => dynamodb.destroy());
  for (const layout of LAYOUTS) await tryLayout(t, stack, dynamodb, layout);
  await stack.stop();
  const lines: string[] = [];
  const leadership = leadershipOf(t, stack, LAYOUTS[0].application, lines, () => 0);
  await leadership.giveUp();
  assert.match(lines[0]!, /may take two minutes/);
  await leadership.look();
  await leadership.look();
  assert.match(lines[1]!, /cannot read the leader lock/);
  assert.equal(lines.length, 2, 'said once');
});

function leadershipOf(
  t: TestContext,
  stack: Stack,
  application: string,
  lines: string[],
  now: () => number,
): Leadership {
  const config = z.parse(consumerSchema, {
    stream: { name: stack.streamName, region: stack.region },
    archive: { bucket: stack.bucket },
    dynamodb: { endpoint: stack.dynamodbEndpoint },
    application,
    worker_id: 'worker-1',
  });
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const leadership = new Leadership(config, log, now);
  t.after(() => leadership.close());
  return leadership;
}

async function tryLayout(
  t: TestContext,
  stack: Stack,
  dynamodb: DynamoDBClient,
  { application, table, hashKey }: (typeof LAYOUTS)[number],
): Promise<void> {
  const lines: string[] = [];
  let now = 0;
  const leadership = leadershipOf(t, stack, application, lines, () => now);
  const TableName = table;
  const Key = { [hashKey]: { S: 'Leader' } };
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
      KeySchema: [{ AttributeName: hashKey, KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: hashKey, AttributeType: 'S' }],
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
  assert.match(lines.join(), /deleted the leader lock of a daemon that has ended/);
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
}
