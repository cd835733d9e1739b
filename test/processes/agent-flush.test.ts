/** Flush: exit code 0 when nothing is left, 3 and a spill when the stream does not take it in time. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { inflateChunk, readChunks } from '../../chunk/reader.ts';
import { createS3Server } from '../../local/s3/server.ts';
import { Store } from '../../local/s3/store.ts';
import type { AgentStatus } from '../../producer/status.ts';
import { AWS_ENV, spawnAgent, startAgent, statusOf, tailrace } from '../support/agent-process.ts';
import { numberedLines, prepareAgent } from '../support/tailing-agent.ts';

Object.assign(process.env, AWS_ENV);

function setUp(context: TestContext, more: Record<string, unknown> = {}) {
  return prepareAgent(context, {
    stream: { request_timeout: '1s' },
    // Nothing goes out by itself: the flush does it.
    seal: { interval: '60s', idle_interval: '60s' },
    stop_timeout: '5s',
    ...more,
  });
}

async function startS3(context: TestContext, directory: string) {
  const folder = join(directory, 's3');
  mkdirSync(folder);
  const server = createS3Server(await Store.open(folder));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new S3Client({ region: 'us-east-1', endpoint, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: 'spill' }));
  context.after(() => {
    client.destroy();
    server.close();
    server.closeAllConnections();
  });
  const objects = async (): Promise<Map<string, Buffer>> => {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: 'spill' }));
    const found = new Map<string, Buffer>();
    for (const { Key } of Contents) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: 'spill', Key: Key! }));
      found.set(Key!, Buffer.from(await Body!.transformToByteArray()));
    }
    return found;
  };
  return { endpoint, objects };
}

function messagesOf(bytes: Iterable<Buffer>): string[] {
  const messages = new Map<string, string[]>();
  for (const object of bytes) {
    for (const { header, bytes: chunk } of readChunks(object)) {
      const raw = inflateChunk(chunk, header).toString().split('\n').filter(Boolean);
      messages.set(
        `${header.lane}/${header.sequence}`,
        raw.map((line) => (JSON.parse(line) as { message: string }).message),
      );
    }
  }
  return [...messages.values()].flat();
}

function sorted(messages: readonly unknown[]): unknown[] {
  return messages.toSorted((a, b) => Number(/\d+/.exec(String(a))) - Number(/\d+/.exec(String(b))));
}

const expected = (to: number): string[] => numberedLines(1, to).trimEnd().split('\n');

test('an empty spool: exit 0 at once, and twice at once', async (context) => {
  const { directory, config, state } = await setUp(context);
  const agent = await startAgent(directory, config);
  const both = await Promise.all([1, 2].map(() => tailrace(['flush', '--state', state, '--timeout', '20s'])));
  for (const { code, stderr } of both) {
    assert.equal(code, 0, stderr);
    assert.match(stderr, /nothing is left\n$/);
  }
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});

test('a big spool behind a stream that was away: all of it is sent, exit 0, and the counters reconcile', {
  timeout: 60_000,
}, async (context) => {
  const { directory, config, state, kinesis, log } = await setUp(context, {
    seal: { interval: '50ms', idle_interval: '50ms' },
  });
  const agent = await startAgent(directory, config);
  kinesis.onRequest = (operation) =>
    operation === 'PutRecords' ? { status: 500, body: { __type: 'InternalFailure', message: 'no' } } : null;
  let last = 0;
  for (; last < 20_000; last += 1000) appendFileSync(log, numberedLines(last + 1, last + 1000));
  for (let spooled = 0; spooled < 20_000; ) {
    spooled = (await statusOf(directory)).events.spooled;
  }
  let held: AgentStatus;
  // One failure alone is not worth reporting.
  do held = await statusOf(directory);
  while (held.state !== 'degraded');
  assert.equal(held.stream.condition, 'service');
  assert.deepEqual(held.events, { in: 20_000, open: 0, spooled: 20_000, acknowledged: 0, quarantined: 0 });
  assert.equal((await tailrace(['status', '--state', state])).code, 1, 'degraded');

  kinesis.onRequest = () => null;
  appendFileSync(log, numberedLines(20_001, 20_500));
  const { code, stderr } = await tailrace(['flush', '--state', state, '--timeout', '50s']);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /remaining: .* chunks/);
  assert.deepEqual(
    sorted(kinesis.events().map((event) => (event as { message: string }).message)),
    expected(20_500),
  );
  const after = await statusOf(directory);
  assert.deepEqual(after.events, { in: 20_500, open: 0, spooled: 0, acknowledged: 20_500, quarantined: 0 });
  assert.equal(after.state, 'ready');
  const shown = await tailrace(['status', '--state', state]);
  assert.equal(shown.code, 0);
  assert.match(shown.stdout, /in 20,500 = open 0 \+ spooled 0 \+ acknowledged 20,500/);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});

test('an unreachable stream without a spill bucket: exit 3, and the spool keeps all of it', {
  timeout: 60_000,
}, async (context) => {
  const { directory, config, state, kinesis, log } = await setUp(context);
  const agent = await startAgent(directory, config);
  kinesis.onRequest = () => 'reset';
  appendFileSync(log, numberedLines(1, 100));
  const { code, stderr } = await tailrace(['flush', '--state', state, '--timeout', '2s']);
  assert.equal(code, 3, stderr);
  assert.match(stderr, /left: 1 chunks/);
  assert.doesNotMatch(stderr, /spilled/);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 3);

  // Its next life sends it.
  kinesis.onRequest = () => null;
  const next = await startAgent(directory, config);
  const flushed = await tailrace(['flush', '--state', state, '--timeout', '20s']);
  assert.equal(flushed.code, 0, flushed.stderr);
  assert.deepEqual(sorted(messagesOf([...kinesis.chunks.values()].map(({ bytes }) => bytes))), expected(100));
  next.child.kill('SIGTERM');
  assert.equal(await next.ended, 0);
});

test('an unreachable stream with a spill bucket: exit 3, whole chunks in S3, the same objects when repeated', {
  timeout: 60_000,
}, async (context) => {
  const base = await setUp(context);
  const s3 = await startS3(context, base.directory);
  const { directory, state, kinesis, log } = base;
  const config = { ...base.config, spill: { bucket: 'spill', prefix: 'spill/', endpoint: s3.endpoint } };
  const agent = await startAgent(directory, config);
  kinesis.onRequest = () => 'reset';
  appendFileSync(log, numberedLines(1, 100));
  const flush = () => tailrace(['flush', '--state', state, '--timeout', '3s']);
  const [first, second] = await Promise.all([flush(), flush()]);
  for (const { code, stderr } of [first, second]) {
    assert.equal(code, 3, stderr);
    assert.match(stderr, /spilled: 1 chunks in 1 objects under s3:\/\/spill\/spill\//);
  }
  const spilled = await s3.objects();
  assert.deepEqual(messagesOf(spilled.values()), expected(100));
  const status = await statusOf(directory);
  for (const key of spilled.keys()) {
    assert.match(key, new RegExp(`^spill/[^/]+/${status.producer}/\\d{12}-[0-9a-f]{16}\\.chunks$`));
  }
  assert.equal(spilled.size, 1, 'twice at once is one object');

  // SIGTERM does the same, with what came since.
  appendFileSync(log, numberedLines(101, 150));
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 3);
  assert.deepEqual(sorted(messagesOf((await s3.objects()).values())), expected(150));

  // The spool has it too. What is sent from there says that copies of the old epoch may still come.
  kinesis.onRequest = () => null;
  const next = await startAgent(directory, config);
  appendFileSync(log, numberedLines(151, 160));
  assert.equal((await tailrace(['flush', '--state', state, '--timeout', '20s'])).code, 0);
  appendFileSync(log, numberedLines(161, 170));
  assert.equal((await tailrace(['flush', '--state', state, '--timeout', '20s'])).code, 0);
  const newest = [...kinesis.chunks.values()].map(({ header }) => header).at(-1)!;
  assert.equal(newest.floor, status.epoch);
  assert.ok(newest.epoch > status.epoch);
  next.child.kill('SIGTERM');
  assert.equal(await next.ended, 0);
  assert.deepEqual(sorted(messagesOf([...kinesis.chunks.values()].map(({ bytes }) => bytes))), expected(170));
});

test('a second signal ends the agent at once, and the spool keeps everything', {
  timeout: 60_000,
}, async (context) => {
  const { directory, config, kinesis, log } = await setUp(context, { stop_timeout: '50s' });
  const agent = await startAgent(directory, config);
  kinesis.onRequest = () => 'reset';
  appendFileSync(log, numberedLines(1, 10));
  agent.child.kill('SIGTERM');
  while (!agent.log().includes('sending what is left') || !agent.log().includes('"still to send"')) {
    await new Promise((resolve) => agent.child.stderr!.once('data', resolve));
  }
  agent.child.kill('SIGINT');
  assert.equal(await agent.ended, 3);
  kinesis.onRequest = () => null;
  const next = await startAgent(directory, config);
  next.child.kill('SIGTERM');
  assert.equal(await next.ended, 0);
  assert.deepEqual(sorted(messagesOf([...kinesis.chunks.values()].map(({ bytes }) => bytes))), expected(10));
});

test('clients that wait for an ack get it from the flush, and their events are sent', {
  timeout: 60_000,
}, async (context) => {
  const base = await setUp(context, { seal: { interval: '1h', idle_interval: '1h', ack_interval: '1h' } });
  const { directory, state, kinesis } = base;
  const path = join(directory, 'forward.sock');
  const agent = await startAgent(directory, {
    ...base.config,
    inputs: [{ type: 'forward', listen: `unix:${path}` }],
  });
  const client = connect(path);
  context.after(() => void client.destroy());
  let answer = '';
  client.on('data', (bytes) => {
    answer += bytes;
  });
  // [tag, [[time, record]], {chunk}] as JSON, which the protocol's clients may speak too.
  client.write(JSON.stringify(['app', [[Math.floor(Date.now() / 1000), { n: 1 }]], { chunk: 'first' }]));
  for (let taken = 0; taken < 1; ) taken = (await statusOf(directory)).events.in;
  assert.equal(answer, '', 'nothing is durable yet');
  const { code, stderr } = await tailrace(['flush', '--state', state, '--timeout', '20s']);
  assert.equal(code, 0, stderr);
  while (!answer.includes('first')) await new Promise((resolve) => client.once('data', resolve));
  assert.equal(kinesis.events().length, 1);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});

test('bad usage and no agent: exit 2 and 1, in one line', async (context) => {
  const { state } = await setUp(context);
  const usage = await tailrace(['flush', '--timeout', 'soon', '--state', state]);
  assert.equal(usage.code, 2);
  assert.match(usage.stderr, /--timeout .* argument .soon. is invalid\. Expected a duration/);
  const nobody = await tailrace(['flush', '--state', state]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /^no agent is running on .*\n$/);
});

test('a reload of log_level reaches the inputs too', async (context) => {
  const base = await setUp(context, { log_level: 'error' });
  const path = join(base.directory, 'forward.sock');
  const config = { ...base.config, inputs: [{ type: 'forward', listen: `unix:${path}` }] };
  const agent = spawnAgent(base.directory, config);
  const answers = (): Promise<boolean> =>
    statusOf(base.directory).then(
      ({ state }) => state === 'ready',
      () => false,
    );
  while (!(await answers()));
  const { stringify } = await import('yaml');
  const changed = { state_dir: base.state, ...config, log_level: 'info' };
  writeFileSync(join(base.directory, 'agent.yaml'), stringify(changed));
  agent.child.kill('SIGHUP');
  const logged = async (text: string): Promise<void> => {
    while (!agent.log().includes(text)) {
      await new Promise((resolve) => agent.child.stderr!.once('data', resolve));
    }
  };
  await logged('configuration reloaded');
  const client = connect(path).on('error', () => {});
  client.write('no message of the protocol\n');
  await logged('a client was refused');
  client.destroy();
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});

test('a reload takes over what can change while the agent runs, and names what cannot', async (context) => {
  const { directory, config } = await setUp(context);
  const agent = await startAgent(directory, config);
  const { stringify } = await import('yaml');
  const write = (changed: Record<string, unknown>): void =>
    writeFileSync(
      join(directory, 'agent.yaml'),
      stringify({ state_dir: join(directory, 'state'), ...config, ...changed }),
    );
  const logged = async (text: string): Promise<void> => {
    while (!agent.log().includes(text))
      await new Promise((resolve) => agent.child.stderr!.once('data', resolve));
  };
  write({ seal: { interval: '100ms', idle_interval: '100ms' }, max_tags: 5 });
  agent.child.kill('SIGHUP');
  await logged('"applied":["seal"],"restart":["max_tags"]');
  write({ seal: { interval: 'soon' } });
  agent.child.kill('SIGHUP');
  await logged('the new configuration was rejected');
  // It seals every 100 ms now.
  appendFileSync(join(directory, 'app.log'), numberedLines(1, 5));
  for (let acknowledged = 0; acknowledged < 5; ) {
    acknowledged = (await statusOf(directory)).events.acknowledged;
  }
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});
