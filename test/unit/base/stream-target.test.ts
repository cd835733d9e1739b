/** A stream by name or by ARN: what a request says of it, and which ARNs there are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listShards } from '../../../base/list-shards.ts';
import {
  isSameStream,
  STREAM_ARN,
  streamName,
  streamOfIterator,
  streamRegion,
  streamTarget,
} from '../../../base/stream-target.ts';

const ARN = 'arn:aws-cn:kinesis:cn-north-1:123456789012:stream/web.logs';

test('a request names a stream by its name, and by its ARN where it has one, to the iterator as well', () => {
  assert.deepEqual(streamTarget('weblogs'), { StreamName: 'weblogs' });
  assert.deepEqual(streamTarget(ARN), { StreamARN: ARN });
  assert.deepEqual(streamOfIterator('weblogs'), {});
  assert.deepEqual(streamOfIterator(ARN), { StreamARN: ARN });
});

test('name and region of an ARN; a name has no region', () => {
  assert.deepEqual([streamName(ARN), streamRegion(ARN)], ['web.logs', 'cn-north-1']);
  assert.deepEqual([streamName('weblogs'), streamRegion('weblogs')], ['weblogs', undefined]);
  for (const other of [`${ARN}/consumer/a:1`, ARN.replace('kinesis', 'firehose'), ARN.replace('1234', 'x')]) {
    assert.doesNotMatch(other, STREAM_ARN);
  }
});

test('an ARN must be of the stream that name and region say', () => {
  const stream = { name: 'web.logs', region: 'cn-north-1' };
  assert.ok(isSameStream(stream));
  assert.ok(isSameStream({ ...stream, arn: ARN }));
  assert.ok(!isSameStream({ ...stream, name: 'logs', arn: ARN }));
  assert.ok(!isSameStream({ ...stream, region: 'us-east-1', arn: ARN }));
});

test('the second page of shards names the stream of another account, and no other', async () => {
  for (const stream of ['weblogs', ARN]) {
    const inputs: object[] = [];
    await listShards(stream, async ({ input }) => {
      inputs.push(input);
      return { Shards: [], NextToken: inputs.length === 1 ? 't' : undefined, $metadata: {} };
    });
    assert.deepEqual(inputs, [streamTarget(stream), { NextToken: 't', ...streamOfIterator(stream) }]);
  }
});
