/** An agent that is killed the moment it runs for the first time: what is written from then on is in a followed file. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { startAgent, tailrace, temporaryDirectory } from '../support/agent-process.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';
import { NumberedLog } from '../support/numbered-log.ts';

test('kill -9 right after the first start, then lines and rotations: each line once', async (context) => {
  const directory = temporaryDirectory(context);
  const kinesis = await KinesisDouble.start();
  context.after(() => kinesis.stop());
  const logs = ['renamed', 'truncated'].map((name) => new NumberedLog(join(directory, `${name}.log`)));
  const [renamed, truncated] = logs as [NumberedLog, NumberedLog];
  for (const log of logs) log.write(0);
  const config = {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
    inputs: logs.map(({ file }) => ({ type: 'tail', path: file, tag: 'app', format: 'none' })),
  };
  const first = await startAgent(directory, config);
  first.child.kill('SIGKILL');
  assert.equal(await first.ended, 'SIGKILL');

  for (const log of logs) log.write(100);
  renamed.rename();
  truncated.copyTruncate();
  for (const log of logs) log.write(100);

  const second = await startAgent(directory, config);
  const flushed = await tailrace(['flush', '--state', join(directory, 'state'), '--timeout', '30s']);
  assert.equal(flushed.code, 0, flushed.stderr);
  second.child.kill('SIGTERM');
  assert.equal(await second.ended, 0, second.log());
  const messages = kinesis.events().map((event) => (event as { message: string }).message);
  for (const log of logs) log.assertOnce(messages);
});
