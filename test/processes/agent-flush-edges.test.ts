/** Flush at awkward moments: a full spool, clients that are held back, damage, and counters that agree all the while. */
import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { recoverSegment } from '../../producer/spool/recovery.ts';
import { startAgent, tailrace } from '../support/agent-process.ts';
import type { KinesisDouble } from '../support/kinesis-double.ts';
import { chance } from '../support/random.ts';
import { prepareAgent } from '../support/tailing-agent.ts';

async function setUp(context: TestContext, more: Record<string, unknown> = {}) {
  const prepared = await prepareAgent(context, {
    seal: { interval: '50ms', idle_interval: '50ms' },
    stop_timeout: '20s',
    ...more,
  });
  const { state } = prepared;
  const flush = (timeout = '30s') => tailrace(['flush', '--state', state, '--timeout', timeout]);
  return { ...prepared, flush };
}

function lines(from: number, to: number): string {
  let text = '';
  for (let n = from; n <= to; n++) text += `line ${n} ${'x'.repeat(n % 50)}\n`;
  return text;
}

function numbers(kinesis: KinesisDouble): number[] {
  return kinesis
    .events()
    .map((event) => Number((event as { message: string }).message.split(' ')[1]))
    .toSorted((a, b) => a - b);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

test('a flush while the spool is full: exit 3 while the stream is away, 0 with all of it when it is back', {
  timeout: 90_000,
}, async (context) => {
  const base = await setUp(context, { spool: { max_size: '20KB', segment_size: '8KB' } });
  const { directory, kinesis, log, flush, status } = base;
  const socket = join(directory, 'forward.sock');
  const tail = (base.config.inputs as object[])[0];
  const agent = await startAgent(directory, {
    ...base.config,
    inputs: [tail, { type: 'forward', listen: `unix:${socket}` }],
  });
  kinesis.onRequest = () => 'reset';
  let last = 0;
  do {
    appendFileSync(log, lines(last + 1, last + 500));
    last += 500;
  } while (!(await status()).reasons.some((reason) => reason.startsWith('the spool is full')));
  appendFileSync(log, lines(last + 1, last + 5000));
  last += 5000;
  // A client that is held back: its event waits in the kernel.
  const client = connect(socket);
  context.after(() => void client.destroy());
  await new Promise<void>((resolve) => client.once('connect', resolve));
  let answer = '';
  client.on('data', (bytes) => {
    answer += bytes;
  });
  const record = { message: `line ${last + 1}` };
  client.write(JSON.stringify(['app', [[Math.floor(Date.now() / 1000), record]], { chunk: 'held' }]));

  const full = await flush('2s');
  assert.equal(full.code, 3, full.stderr);
  assert.match(full.stderr, /left: .*not read to the end: .*tail:.*forward:/);
  assert.match(full.stderr, new RegExp(`in ${join(base.state, 'spool')}`));

  kinesis.onRequest = () => null;
  const { code, stderr } = await flush('60s');
  assert.equal(code, 0, stderr);
  assert.deepEqual(numbers(kinesis), upTo(last + 1));
  while (!answer.includes('held')) await new Promise((resolve) => client.once('data', resolve));
  assert.equal((await status()).events.acknowledged, last + 1);
  client.destroy();
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});

test('a damaged spool: the flush sends the rest, says where the damage is kept, and does not end with 0', {
  timeout: 60_000,
}, async (context) => {
  const { directory, kinesis, log, flush, config, state, status } = await setUp(context, {
    stop_timeout: '1s',
  });
  kinesis.onRequest = (operation) => (operation === 'PutRecords' ? 'reset' : null);
  const agent = await startAgent(directory, config);
  for (let n = 0; n < 10; n++) {
    appendFileSync(log, lines(n * 10 + 1, n * 10 + 10));
    while ((await status()).events.spooled < (n + 1) * 10);
  }
  agent.child.kill('SIGKILL');
  await agent.ended;
  const [segment] = readdirSync(join(state, 'spool')).filter((name) => name.endsWith('.seg'));
  const file = join(state, 'spool', segment!);
  const bytes = readFileSync(file);
  // Inside the compressed bytes of a chunk in the middle.
  const chunks = recoverSegment(bytes, true).cuts.flatMap((cut) => cut.chunks);
  const { offset, header } = chunks.find(({ header: { ordinal } }) => ordinal === 5)!;
  const at = offset + header.headerBytes + 5;
  bytes[at] = bytes[at]! ^ 0xff;
  writeFileSync(file, bytes);

  kinesis.onRequest = () => null;
  const next = await startAgent(directory, config);
  const { code, stderr } = await flush();
  assert.equal(code, 3, stderr);
  assert.match(stderr, /1 damaged ranges in quarantine/);
  assert.match(stderr, new RegExp(`put aside in ${join(state, 'spool', 'quarantine')}`));
  assert.equal(numbers(kinesis).length, 90);
  const after = await status();
  assert.equal(after.events.acknowledged, 90);
  assert.equal(after.state, 'degraded');
  next.child.kill('SIGTERM');
  assert.equal(await next.ended, 3);
});

test('the numbers of events agree at any moment: lines left out, unparsed, refused records, a restart', {
  timeout: 90_000,
}, async (context) => {
  const random = chance(context);
  const base = await setUp(context);
  const { directory, kinesis, log, flush, status } = base;
  const json = join(directory, 'json.log');
  writeFileSync(json, '');
  const config = {
    ...base.config,
    inputs: [
      ...(base.config.inputs as object[]),
      {
        type: 'tail',
        path: json,
        tag: 'json',
        format: 'json',
        exclude: [{ field: 'level', pattern: 'debug' }],
      },
    ],
  };
  let open = true;
  kinesis.onRecord = () =>
    open && random() < 0.5 ? null : { ErrorCode: 'ProvisionedThroughputExceededException' };
  const write = async (): Promise<void> => {
    for (let n = 0; n < 20; n++) {
      appendFileSync(log, lines(1, 100));
      const each = ['{"n":1,"level":"debug"}', '{"n":2,"level":"info"}', 'no JSON'];
      appendFileSync(json, `${each.join('\n')}\n`.repeat(30));
      await status();
    }
  };
  const agent = await startAgent(directory, config);
  await write();
  open = false;
  await write();
  const half = 2 * 20 * (100 + 60);
  for (let spooled = 0, acknowledged = 0; spooled + acknowledged < half; ) {
    ({ spooled, acknowledged } = (await status()).events);
  }
  agent.child.kill('SIGKILL');
  await agent.ended;
  const next = await startAgent(directory, config);
  open = true;
  await write();
  const { code, stderr } = await flush();
  assert.equal(code, 0, stderr);
  const { events, inputs } = await status();
  assert.deepEqual([events.open, events.spooled, events.quarantined], [0, 0, 0]);
  assert.equal(inputs[`tail:${json}`]!['excluded'], 600);
  assert.equal(inputs[`tail:${json}`]!['events'], 1200);
  assert.equal(inputs[`tail:${json}`]!['unparsed'], 600);
  assert.equal(kinesis.events().length, 3 * 20 * (100 + 60));
  next.child.kill('SIGTERM');
  assert.equal(await next.ended, 0);
});
