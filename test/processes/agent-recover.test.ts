import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CLI, spawnAgent, startAgent, statusOf, tailrace } from '../support/agent-process.ts';
import type { KinesisDouble } from '../support/kinesis-double.ts';
import { numberedLines, prepareAgent } from '../support/tailing-agent.ts';

function messages(kinesis: KinesisDouble): string[] {
  return kinesis
    .events()
    .map((event) => (event as { message: string }).message)
    .sort();
}

const expected = (to: number): string[] => numberedLines(1, to).trimEnd().split('\n').sort();

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('recover sends what a killed agent left, on a copy of its disk too, and the agent goes on afterwards', async (context) => {
  const { directory, kinesis, log, config, state } = await prepareAgent(context);
  kinesis.onRequest = (operation) =>
    operation === 'PutRecords'
      ? { status: 400, body: { __type: 'AccessDeniedException', message: 'no' } }
      : null;
  const agent = await startAgent(directory, config);
  context.after(() => void agent.child.kill('SIGKILL'));
  appendFileSync(log, numberedLines(1, 1000));
  await until(
    async () =>
      (await statusOf(directory))['sealed'] !== undefined &&
      Number(((await statusOf(directory))['sealed'] as { events: number }).events) === 1000,
  );

  const refused = await tailrace([
    'recover',
    '--state',
    state,
    '--stream',
    'weblogs',
    '--region',
    'us-east-1',
  ]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, new RegExp(`held by the agent with pid ${agent.child.pid}`));
  agent.child.kill('SIGKILL');
  await agent.ended;

  const listed = await tailrace(['spool', '--state', state]);
  assert.equal(listed.code, 0, listed.stdout);
  assert.match(listed.stdout, / {2}app: 1,000 events in \d+ chunks/);

  const copy = join(directory, 'copy');
  cpSync(state, copy, { recursive: true, filter: (path) => !path.includes('control.sock') });
  const target = ['--stream', 'weblogs', '--region', 'us-east-1', '--endpoint', kinesis.endpoint];
  const inVain = await tailrace(['recover', '--state', copy, ...target, '--timeout', '1500ms']);
  assert.equal(inVain.code, 3, inVain.stderr);
  assert.match(inVain.stderr, /refuses access/);

  kinesis.onRequest = () => null;
  for (const place of [copy, state]) {
    const recovered = await tailrace(['recover', '--state', place, ...target]);
    assert.equal(recovered.code, 0, recovered.stderr);
  }
  assert.deepEqual(messages(kinesis), expected(1000));
  assert.ok(kinesis.repeated > 0, 'the copy and the original both sent; the identities are the same');

  appendFileSync(log, numberedLines(1001, 1500));
  const again = await startAgent(directory, config);
  context.after(() => void again.child.kill('SIGKILL'));
  again.child.kill('SIGTERM');
  assert.equal(await again.ended, 0, again.log());
  assert.deepEqual(messages(kinesis), expected(1500));
});

test('a second agent on a state directory refuses and names the holder', async (context) => {
  const { directory, config } = await prepareAgent(context);
  const agent = await startAgent(directory, config);
  context.after(() => void agent.child.kill('SIGKILL'));
  const second = spawnAgent(directory, config);
  assert.equal(await second.ended, 2);
  assert.match(second.log(), new RegExp(`state is held by the agent with pid ${agent.child.pid} on `));
  assert.equal((await statusOf(directory))['pid'], agent.child.pid, 'the first one runs on');
});

test('somebody who asks the agent and goes before its answer does it no harm', async (context) => {
  const { directory, config } = await prepareAgent(context);
  const agent = await startAgent(directory, config);
  context.after(() => void agent.child.kill('SIGKILL'));
  // While it stands still, so that the answer finds nobody.
  agent.child.kill('SIGSTOP');
  for (const command of ['status', 'reload', 'nonsense']) {
    const socket = connect(join(directory, 'state', 'control.sock'));
    await once(socket, 'connect');
    await new Promise((resolve) => socket.write(`{"command":"${command}"}\n`, resolve));
    socket.destroy();
    await once(socket, 'close');
  }
  agent.child.kill('SIGCONT');
  assert.equal((await statusOf(directory))['pid'], agent.child.pid);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0, agent.log());
});

test('so does one in another container, with processes, a host name and a network of its own', async (context) => {
  const alone = ['--pid', '--fork', '--uts', '--net', '--kill-child'];
  if (spawnSync('unshare', [...alone, 'true']).status !== 0) {
    context.skip('no namespaces can be made here');
    return;
  }
  const { directory, config } = await prepareAgent(context);
  const agent = await startAgent(directory, config);
  context.after(() => void agent.child.kill('SIGKILL'));
  const command = 'hostname elsewhere; exec "$0" "$1" agent --config "$2"';
  const file = join(directory, 'agent.yaml');
  const second = spawnSync('unshare', [...alone, 'sh', '-c', command, process.execPath, CLI, file], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(second.status, 2, second.stderr);
  const holder = `the agent with pid ${agent.child.pid} on ${hostname()}`;
  assert.ok(second.stderr.includes(`is held by ${holder}`), second.stderr);
  assert.equal((await statusOf(directory))['pid'], agent.child.pid, 'the first one runs on');
});

test('what is wrong with a configuration is said in one line each, with the path of the key', async (context) => {
  const { directory, config, kinesis } = await prepareAgent(context);
  const faulty = {
    ...config,
    inputs: [{ type: 'tail', pfad: 'x', tag: 't', format: 'none' }],
    spool: { max_size: 'much' },
  };
  const agent = spawnAgent(directory, faulty);
  assert.equal(await agent.ended, 2);
  assert.match(agent.log(), /agent\.yaml:\d+:\d+: inputs\[0\]\.path: is missing\n/);
  assert.match(agent.log(), /agent\.yaml:\d+:\d+: inputs\[0\]\.pfad: unknown key/);
  assert.match(agent.log(), /agent\.yaml:\d+:\d+: spool\.max_size: expected a size/);

  await kinesis.stop();
  const unreachable = spawnAgent(directory, config);
  assert.equal(await unreachable.ended, 2);
  assert.match(unreachable.log(), new RegExp(`^${kinesis.endpoint} cannot be reached`, 'm'));
});

test('--check shows the files, their events and the stream, and leaves no state', async (context) => {
  const { directory, config, log } = await prepareAgent(context);
  writeFileSync(log, numberedLines(1, 20));
  const agent = spawnAgent(directory, config);
  agent.child.kill('SIGKILL');
  await agent.ended;
  const { code, stdout, stderr } = await tailrace([
    'agent',
    '--check',
    '--config',
    join(directory, 'agent.yaml'),
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /1 file\n/);
  assert.equal(stdout.split('\n').filter((line) => line.includes('"message":"line ')).length, 5);
  assert.match(stdout, /stream weblogs is reachable/);

  // A format that takes none of the lines is a failure, and the one that does is named.
  writeFileSync(log, 'a:1\tb:2\n'.repeat(20));
  const file = join(directory, 'agent.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/("?format"?): *"?none"?/, '$1: "json"'));
  const wrong = await tailrace(['agent', '--check', '--config', file]);
  assert.equal(wrong.code, 2, wrong.stderr);
  assert.match(wrong.stdout, /20 of the last 20 lines of .* do not match the format\n.*look like: ltsv/);
});
