/** An agent's first start on a machine whose clock is wrong: the service's time is learned from its first answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkStream } from '../../../../producer/sender/stream.ts';
import { KinesisDouble } from '../../../support/kinesis-double.ts';

test('the stream is reached at the first start, an hour before and after its time', async (t) => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' });
  const kinesis = await KinesisDouble.start(1);
  t.after(() => kinesis.stop());
  for (const hours of [-1, 1]) {
    kinesis.clock = () => Date.now() + hours * 3_600_000;
    const { endpoint } = kinesis;
    const options = { name: 'weblogs', region: 'us-east-1', endpoint, credentialsTimeout: 5000 };
    assert.equal(await checkStream(options as Parameters<typeof checkStream>[0]), null);
  }
});
