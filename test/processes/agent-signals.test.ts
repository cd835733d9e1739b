/** Signals at any moment of an agent's life, and a log that takes no more. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import {
  type AgentProcess,
  CLI,
  spawnAgent,
  startAgent,
  statusOf,
  tailrace,
} from '../support/agent-process.ts';
import { prepareAgent } from '../support/tailing-agent.ts';

async function setUp(context: TestContext, more: Record<string, unknown> = {}) {
  const prepared = await prepareAgent(context, more);
  const { kinesis } = prepared;
  /** Resolves when a call of the agent's start has come; it gets no answer before `answer` is called. */
  const startHangs = () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    kinesis.beforeAnswer = async (operation) => {
      if (operation !== 'DescribeStreamSummary') return;
      asked.resolve();
      await answer.promise;
    };
    return { asked: asked.promise, answer: () => answer.resolve() };
  };
  return { ...prepared, startHangs };
}

async function logged(agent: AgentProcess, text: string): Promise<void> {
  while (!agent.log().includes(text)) {
    await new Promise((resolve) => agent.child.stderr!.once('data', resolve));
  }
}

test('SIGHUP while the agent is starting does not end it', async (context) => {
  const { directory, config, startHangs } = await setUp(context);
  const start = startHangs();
  const agent = spawnAgent(directory, config);
  await start.asked;
  agent.child.kill('SIGHUP');
  start.answer();
  await logged(agent, 'configuration reloaded');
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});

test('SIGTERM while the agent is only starting ends it in order', async (context) => {
  const { directory, config, log, kinesis, startHangs } = await setUp(context);
  const start = startHangs();
  const agent = spawnAgent(directory, config);
  await start.asked;
  agent.child.kill('SIGTERM');
  start.answer();
  assert.equal(await agent.ended, 0);
  assert.match(agent.log(), /everything is acknowledged/);
  // It knew the file then, so its next life reads what came meanwhile.
  appendFileSync(log, 'line 1\n');
  const next = await startAgent(directory, config);
  next.child.kill('SIGTERM');
  assert.equal(await next.ended, 0);
  assert.equal(kinesis.events().length, 1);
});

test('a second signal while the agent is only starting ends it at once, whichever of the two it is', async (context) => {
  const { directory, config, startHangs } = await setUp(context);
  const start = startHangs();
  const agent = spawnAgent(directory, config);
  await start.asked;
  agent.child.kill('SIGTERM');
  agent.child.kill('SIGINT');
  assert.equal(await agent.ended, 3, 'the start still waits for its answer');
});

test('SIGTERM in the middle of a flush: both end with 0 when all is sent', {
  timeout: 60_000,
}, async (context) => {
  const { directory, config, state, log, kinesis } = await setUp(context, { stop_timeout: '30s' });
  const agent = await startAgent(directory, config);
  kinesis.onRequest = () => 'reset';
  appendFileSync(log, 'line 1\nline 2\n');
  const flush = spawn(process.execPath, [CLI, 'flush', '--state', state, '--timeout', '30s'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  context.after(() => void flush.kill('SIGKILL'));
  const flushed = once(flush, 'close');
  let said = '';
  // The agent has the flush in hand when it says what is to go.
  const begun = Promise.withResolvers<void>();
  flush.stderr.on('data', (text) => {
    said += text;
    if (said.includes('remaining: 1 chunks')) begun.resolve();
  });
  await Promise.race([begun.promise, flushed]);
  agent.child.kill('SIGTERM');
  await logged(agent, 'sending what is left');
  kinesis.onRequest = () => null;
  const [code] = await flushed;
  assert.equal(code, 0, said);
  assert.equal(await agent.ended, 0);
  assert.equal(kinesis.events().length, 2);
});

test('a log that takes no more, as on a full disk, does not end the agent', async (context) => {
  const { directory, config, state, log, kinesis } = await setUp(context, { log_file: '/dev/full' });
  const agent = spawnAgent(directory, config);
  const ready = async (): Promise<boolean> =>
    statusOf(directory).then(
      (status) => status['state'] === 'ready',
      () => false,
    );
  let ended: number | string | null = null;
  void agent.ended.then((code) => {
    ended = code;
  });
  while (!(await ready())) assert.equal(ended, null, agent.log());
  appendFileSync(log, 'line 1\n');
  const { code, stderr } = await tailrace(['flush', '--state', state, '--timeout', '20s']);
  assert.equal(code, 0, stderr);
  assert.equal(kinesis.events().length, 1);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});

test('a log file that cannot be opened is named, with exit code 2', async (context) => {
  const { directory, config } = await setUp(context, { log_file: '/dev/null/agent.log' });
  const agent = spawnAgent(directory, config);
  assert.equal(await agent.ended, 2, agent.log());
  assert.match(
    agent.log(),
    /^log_file: \/dev\/null\/agent\.log cannot be written: a part of its path is not a directory\n$/,
  );
});
