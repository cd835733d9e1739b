import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { freeBuffer } from '../../../../base/free-buffer.ts';
import { checkWhole } from '../../../../producer/sender/batch.ts';
import { conditionOf, explain } from '../../../../producer/sender/failures.ts';
import { LaneQueue, RECORD_BACKOFF } from '../../../../producer/sender/lane-queue.ts';
import { Pace } from '../../../../producer/sender/pace.ts';
import { RecentChunks } from '../../../../producer/sender/recent.ts';
import type { EncodedChunk, SpooledChunk } from '../../../../producer/spool/spool.ts';

test('a pace lets through, over any time, no more than its rate, a second of credit and one request of debt', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1000, max: 1_000_000 }),
      fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 200 }),
      (rate, requests) => {
        const pace = new Pace(rate, 0);
        let now = 0;
        let sent = 0;
        for (const bytes of requests) {
          now = Math.max(now, pace.readyAt(now));
          assert.ok(pace.readyAt(now) <= now, 'it is ready when it said so');
          pace.spend(bytes);
          sent += bytes;
          assert.ok(sent <= rate * (1 + now / 1000) + 100_000 + 1);
        }
        assert.ok(now <= (sent / rate) * 1000 + 2 * requests.length, 'and it does not dawdle');
      },
    ),
  );
});

test('without a bound nothing waits', () => {
  const pace = new Pace(Number.POSITIVE_INFINITY, 0);
  for (let i = 0; i < 10; i++) pace.spend(1e9);
  assert.equal(pace.readyAt(5), 5);
});

test('memory of a chunk that is done with is free at once, and nothing of it can be sent any more', () => {
  const recent = new RecentChunks(1_000_000);
  const bytes = Buffer.allocUnsafe(200_000);
  const first = { header: { bytes: bytes.length } } as SpooledChunk;
  const whole = { lane: new LaneQueue('ab', RECORD_BACKOFF), chunks: [first] };
  recent.keep(first, { bytes } as EncodedChunk);
  checkWhole(whole, bytes);
  recent.forget(first);
  assert.equal(bytes.buffer.byteLength, 0);
  assert.throws(() => checkWhole(whole, bytes), /a record of 0 bytes for 200000 bytes of chunks/);
});

test('small buffers share their memory, which stays', () => {
  const [one, other] = [Buffer.from('one'), Buffer.from('other')];
  assert.equal(one.buffer, other.buffer);
  freeBuffer(one);
  assert.deepEqual([one.toString(), other.toString()], ['one', 'other']);
});

test('recent chunks stay within their memory, and leave it when they are done', () => {
  const recent = new RecentChunks(1000);
  const chunks = Array.from({ length: 30 }, () => ({}) as SpooledChunk);
  for (const chunk of chunks) recent.keep(chunk, { bytes: Buffer.alloc(90) } as EncodedChunk);
  assert.equal(recent.bytes, 990);
  assert.equal(chunks.filter((chunk) => recent.get(chunk)).length, 11);
  for (const chunk of chunks) recent.forget(chunk);
  assert.equal(recent.bytes, 0);
  recent.keep(chunks[29]!, { bytes: Buffer.alloc(90) } as EncodedChunk);
  assert.ok(recent.get(chunks[29]!));
});

test('errors of the system, of the SDK and of the service have a condition each', () => {
  const error = (name: string, more: object = {}): Error => Object.assign(new Error('x'), { name, ...more });
  assert.equal(conditionOf(error('Error', { code: 'EAI_AGAIN' })), 'dns');
  assert.equal(
    conditionOf(error('Error', { cause: error('Error', { code: 'ECONNREFUSED' }) })),
    'connection',
  );
  assert.equal(
    conditionOf(error('AggregateError', { errors: [error('Error', { code: 'ENETUNREACH' })] })),
    'connection',
  );
  assert.equal(conditionOf(error('Error', { code: 'CERT_NOT_YET_VALID' })), 'tls');
  assert.equal(conditionOf(error('Error', { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })), 'tls');
  assert.equal(conditionOf(error('TimeoutError', { code: 'ECONNRESET' })), 'connection');
  assert.equal(conditionOf(error('TimeoutError')), 'timeout');
  assert.equal(conditionOf(error('KMSDisabledException')), 'kms');
  assert.equal(
    conditionOf(Object.assign(error('InvalidSignatureException'), { message: 'Signature expired: 2026' })),
    'clock',
  );
  assert.equal(conditionOf(error('Mystery', { $metadata: { httpStatusCode: 403 } })), 'access');
  assert.equal(conditionOf(error('Mystery', { $metadata: { httpStatusCode: 404 } })), 'request');
  assert.equal(conditionOf(error('Mystery', { $metadata: { httpStatusCode: 502 } })), 'service');
  assert.equal(conditionOf(error('Mystery')), 'service');
  const { message } = explain(error('ResourceNotFoundException'), { name: 'weblogs', region: 'eu-west-1' });
  assert.equal(
    message,
    'stream weblogs does not exist at Kinesis in eu-west-1: create it or correct stream.name',
  );
});
