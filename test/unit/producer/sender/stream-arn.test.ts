/** A stream of another account: every request of the agent names it by its ARN. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkStream, openStream } from '../../../../producer/sender/stream.ts';
import { KinesisDouble } from '../../../support/kinesis-double.ts';

test('records, the list of shards and the first look go to the ARN', async (t) => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' });
  const kinesis = await KinesisDouble.start(2);
  t.after(() => kinesis.stop());
  const arn = 'arn:aws:kinesis:us-east-1:123456789012:stream/weblogs';
  const options = { name: 'weblogs', region: 'us-east-1', arn, endpoint: kinesis.endpoint };
  const stream = openStream(options);
  t.after(() => stream.close());
  assert.equal(await checkStream(options), null);
  assert.equal((await stream.listShards()).length, 2);
  const [record] = await stream.put([{ Data: Buffer.alloc(0), PartitionKey: 'p', ExplicitHashKey: '0' }]);
  assert.ok(record!.SequenceNumber);
  assert.deepEqual([...kinesis.named], [arn]);
});
