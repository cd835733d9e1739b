/** An S3 on a bad day, under the real KCL, with all kinds of records: waited for and reported, archived once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { ChunkSource, type MadeChunk } from '../support/chunks.ts';
import { archived, archiveOf, ConsumerProcess, putChunks, until } from '../support/consumer-process.ts';
import { kplAggregate, kplAggregateOf } from '../support/kpl.ts';
import { S3FaultProxy } from '../support/s3-fault-proxy.ts';
import { startTestStack } from '../support/test-stack.ts';

const LOWER = '1';
const UPPER = (2n ** 127n + 1n).toString();
/** What S3 does at some time during the test. */
const FAULTS = [
  'InternalError',
  'SlowDown',
  'ConditionalRequestConflict',
  'reset',
  'lost PUT',
  'access_denied',
  'no_such_bucket',
];

test('errors, resets, lost answers and refusals of S3 lose and repeat nothing', async (t) => {
  const { directory, stack, client } = await startTestStack(t, 2);
  const proxy = await S3FaultProxy.start(stack.s3Endpoint);
  t.after(() => proxy.stop());

  const hour = Math.floor(Date.now() / 3_600_000);
  const sources = Array.from({ length: 8 }, (_, i) => new ChunkSource({ name: `agent-${i}` }));
  const made: MadeChunk[] = [];
  const load = async (): Promise<void> => {
    for (const source of sources) await putChunks(client, stack, nextChunks(source, hour, made));
  };
  const put: Put = async (hashKey, ...data) => {
    const Records = data.map((Data) => ({ Data, PartitionKey: 'other', ExplicitHashKey: hashKey }));
    const answer = await client.send(new PutRecordsCommand({ StreamName: stack.streamName, Records }));
    assert.equal(answer.FailedRecordCount ?? 0, 0);
  };

  const behind = { ...stack, s3Endpoint: proxy.endpoint };
  const consumer = new ConsumerProcess({ stack: behind, directory, workerId: 'worker-1' });
  t.after(() => consumer.kill('SIGKILL'));
  await consumer.start();
  await load();
  await consumer.running(2);
  const sound = made[0]!;
  const lines = await putForeign(put, sound);

  for (const refusal of ['access_denied', 'no_such_bucket'] as const) {
    await load();
    proxy.refusal = refusal;
    await load();
    await until('the refusal shows', async () => {
      const { faults } = await consumer.status();
      return (
        faults.length > 0 &&
        faults.every((fault) => fault.includes(`cannot write: S3`) && fault.includes(refusal))
      );
    });
    proxy.refusal = null;
    await until('it is over', async () => (await consumer.status()).faults.length === 0);
  }
  await load();
  const report = await archived(stack, made.length);
  assert.deepEqual([report.problems, report.repeats, report.missing], [[], [], 0]);
  assert.deepEqual([report.chunks, report.foreign, report.damaged], [made.length, lines.length - 1, 2]);
  const found = await linesByTag(stack);
  const ids = ['nginx.access', 'app'].flatMap((tag) =>
    found.get(tag)!.map((line) => (JSON.parse(line) as { id: string }).id),
  );
  assert.deepEqual(ids.sort(), made.flatMap((chunk) => chunk.ids).sort());
  assert.deepEqual(found.get('foreign.weblogs')!.sort(), lines.sort());

  for (const what of FAULTS) assert.ok(proxy.done.has(what), `the proxy has done ${what}`);
  const { s3_errors: errors } = (await consumer.status()).totals;
  assert.ok(errors > 0);

  // A chunk of a format that is not known stops its shard, says so, and leaves the other one alone.
  const later = Buffer.from(sound.bytes);
  later[16] = 9;
  await put(LOWER, later);
  await until('the shard is stopped', async () =>
    (await consumer.status()).faults.some((fault) =>
      /^shardId-000000000000 is stopped: .*version 9/.test(fault),
    ),
  );
  const upper = sources.find(({ lane }) => lane >= '8')!;
  const more = Array.from({ length: 3 }, () => upper.next('app', hour, 5));
  await putChunks(client, stack, more);
  await archived(stack, made.length + more.length);
  consumer.kill('SIGKILL');
  await consumer.ended();
});

/** Three new chunks of a source, added to `made`, and its last two once more. */
function nextChunks(source: ChunkSource, hour: number, made: MadeChunk[]): MadeChunk[] {
  const repeated = made.filter((chunk) => chunk.lane === source.lane).slice(-2);
  const fresh = Array.from({ length: 3 }, (_, i) => source.next(i === 2 ? 'app' : 'nginx.access', hour, 5));
  made.push(...fresh);
  return [...fresh, ...repeated];
}

type Put = (hashKey: string, ...data: Buffer[]) => Promise<void>;

/** Puts records of every foreign kind; returns the lines that the archive must have of them. */
async function putForeign(put: Put, sound: MadeChunk): Promise<string[]> {
  const torn = Buffer.from(sound.bytes);
  torn[torn.length - 9]! ^= 1;
  const binary = Buffer.from([0, 0xff, 0x1f, 0x8b, 10]);
  const users = Array.from({ length: 20 }, (_, i) => Buffer.from(`{"kpl":${i}}`));
  const foreign = [
    Buffer.from('{"a":\n 1.10}'),
    Buffer.from('plain text\n'),
    gzipSync('{"two":1}\nlines\n'),
    binary,
    torn,
    sound.bytes.subarray(0, 60),
  ];
  await put(LOWER, ...foreign, kplAggregate(users, 'other', LOWER));
  await put(UPPER, kplAggregate(users, 'other', UPPER), kplAggregate([sound.bytes], 'other', UPPER));
  // Keys of both shards, and of none that its own shard has: KCL's shard sync would drop these aggregates whole.
  const mixed = Array.from({ length: 20 }, (_, i) => ({
    data: Buffer.from(`{"mixed":${i}}`),
    partitionKey: `key-${i}`,
    hashKey: i % 2 === 0 ? LOWER : UPPER,
  }));
  await put(LOWER, kplAggregateOf(mixed));
  await put(UPPER, kplAggregateOf(mixed.filter(({ hashKey }) => hashKey === LOWER)));
  return [
    '{"a":  1.10}',
    '{"message":"plain text\\n"}',
    '{"two":1}',
    '{"message":"lines"}',
    ...foreign.slice(3).map((bytes) => JSON.stringify({ base64: bytes.toString('base64') })),
    ...[...users, ...users].map(String),
    ...mixed.map(({ data }) => String(data)),
    ...mixed.filter(({ hashKey }) => hashKey === LOWER).map(({ data }) => String(data)),
  ];
}

async function linesByTag(stack: Parameters<typeof archiveOf>[0]): Promise<Map<string, string[]>> {
  const store = archiveOf(stack);
  const lines = new Map<string, string[]>();
  for await (const { key } of store.list('logs/')) {
    const tag = /tag=([^/]+)/.exec(key)![1]!;
    const text = gunzipSync((await store.get(key))!).toString();
    lines.set(tag, [...(lines.get(tag) ?? []), ...text.split('\n').slice(0, -1)]);
  }
  store.close();
  return lines;
}
