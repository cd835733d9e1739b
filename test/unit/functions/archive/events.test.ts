/** What a mapping delivers becomes the records that KCL would have handed over. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { deaggregate } from '../../../../functions/archive/deaggregate.ts';
import { batchEvent, batchOf } from '../../../../functions/archive/events.ts';
import { kplAggregate, kplAggregateOf } from '../../../support/kpl.ts';

const record = (shard: string, sequence: string, data: Buffer) => ({
  eventID: `${shard}:${sequence}`,
  kinesis: {
    sequenceNumber: sequence,
    data: data.toString('base64'),
    approximateArrivalTimestamp: 1795872523.533,
  },
});

test('records keep their order, their arrival to the millisecond, and the sequence number of their aggregate', () => {
  const aggregate = kplAggregate([Buffer.from('b'), Buffer.from('c')], 'key', '1');
  const event = batchEvent.parse({
    Records: [record('shardId-1', '7', Buffer.from('a')), record('shardId-1', '9', aggregate)],
  });
  const { shard, records } = batchOf(event);
  assert.equal(shard, 'shardId-1');
  assert.deepEqual(
    records.map(({ sequence, arrival, data }) => [sequence, arrival, data.toString()]),
    [
      ['7', 1795872523533, 'a'],
      ['9', 1795872523533, 'b'],
      ['9', 1795872523533, 'c'],
    ],
  );
});

test('records of several shards are refused: they have no common order', () => {
  const Records = [record('shardId-1', '7', Buffer.from('a')), record('shardId-2', '8', Buffer.from('b'))];
  assert.throws(() => batchOf(batchEvent.parse({ Records })), { code: 'BAD_EVENT' });
});

test('an aggregate of many keys is taken apart; whatever is not a sound one stays whole', () => {
  const users = ['x', '', 'zz'].map((text, i) => ({
    data: Buffer.from(text),
    partitionKey: `key-${i}`,
    hashKey: String(2n ** 127n + BigInt(i)),
  }));
  const aggregate = kplAggregateOf(users);
  assert.deepEqual(
    deaggregate(aggregate).map((data) => data.toString()),
    ['x', '', 'zz'],
  );
  const damaged = Buffer.from(aggregate);
  damaged[10]! ^= 1;
  // Its digest is right, but its last field ends behind it.
  const cut = sealed(Buffer.of(0x09, 1, 2));
  for (const data of [damaged, cut, aggregate.subarray(0, 12), Buffer.from('{"a":1}'), Buffer.alloc(0)]) {
    assert.deepEqual(deaggregate(data), [data]);
  }
});

/** A message with the magic number and the digest of an aggregate. */
function sealed(message: Buffer): Buffer {
  const digest = createHash('md5').update(message).digest();
  return Buffer.concat([Buffer.from('f3899ac2', 'hex'), message, digest]);
}
