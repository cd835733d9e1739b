/** Spilled chunks on their way back: taken apart, packed, put in spite of refusals; damage is counted. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PutRecordsCommand, PutRecordsRequestEntry } from '@aws-sdk/client-kinesis';
import fc from 'fast-check';
import { explicitHashKey } from '../../../chunk/header.ts';
import { readChunks } from '../../../chunk/reader.ts';
import { encodeChunk } from '../../../chunk/writer.ts';
import { objectsOf } from '../../../functions/readmit/events.ts';
import { type Pace, putAll } from '../../../functions/readmit/put.ts';
import { nextRequest, toRecords } from '../../../functions/readmit/records.ts';
import { salvage } from '../../../functions/readmit/salvage.ts';
import { isMarked, marked } from '../../../functions/readmit/tags.ts';
import { generator, noise } from '../../support/random.ts';

const random = generator(1);

function chunk(lane: string, sequence: number, bytes = 100): Buffer {
  const raw = Buffer.from(`${JSON.stringify({ noise: noise(random, bytes).toString('base64') })}\n`);
  return encodeChunk(
    raw,
    {
      lane: lane.repeat(32),
      sequence,
      producer: 'a'.repeat(32),
      epoch: 'e'.repeat(16),
      ordinal: sequence,
      floor: 'e'.repeat(16),
      previous: null,
      end: false,
      tag: 'nginx.access',
      hour: 500_000,
      firstTime: 1_800_000_000_000,
      lastTime: 1_800_000_000_000,
      events: 1,
    },
    { codec: 'gzip', level: 1 },
  );
}

const names = (bytes: Buffer): string[] =>
  salvage(bytes).chunks.map(({ header }) => `${header.lane[0]}${header.sequence}`);

test('a sound object is its chunks', () => {
  const whole = salvage(Buffer.concat([chunk('1', 1), chunk('2', 1), chunk('1', 2)]));
  assert.deepEqual(
    whole.chunks.map(({ header }) => `${header.lane[0]}${header.sequence}`),
    ['11', '21', '12'],
  );
  assert.equal(whole.damagedBytes, 0);
});

test('behind damage the next sound chunk is found; the damage is counted', () => {
  const [first, second, third] = [chunk('1', 1), chunk('1', 2), chunk('1', 3)];
  const object = Buffer.concat([first, second, third]);
  object[first.length + second.length - 20]! ^= 0xff;
  assert.deepEqual(names(object), ['11', '13']);
  assert.equal(salvage(object).damagedBytes, second.length);
  const torn = Buffer.concat([Buffer.from('foreign'), first, second.subarray(0, 50)]);
  assert.deepEqual(names(torn), ['11']);
  assert.equal(salvage(torn).damagedBytes, 7 + 50);
});

test('whatever is done to an object, chunks and damage add up to its bytes', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.integer({ min: 1, max: 9 }).map((n) => chunk('1', n)),
          fc.uint8Array().map(Buffer.from),
        ),
      ),
      fc.nat(),
      (parts, cut) => {
        const object = Buffer.concat(parts);
        if (object.length > 0) object[cut % object.length]! ^= 1;
        const { chunks, damagedBytes } = salvage(object);
        assert.equal(
          chunks.reduce((sum, { bytes }) => sum + bytes.length, damagedBytes),
          object.length,
        );
      },
    ),
  );
});

test('a record holds whole chunks of one lane, on the hash key of that lane', () => {
  const object = Buffer.concat(
    [1, 2, 3, 4, 5, 6].flatMap((n) => [chunk('1', n, 60_000), chunk('f', n, 60_000)]),
  );
  const { chunks } = salvage(object);
  const records = toRecords(chunks);
  assert.ok(records.length > 2 && records.length < 12, `${records.length} records`);
  const seen: string[] = [];
  for (const { Data, ExplicitHashKey, PartitionKey } of records) {
    assert.ok(Data!.length <= 256 * 1024);
    assert.ok(PartitionKey!.length <= 256);
    for (const { header } of readChunks(Buffer.from(Data!))) {
      assert.equal(ExplicitHashKey, explicitHashKey(header.lane));
      seen.push(`${header.lane[0]}${header.sequence}`);
    }
  }
  assert.deepEqual(seen.sort(), names(object).sort());
});

test('a request stays within the limits and is never empty', () => {
  const record = (size: number): PutRecordsRequestEntry => ({ Data: Buffer.alloc(size), PartitionKey: 'k' });
  assert.equal(nextRequest(Array.from({ length: 900 }, () => record(10))).length, 500);
  assert.equal(nextRequest(Array.from({ length: 40 }, () => record(256 * 1024))).length, 15);
  assert.equal(nextRequest([record(9 * 1024 * 1024), record(1)]).length, 1);
});

/** A stream that refuses by `refuses`, and a clock that only sleeping moves. */
function standIn(refuses: (tries: number) => boolean) {
  let now = 0;
  let requests = 0;
  const put: string[] = [];
  const slept: number[] = [];
  const kinesis = {
    send: async ({ input }: PutRecordsCommand) => {
      requests++;
      const Records = input.Records!.map((record) => {
        if (refuses(requests)) return { ErrorCode: 'ProvisionedThroughputExceededException' };
        put.push(record.PartitionKey!);
        return { SequenceNumber: '1', ShardId: 's' };
      });
      return { Records, FailedRecordCount: Records.filter((r) => 'ErrorCode' in r).length };
    },
  };
  const pace: Pace = {
    stream: 's',
    bytesPerSecond: 1000,
    deadline: 60_000,
    now: () => now,
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
    random: () => 1,
  };
  return { kinesis: kinesis as never, pace, put, slept, requests: () => requests };
}

const record = (key: string): PutRecordsRequestEntry => ({
  Data: Buffer.alloc(500 - key.length),
  PartitionKey: key,
});

test('only refused records are resent, with growing waits', async () => {
  let refused = 0;
  const { kinesis, pace, put, slept } = standIn((request) => request < 4 && ++refused % 2 === 1);
  await putAll(kinesis, [record('a'), record('b'), record('c')], pace);
  assert.deepEqual(put.toSorted(), ['a', 'b', 'c']);
  assert.ok(slept.length > 0);
});

test('requests go at the pace that is set', async () => {
  const { kinesis, pace, requests } = standIn(() => false);
  await putAll(
    kinesis,
    Array.from({ length: 1001 }, (_, i) => record(`k${i}`)),
    { ...pace, bytesPerSecond: 50_000 },
  );
  assert.equal(requests(), 3);
  assert.equal(pace.now(), 10_000);
});

test('at the deadline it ends with an error, so that the message is redelivered', async () => {
  const { kinesis, pace, put } = standIn(() => true);
  await assert.rejects(putAll(kinesis, [record('a')], pace), { code: 'READMIT_UNFINISHED', retriable: true });
  assert.deepEqual(put, []);
});

test('an object with tags of others was not put back, and keeps them', () => {
  const others = Array.from({ length: 10 }, (_, i) => ({ Key: `k${i}`, Value: 'v' }));
  for (const tags of [[], others.slice(0, 1), others]) {
    assert.equal(isMarked(tags), false);
    const after = marked(tags, 'readmitted');
    assert.ok(isMarked(after) && after.length <= 10);
    assert.deepEqual(after.slice(0, -1), tags.slice(0, 9));
    assert.deepEqual(marked(after, 'damaged').length, after.length);
  }
});

test('answers that do not belong to the records one by one acknowledge none of them', async () => {
  const records = toRecords(salvage(Buffer.concat(['1', '2', '3'].map((lane) => chunk(lane, 1)))).chunks);
  const sent: number[] = [];
  const kinesis = {
    send: async ({ input }: PutRecordsCommand) => {
      sent.push(input.Records!.length);
      const answers = input.Records!.map(() => ({ SequenceNumber: '1', ShardId: 's' }));
      return { Records: sent.length === 1 ? answers.slice(1) : answers };
    },
  };
  await putAll(kinesis as never, records, {
    ...{ stream: 's', bytesPerSecond: 1e9, deadline: 1, random: () => 0 },
    now: () => 0,
    sleep: async () => {},
  });
  assert.deepEqual(sent, [3, 3]);
});

test('keys in notifications are decoded; S3 tests the queue once; anything else is refused', () => {
  const body = (key: string) =>
    JSON.stringify({ Records: [{ s3: { bucket: { name: 'b' }, object: { key } } }] });
  assert.deepEqual(objectsOf(body('spill/i-1/a+b%2Bc.chunks')), [
    { bucket: 'b', key: 'spill/i-1/a b+c.chunks' },
  ]);
  assert.deepEqual(objectsOf(JSON.stringify({ Service: 'Amazon S3', Event: 's3:TestEvent' })), []);
  assert.throws(() => objectsOf('{}'), { code: 'BAD_NOTIFICATION' });
  assert.throws(() => objectsOf('no'), { code: 'BAD_NOTIFICATION' });
});
