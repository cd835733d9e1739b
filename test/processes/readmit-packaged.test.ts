/** The packaged function that puts spilled chunks back, with the real SDK: once in the archive, whatever happens. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { packageFunctions, TEMPLATE } from '../../functions/package.ts';
import { SimulatedClock } from '../simulation/clock.ts';
import { Iam } from '../simulation/iam.ts';
import { Lambda } from '../simulation/lambda.ts';
import { STACK } from '../simulation/region.ts';
import { pollQueue, SpillBucket, startKinesis } from '../simulation/storage.ts';
import { Template } from '../simulation/template.ts';
import { ChunkSource } from '../support/chunks.ts';
import type { KinesisDouble } from '../support/kinesis-double.ts';

const out = mkdtempSync(join(tmpdir(), 'tailrace-packaged-'));
const template = () =>
  new Template(join(out, 'stack', TEMPLATE), STACK, { ReadmitBytesPerSecond: 100_000_000 });
let used: Iam;

before(async () => {
  await packageFunctions(out, {}, ['stack']);
  used = new Iam(template());
});
after(() => rmSync(out, { recursive: true, force: true }));

let iam: Iam;
let kinesis: KinesisDouble;
let bucket: SpillBucket;
let lambda: Lambda;

beforeEach(async () => {
  iam = new Iam(template());
  kinesis = await startKinesis(iam, template());
  bucket = new SpillBucket(iam, template());
  const env = {
    AWS_ENDPOINT_URL_S3: await bucket.start(),
    AWS_ENDPOINT_URL_KINESIS: kinesis.endpoint,
    S3_PATH_STYLE: 'true',
  };
  lambda = new Lambda(
    template(),
    mkdtempSync(join(out, 'lambda-')),
    join(out, 'stack'),
    new SimulatedClock(),
    iam,
    env,
  );
});
afterEach(async () => {
  await lambda.stop();
  await bucket.stop();
  await kinesis.stop();
  assert.deepEqual(iam.denied, []);
  used.adopt(iam);
});

/** Calls the function as the queue's mapping does; says which messages it gives back. */
async function deliver(...bodies: string[]): Promise<string[]> {
  pollQueue(iam, 'ReadmitRole');
  const Records = bodies.map((body, i) => ({ messageId: `m${i}`, body }));
  const answer = (await lambda.invoke('ReadmitLambdaFunction', { Records })) as {
    batchItemFailures: { itemIdentifier: string }[];
  };
  return answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
}

/** An object as an agent spills it, of two lanes. */
function spilled(count: number): { bytes: Buffer; names: string[] } {
  const lanes = ['a', 'b'].map((name) => new ChunkSource({ name, lane: name.repeat(32) }));
  const chunks = Array.from({ length: count }, (_, i) => lanes[i % 2]!.next('nginx.access', 500_000, 3));
  return {
    bytes: Buffer.concat(chunks.map(({ bytes }) => bytes)),
    names: chunks.map(({ lane, sequence }) => `${lane}/${sequence}`).sort(),
  };
}

const KEY = 'spill/i-0123456789abcdef0/p/000000000001-0123456789abcdef.chunks';

test('all chunks of an object come back, once in the archive though they come twice; the object is marked', async () => {
  const { bytes, names } = spilled(400);
  bucket.put(KEY, bytes);
  // A scanner that tags every object has been there first.
  bucket.objects.get(KEY)!.label = 'scanned';
  assert.deepEqual(await deliver(bucket.notification(KEY)), []);
  assert.deepEqual([...kinesis.chunks.keys()].sort(), names);
  const { tag, label } = bucket.objects.get(KEY)!;
  assert.deepEqual([tag, label], ['readmitted', 'scanned']);
  assert.deepEqual(await deliver(bucket.notification(KEY), bucket.notification(KEY)), []);
  assert.equal(kinesis.repeated, 0);
});

test('refused records are resent, the others are not', async () => {
  const { bytes, names } = spilled(40);
  bucket.put(KEY, bytes);
  let left = 3;
  kinesis.onRecord = () => (left-- > 0 ? { ErrorCode: 'ProvisionedThroughputExceededException' } : null);
  assert.deepEqual(await deliver(bucket.notification(KEY)), []);
  assert.deepEqual([...kinesis.chunks.keys()].sort(), names);
  assert.equal(kinesis.repeated, 0);
});

test('damaged bytes: the sound chunks come back, the object is kept and counted', async () => {
  const { bytes, names } = spilled(6);
  const half = bytes.length / 2;
  bytes.fill(0, half, half + 10);
  bucket.put(KEY, bytes);
  assert.deepEqual(await deliver(bucket.notification(KEY)), []);
  assert.equal(kinesis.chunks.size, names.length - 1);
  assert.equal(bucket.objects.get(KEY)!.tag, 'damaged');
  await lambda.stop();
  assert.ok(lambda.metrics.some(({ name, value }) => name === 'ReadmitDamagedBytes' && value > 0));
});

test('an object that cannot be read gives its message back, and only that one', async () => {
  bucket.put(KEY, spilled(4).bytes);
  const failed = await deliver(bucket.notification(KEY), bucket.notification(`${KEY}x`), '{"odd":1}');
  assert.deepEqual(failed, ['m1', 'm2']);
  assert.equal(bucket.objects.get(KEY)!.tag, 'readmitted');
});

test('a stream that takes nothing until the time is over: the message is redelivered, nothing is marked', async () => {
  bucket.put(KEY, spilled(4).bytes);
  kinesis.onRecord = () => ({ ErrorCode: 'ProvisionedThroughputExceededException' });
  // The function keeps a reserve of fifteen seconds.
  lambda.onInvoke = () => ({ remainingMs: 16_000 });
  assert.deepEqual(await deliver(bucket.notification(KEY)), ['m0']);
  assert.equal(bucket.objects.get(KEY)!.tag, null);
  // To Lambda, a message that is given back is not an error of the function: without a metric nobody would know.
  await lambda.stop();
  const alarm = template().one('ReadmitFailedAlarm');
  assert.ok(lambda.metrics.some(({ name, value }) => name === alarm['MetricName'] && value === 1));
});

test('no grant of the role went unused', () => assert.deepEqual(used.unused(['ReadmitRole']), []));
