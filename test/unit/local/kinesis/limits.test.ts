/** The local Kinesis refuses the PutRecords requests that Kinesis refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rejectionOf } from '../../../../local/kinesis/limits.ts';

const MiB = 1024 * 1024;

function request(records: number, bytes: number, key = 'p'): Buffer {
  const Data = Buffer.alloc(bytes).toString('base64');
  return Buffer.from(
    JSON.stringify({ StreamName: 's', Records: Array(records).fill({ Data, PartitionKey: key }) }),
  );
}

test('500 records pass, 501 do not', () => {
  assert.equal(rejectionOf(request(500, 1)), null);
  assert.equal(rejectionOf(request(501, 1))?.__type, 'ValidationException');
});

test('10 MiB with the partition keys pass, a byte more does not', () => {
  assert.equal(rejectionOf(request(10, MiB - 1)), null);
  assert.equal(rejectionOf(request(10, MiB - 1, 'pq'))?.__type, 'InvalidArgumentException');
  assert.equal(rejectionOf(request(10, MiB))?.__type, 'InvalidArgumentException');
});

test('what is not such a request is left to Kinesis', () => {
  for (const body of ['', 'no JSON', '[]', '{}', '{"Records":1}']) {
    assert.equal(rejectionOf(Buffer.from(body)), null, body);
  }
});
