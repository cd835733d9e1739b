import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { type AgentProcess, startAgent, tailrace, temporaryDirectory } from '../support/agent-process.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';
import { chance } from '../support/random.ts';

const LINES = Number(process.env['LINES'] ?? 1_000_000);
const KILLS = Number(process.env['KILLS'] ?? 20);

test('a million lines under rotation, twenty kills: none lost, none repeated', {
  timeout: 280_000,
}, async (context) => {
  const random = chance(context);
  const directory = temporaryDirectory(context);
  const kinesis = await KinesisDouble.start();
  context.after(() => kinesis.stop());
  const config = {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
    inputs: [
      { type: 'tail', path: join(directory, 'renamed.log'), tag: 'renamed', format: 'none' },
      { type: 'tail', path: join(directory, 'truncated.log'), tag: 'truncated', format: 'none' },
    ],
  };
  for (const log of ['renamed.log', 'truncated.log']) writeFileSync(join(directory, log), '');
  let agent: AgentProcess = await startAgent(directory, config);
  context.after(() => agent.child.kill('SIGKILL'));

  const writer = fork(join(import.meta.dirname, '..', 'support', 'line-writer.ts'), [directory]);
  context.after(() => writer.kill('SIGKILL'));
  // Each kill falls somewhere into the writing, the reading or the sealing of its own part of the lines.
  for (let kill = 1; kill <= KILLS; kill++) {
    writer.send(Math.floor(LINES / (KILLS + 1)));
    const written = once(writer, 'message');
    await wait(random() * 1300);
    agent.child.kill('SIGKILL');
    assert.equal(await agent.ended, 'SIGKILL', agent.log());
    agent = await startAgent(directory, config);
    await written;
  }
  writer.send(LINES - KILLS * Math.floor(LINES / (KILLS + 1)));
  await once(writer, 'message');

  const flushed = await tailrace(['flush', '--state', join(directory, 'state'), '--timeout', '2m']);
  assert.equal(flushed.code, 0, flushed.stderr);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0, agent.log());

  const counts = new Map<string, number>();
  for (const event of kinesis.events() as { message: string }[]) {
    counts.set(event.message, (counts.get(event.message) ?? 0) + 1);
  }
  const lost: string[] = [];
  for (let n = 1; n <= LINES; n++) if (!counts.has(`line ${n}`)) lost.push(`line ${n}`);
  const repeated = [...counts].filter(([, count]) => count > 1).map(([message]) => message);
  assert.deepEqual(
    { lost: lost.slice(0, 5), repeated: repeated.slice(0, 5) },
    { lost: [], repeated: [] },
    `${lost.length} lost, ${repeated.length} repeated`,
  );
  assert.equal(counts.size, LINES);
});
