/** From a file to the archive through a Kinesis that throttles and loses answers; EVENTS=1000000 for the long run. */

import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { verifyArchive } from '../../archive/verify/verify.ts';
import { startStack } from '../../local/stack.ts';
import { startAgent, tailrace, temporaryDirectory } from '../support/agent-process.ts';
import { archivedIds, archiveOf, ConsumerProcess, until } from '../support/consumer-process.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { chance } from '../support/random.ts';

const EVENTS = Number(process.env['EVENTS'] ?? 100_000);
const PIECE = 2_000;

test(`${EVENTS} events, 30 % of records throttled, 5 % of answers lost: archived once each`, {
  timeout: 280_000,
}, async (t) => {
  const directory = temporaryDirectory(t);
  const stack = await startStack({ dataDir: join(directory, 'data'), shards: 4 });
  t.after(() => stack.stop());
  Object.assign(process.env, stack.env);
  const proxy = await FaultProxy.start(
    stack.kinesisEndpoint,
    {
      throttled: 0.3,
      lost: 0.05,
      reset: 0.02,
      late: 0.1,
      lateMs: 200,
    },
    chance(t),
  );
  t.after(() => proxy.stop());
  const consumer = new ConsumerProcess({ stack, directory, workerId: 'worker-1' });
  t.after(() => consumer.kill('SIGKILL'));
  await consumer.start();

  const log = join(directory, 'app.log');
  writeFileSync(log, '');
  const agent = await startAgent(directory, {
    stream: { name: stack.streamName, region: stack.region, endpoint: proxy.endpoint },
    inputs: [{ type: 'tail', path: log, tag: 'app', format: 'json' }],
    lanes: 4,
    seal: { interval: '100ms', idle_interval: '100ms' },
  });
  t.after(() => void agent.child.kill('SIGKILL'));
  for (let n = 0; n < EVENTS; n += PIECE) {
    const line = (i: number): string => `{"id":"${n + i}","path":"/item/${((n + i) * 7919) % 10_007}"}\n`;
    appendFileSync(log, Array.from({ length: Math.min(PIECE, EVENTS - n) }, (_, i) => line(i)).join(''));
    // In pieces, so that there are many chunks, and many requests to spoil.
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const flushed = await tailrace(['flush', '--state', join(directory, 'state'), '--timeout', '3m']);
  assert.equal(flushed.code, 0, flushed.stderr);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0, agent.log());

  const store = archiveOf(stack);
  t.after(() => store.close());
  let report = await verifyArchive(store, '', { now: Date.now(), pendingFor: 0, deep: false });
  await until(`${EVENTS} events are archived`, async () => {
    report = await verifyArchive(store, '', { now: Date.now(), pendingFor: 0, deep: false });
    return report.events >= EVENTS && report.unfinished.length === 0;
  });
  assert.equal(await consumer.stop(), 0, consumer.log);
  assert.equal(report.ok, true, JSON.stringify(report.problems));
  const ids = await archivedIds(stack);
  assert.equal(new Set(ids).size, EVENTS, 'lost');
  assert.equal(ids.length, EVENTS, 'repeated');
  t.diagnostic(JSON.stringify({ ...proxy.done, skipped: report.duplicatesSkipped }));
  assert.ok(proxy.done.throttled > 0 && proxy.done.lost > 0);
  assert.ok(report.duplicatesSkipped > 0, 'what went twice is skipped by the consumer');
});
