/** An instance that is about to end: the agent flushes by itself and seals and sends at once from then on. */
import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AgentStatus } from '../../producer/status.ts';
import { startAgent, statusOf, temporaryDirectory } from '../support/agent-process.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';
import { MetadataDouble } from '../support/metadata-double.ts';

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
      inputs: [{ type: 'tail', path: log, tag: 'app', format: 'none' }],
      seal: { interval: '1h', idle_interval: '1h' },
      instance: { endpoint: metadata.endpoint, interval: '50ms' },
    });
    const acknowledged = async (count: number): Promise<AgentStatus> => {
      for (;;) {
        const status = (await statusOf(directory)) as unknown as AgentStatus;
        if (status.events.acknowledged >= count) return status;
      }
    };
    appendFileSync(log, 'line 1\n');
    let balance: AgentStatus['events'];
    do balance = ((await statusOf(directory)) as unknown as AgentStatus).events;
    while (balance.in === 0);
    assert.deepEqual(balance, { in: 1, open: 1, spooled: 0, acknowledged: 0, quarantined: 0 });
    assert.equal(kinesis.chunks.size, 0, 'nothing goes out by itself for an hour');
    metadata.values.set(path, value);
    await acknowledged(1);
    appendFileSync(log, 'line 2\n');
    const status = await acknowledged(2);
    assert.equal(status.instance.id, 'i-0123456789abcdef0');
    assert.deepEqual(
      kinesis.events().map((event) => (event as { message: string }).message),
      ['line 1', 'line 2'],
    );
    assert.match(agent.log(), /this instance is about to end/);
    agent.child.kill('SIGTERM');
    assert.equal(await agent.ended, 0);
  });
}
