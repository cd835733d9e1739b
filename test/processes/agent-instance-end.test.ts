/** An instance that is about to end: the agent flushes by itself and seals and sends at once from then on. */
import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { AgentStatus } from '../../producer/status.ts';
import { startAgent, statusOf, temporaryDirectory } from '../support/agent-process.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';
import { MetadataDouble } from '../support/metadata-double.ts';
import { chance, noise } from '../support/random.ts';

for (const [name, path, value] of [
  ['the end of its life cycle', 'autoscaling/target-lifecycle-state', 'Terminated'],
  [
    'a spot notice',
    'spot/instance-action',
    JSON.stringify({ action: 'terminate', time: new Date(Date.now() + 120_000).toISOString() }),
  ],
] as const) {
  test(`${name}: everything is sent, and what comes later too, without being asked`, async (context) => {
    const directory = temporaryDirectory(context);
    const kinesis = await KinesisDouble.start();
    const metadata = await MetadataDouble.start();
    context.after(() => Promise.all([kinesis.stop(), metadata.stop()]));
    const log = join(directory, 'app.log');
    writeFileSync(log, '');
    const agent = await startAgent(directory, {
      stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
      inputs: [{ type: 'tail', path: log, tag: 'app', format: 'none', add: { instance: `\${instance_id}` } }],
      seal: { interval: '1h', idle_interval: '1h' },
      instance: { endpoint: metadata.endpoint, interval: '50ms' },
    });
    const acknowledged = async (count: number): Promise<AgentStatus> => {
      for (;;) {
        const status = await statusOf(directory);
        if (status.events.acknowledged >= count) return status;
      }
    };
    appendFileSync(log, 'line 1\n');
    let balance: AgentStatus['events'];
    do balance = (await statusOf(directory)).events;
    while (balance.in === 0);
    assert.deepEqual(balance, { in: 1, open: 1, spooled: 0, acknowledged: 0, quarantined: 0 });
    assert.equal(kinesis.chunks.size, 0, 'nothing goes out by itself for an hour');
    metadata.values.set(path, value);
    await acknowledged(1);
    appendFileSync(log, 'line 2\n');
    const status = await acknowledged(2);
    assert.equal(status.instance.id, 'i-0123456789abcdef0');
    assert.deepEqual(
      kinesis.events().map((event) => {
        const { message, instance } = event as { message: string; instance: string };
        return { message, instance };
      }),
      ['line 1', 'line 2'].map((message) => ({ message, instance: 'i-0123456789abcdef0' })),
    );
    assert.match(agent.log(), /this instance is about to terminate/);
    agent.child.kill('SIGTERM');
    assert.equal(await agent.ended, 0);
  });
}

/** Of random hexadecimal digits, which compress to half: more than 30 MB of spool. */
const LINES = 64_000;

test('a spot notice at 30 MB of spool: all of it is acknowledged before the instance is taken', {
  // Half a minute to fill the spool, and the two minutes of the notice.
  timeout: 150_000,
}, async (context) => {
  const random = chance(context);
  const directory = temporaryDirectory(context);
  const kinesis = await KinesisDouble.start();
  const metadata = await MetadataDouble.start();
  context.after(() => Promise.all([kinesis.stop(), metadata.stop()]));
  let open = false;
  kinesis.onRecord = () => (open ? null : { ErrorCode: 'ProvisionedThroughputExceededException' });
  const log = join(directory, 'app.log');
  writeFileSync(log, '');
  const agent = await startAgent(directory, {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
    inputs: [{ type: 'tail', path: log, tag: 'app', format: 'none' }],
    instance: { endpoint: metadata.endpoint, interval: '50ms' },
  });
  for (let n = 0; n < LINES; n += 1000) {
    appendFileSync(
      log,
      Array.from({ length: 1000 }, (_, i) => `line ${n + i} ${noise(random, 500).toString('hex')}\n`).join(
        '',
      ),
    );
  }
  const status = async (): Promise<AgentStatus> => await statusOf(directory);
  while ((await status()).spool.bytes < 30_000_000) await wait(50);
  const end = Date.now() + 120_000;
  metadata.values.set(
    'spot/instance-action',
    JSON.stringify({ action: 'terminate', time: new Date(end).toISOString() }),
  );
  open = true;
  while ((await status()).events.acknowledged < LINES) await wait(50);
  context.diagnostic(`${Math.round((end - Date.now()) / 1000)} s before the end`);
  const numbers = kinesis.events().map((event) => (event as { message: string }).message.split(' ')[1]);
  assert.equal(new Set(numbers).size, LINES);
  assert.equal(numbers.length, LINES);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});
