/** The archiver as a function, killed and frozen at any moment, across reshards, and changing over to a worker. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DescribeStreamSummaryCommand, PutRecordsCommand, SplitShardCommand } from '@aws-sdk/client-kinesis';
import { EventSourceMapping } from '../simulation/event-source-mapping.ts';
import { ChunkSource, type MadeChunk } from '../support/chunks.ts';
import {
  archivedIds,
  assertArchivedOnce,
  ConsumerProcess,
  putChunks,
  until,
} from '../support/consumer-process.ts';
import { FunctionPool } from '../support/function-pool.ts';
import { kplAggregateOf } from '../support/kpl.ts';
import { generator } from '../support/random.ts';
import { startTestStack, type TestStack } from '../support/test-stack.ts';

const HANDLER = join(import.meta.dirname, '..', '..', 'functions', 'archive.ts');
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);

function startFunction(t: TestContext, { stack, client }: TestStack, random: () => number) {
  const pool = new FunctionPool(
    HANDLER,
    {
      ...stack.env,
      AWS_REGION: stack.region,
      AWS_ENDPOINT_URL_KINESIS: stack.kinesisEndpoint,
      AWS_ENDPOINT_URL_S3: stack.s3Endpoint,
      STREAM_NAME: stack.streamName,
      ARCHIVE_BUCKET: stack.bucket,
    },
    4000,
  );
  t.after(async () => {
    await pool.stop();
    const errors = pool.log.split('\n').filter((line) => line.includes('"level":50'));
    if (errors.length > 0) t.diagnostic(`the last errors of the function: ${errors.slice(-3).join('\n')}`);
  });
  const mapping = new EventSourceMapping({
    stream: stack.streamName,
    kinesis: client,
    invoke: (event) => pool.invoke(event),
    window: 500,
    batchSize: 40,
    random,
  });
  t.after(() => mapping.stop().catch(() => {}));
  mapping.start();
  return { pool, mapping };
}

test(`archived once by a function, by a worker and by both, whatever is killed, seed ${SEED}`, async (t) => {
  const test = await startTestStack(t, 2);
  const { directory, stack, client } = test;
  const random = generator(SEED);
  const hour = Math.floor(Date.now() / 3_600_000);
  const sources = Array.from({ length: 12 }, (_, i) => new ChunkSource({ name: `agent-${i}` }));
  const made: MadeChunk[] = [];
  const load = async (): Promise<void> => {
    for (const source of sources) {
      const fresh = Array.from({ length: 3 }, () => source.next('nginx.access', hour, 5));
      const repeated = made.filter(({ lane }) => lane === source.lane).slice(-2);
      made.push(...fresh);
      await putChunks(client, stack, [...fresh, ...repeated]);
    }
  };

  await load();
  const { pool, mapping } = startFunction(t, test, random);
  let calls = 0;
  pool.onInvoke = (environment) => {
    calls += 1;
    // Some calls are killed, some are frozen and thawed when another environment has long had the same batch.
    if (calls % 2 === 1 || calls > 16) return;
    const frozen = calls % 4 === 0;
    setTimeout(() => environment.kill(frozen ? 'SIGSTOP' : 'SIGKILL'), random() * 250).unref();
    if (frozen) setTimeout(() => environment.kill('SIGCONT'), 5000).unref();
  };
  for (let round = 0; round < 6; round++) {
    await load();
    await sleep(500);
  }
  const middle = (2n ** 126n).toString();
  await client.send(
    new SplitShardCommand({
      StreamName: stack.streamName,
      ShardToSplit: 'shardId-000000000000',
      NewStartingHashKey: middle,
    }),
  );
  await until('the stream is active', async () => {
    const { StreamDescriptionSummary: stream } = await client.send(
      new DescribeStreamSummaryCommand({ StreamName: stack.streamName }),
    );
    return stream!.StreamStatus === 'ACTIVE';
  });
  await load();
  const alone = await assertArchivedOnce(stack, made);
  assert.ok(mapping.failures > 0, 'calls failed');
  assert.ok(alone.duplicatesSkipped > 0);

  // A worker comes and reads the stream from its beginning, while the function goes on; then the function goes.
  const consumer = new ConsumerProcess({ stack, directory, workerId: 'worker-1' });
  t.after(() => consumer.kill('SIGKILL'));
  await consumer.start();
  await load();
  await consumer.running(3);
  await load();
  await mapping.stop();
  await load();
  await assertArchivedOnce(stack, made);
  assert.equal(await consumer.stop(), 0);

  // And back: a new mapping begins at the stream's beginning.
  const back = startFunction(t, test, random);
  await load();
  await assertArchivedOnce(stack, made);
  await back.mapping.stop();
});

test('an aggregate of the KPL is the same user records to the function as to the worker', async (t) => {
  const test = await startTestStack(t, 1);
  const { stack, client } = test;
  const records = ['a', 'b', 'c'].map((id, i) => ({
    data: Buffer.from(JSON.stringify({ id })),
    partitionKey: `key-${i}`,
    hashKey: String(i),
  }));
  await client.send(
    new PutRecordsCommand({
      StreamName: stack.streamName,
      Records: [
        { Data: kplAggregateOf(records), PartitionKey: 'a' },
        { Data: Buffer.from('{"id":"d"}'), PartitionKey: 'd' },
      ],
    }),
  );
  const { mapping } = startFunction(t, test, generator(1));
  await until('all four are archived', async () => (await archivedIds(stack)).length >= 4);
  assert.deepEqual((await archivedIds(stack)).sort(), ['a', 'b', 'c', 'd']);
  await mapping.stop();
});
