/** What an agent tells of itself: /health, /metrics, CloudWatch datagrams, its own log file. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, renameSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePorts } from '../../local/ports.ts';
import type { AgentStatus } from '../../producer/status.ts';
import { CLI, spawnAgent, startAgent, statusOf, tailrace } from '../support/agent-process.ts';
import { prepareAgent } from '../support/tailing-agent.ts';

test('/health and /metrics agree with each other, with the status and with the stream', async (context) => {
  const { directory, kinesis, log, config, state } = await prepareAgent(context);
  const port = (await freePorts(1))[0]!;
  const agent = await startAgent(directory, { ...config, http: { listen: `127.0.0.1:${port}` } });
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  const metric = (text: string, name: string): number =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );

  appendFileSync(log, Array.from({ length: 500 }, (_, n) => `line ${n}\n`).join(''));
  assert.equal((await tailrace(['flush', '--state', state, '--timeout', '20s'])).code, 0);
  const health = await get('/health');
  assert.equal(health.status, 200);
  assert.deepEqual(await health.json(), { state: 'ready', reasons: [] });
  const text = await (await get('/metrics')).text();
  assert.equal(metric(text, 'tailrace_agent_tail_events_total'), 500);
  assert.equal(
    metric(text, 'tailrace_agent_tail_events_total') + metric(text, 'tailrace_agent_recovered_events_total'),
    metric(text, 'tailrace_agent_open_events') +
      metric(text, 'tailrace_agent_spool_events') +
      metric(text, 'tailrace_agent_acknowledged_events_total') +
      metric(text, 'tailrace_agent_quarantined_events_total'),
  );
  assert.equal(metric(text, 'tailrace_agent_stream_condition'), 0);
  assert.equal(metric(text, 'tailrace_agent_tail_parsed_total'), 500);
  assert.equal(
    metric(text, 'tailrace_agent_sent_records_total'),
    metric(text, 'tailrace_agent_acknowledged_records_total'),
  );
  for (const name of ['spool_damaged', 'spool_lost_chunks', 'quarantined_events']) {
    assert.match(text, new RegExp(`^tailrace_agent_${name}_total 0$`, 'm'), 'before anything happened');
  }

  kinesis.onRequest = () => ({ status: 400, body: { __type: 'AccessDeniedException', message: 'no' } });
  appendFileSync(log, 'line 500\n');
  while ((await get('/health')).status === 200);
  const degraded = await get('/health');
  assert.equal(degraded.status, 503);
  const { reasons } = (await degraded.json()) as { reasons: string[] };
  assert.match(
    reasons[0]!,
    /refuses access to stream weblogs \(AccessDeniedException: no\): check the role's/,
  );
  const denied = await (await get('/metrics')).text();
  assert.match(denied, /^tailrace_agent_stream_condition\{condition="access"\} 1$/m);
  assert.equal((await get('/elsewhere')).status, 404);
  kinesis.onRequest = () => null;
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
  assert.equal(kinesis.events().length, 501);
});

test('status --watch refreshes until its reader leaves', async (context) => {
  const { directory, log, config, state } = await prepareAgent(context);
  const agent = await startAgent(directory, config);
  const args = [CLI, 'status', '--watch', '--state', state];
  const watch = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(watch, 'close');
  let shown = '';
  let errors = '';
  watch.stderr.on('data', (text) => {
    errors += text;
  });
  appendFileSync(log, 'line 1\nline 2\n');
  for await (const text of watch.stdout) {
    shown += text;
    // Rates need two looks; the third and further ones come too. The loop's end closes the pipe.
    if (/acknowledged 2[\s\S]*events\/s/.test(shown)) break;
  }
  assert.match(shown, /^agent \d+ on .*: ready, up/);
  await ended;
  assert.equal(errors, '');
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});

test('an address that is in use is named, with exit code 2', async (context) => {
  const { directory, config } = await prepareAgent(context);
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  context.after(() => new Promise<void>((resolve) => holder.close(() => resolve())));
  const { port } = holder.address() as { port: number };
  const agent = spawnAgent(directory, { ...config, http: { listen: `127.0.0.1:${port}` } });
  assert.equal(await agent.ended, 2);
  assert.match(
    agent.log(),
    new RegExp(`^http\\.listen: 127\\.0\\.0\\.1:${port} cannot be used \\(EADDRINUSE\\)`, 'm'),
  );
});

test('CloudWatch gets a document each interval', async (context) => {
  const { directory, config } = await prepareAgent(context);
  const socket = createSocket('udp4');
  context.after(() => void socket.close());
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const agent = await startAgent(directory, {
    ...config,
    emf: { interval: '50ms', address: `127.0.0.1:${socket.address().port}` },
  });
  const [message] = (await once(socket, 'message')) as [Buffer];
  const document = JSON.parse(message.toString()) as Record<string, unknown>;
  assert.equal(document['Stream'], 'weblogs');
  assert.equal(document['Ready'], 1);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});

test('the log file that was rotated away is let go of at SIGHUP', async (context) => {
  const { directory, config } = await prepareAgent(context);
  const file = join(directory, 'logs', 'tailrace.log');
  const agent = spawnAgent(directory, { ...config, log_file: file });
  const running = async (): Promise<AgentStatus | null> =>
    statusOf(directory).then(
      (status) => status as unknown as AgentStatus,
      () => null,
    );
  while ((await running())?.state !== 'ready');
  renameSync(file, `${file}.1`);
  agent.child.kill('SIGHUP');
  while (!existsSync(file) || !readFileSync(file, 'utf8').includes('configuration reloaded'));
  assert.match(readFileSync(`${file}.1`, 'utf8'), /the agent is running/);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});
