/** Failures of the whole stream: each is seen by its name, keeps everything, and ends when its cause does. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Condition } from '../../producer/sender/failures.ts';
import { addLine } from '../support/agent-core.ts';
import { AWS_ENV, temporaryDirectory } from '../support/agent-process.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';
import { generator, noise } from '../support/random.ts';
import { type SenderCore, type SenderCoreOptions, startSenderCore } from '../support/sender-core.ts';

const random = generator(1);

Object.assign(process.env, AWS_ENV);

type After = { after: (done: () => Promise<void>) => void };

async function setUp(context: After, options: SenderCoreOptions = {}) {
  const double = await KinesisDouble.start(2);
  const core = await startSenderCore(double, options);
  context.after(async () => {
    await core.stop();
    await double.stop();
  });
  return { double, core };
}

async function sealOne(core: SenderCore, n: number): Promise<void> {
  addLine(core.builders.tag('a'), { n });
  await core.sealer.cut();
}

const FAILURES: readonly (readonly [Condition, string, number])[] = [
  ['access', 'AccessDeniedException', 400],
  ['no_stream', 'ResourceNotFoundException', 400],
  ['stream_changing', 'ResourceInUseException', 400],
  ['kms', 'KMSAccessDeniedException', 400],
  ['kms', 'KMSThrottlingException', 400],
  ['credentials', 'ExpiredTokenException', 400],
  ['clock', 'RequestExpired', 400],
  ['service', 'InternalFailure', 500],
  ['service', 'ServiceUnavailable', 503],
  ['throttled', 'ThrottlingException', 400],
];

for (const [condition, type, status] of FAILURES) {
  test(`${type}: ${condition}, until it is over`, { timeout: 30_000 }, async (context) => {
    const { double, core } = await setUp(context);
    let broken = true;
    double.onRequest = () => (broken ? { status, body: { __type: type, message: 'no' } } : null);
    await sealOne(core, 1);
    await core.until(() => core.sender.trouble?.condition === condition);
    assert.equal(double.chunks.size, 0);
    assert.ok(core.sender.trouble!.message.length > 20);
    assert.ok(core.counters.total('tailrace_agent_failed_requests_total') > 0);
    broken = false;
    await core.emptied();
    assert.equal(core.sender.trouble, null);
    assert.deepEqual(double.events(), [{ n: 1 }]);
  });
}

test('a connection that hangs is abandoned alone: the other requests go through', {
  timeout: 30_000,
}, async (context) => {
  const { double, core } = await setUp(context, { requestTimeout: 2000 });
  let first = true;
  double.onRequest = (operation) => {
    if (operation !== 'PutRecords' || !first) return null;
    first = false;
    return 'hang';
  };
  await sealOne(core, 1);
  for (let n = 2; n <= 20; n++) await sealOne(core, n);
  await core.until(() => core.counters.total('tailrace_agent_acknowledged_chunks_total') === 19);
  assert.equal(core.counters.total('tailrace_agent_failed_requests_total'), 0, 'the first still hangs');
  await core.emptied();
  assert.deepEqual(core.counters.total('tailrace_agent_failed_requests_total'), 1);
  assert.equal(double.events().length, 20);
});

test('a connection that is reset: connection, until it is over', { timeout: 30_000 }, async (context) => {
  const { double, core } = await setUp(context);
  let broken = true;
  double.onRequest = () => (broken ? 'reset' : null);
  await sealOne(core, 1);
  await core.until(() => core.sender.trouble?.condition === 'connection');
  broken = false;
  await core.emptied();
  assert.deepEqual(double.events(), [{ n: 1 }]);
});

test('a name that cannot be resolved is reported as such', { timeout: 30_000 }, async (context) => {
  const { core } = await setUp(context, { endpoint: 'http://kinesis.invalid:4567' });
  await sealOne(core, 1);
  await core.until(() => core.sender.trouble?.condition === 'dns');
  assert.match(core.sender.trouble!.message, /kinesis\.invalid/);
});

test('an address where nobody listens: connection, until somebody does', {
  timeout: 30_000,
}, async (context) => {
  const reserved = createServer();
  const port = await new Promise<number>((resolve) => {
    reserved.listen(0, '127.0.0.1', () => resolve((reserved.address() as { port: number }).port));
  });
  await new Promise((resolve) => reserved.close(resolve));
  const { core } = await setUp(context, { endpoint: `http://127.0.0.1:${port}` });
  await sealOne(core, 1);
  await core.until(() => core.sender.trouble?.condition === 'connection');
  const late = await KinesisDouble.start(2, port);
  context.after(() => late.stop());
  await core.emptied();
  assert.equal(core.sender.trouble, null);
  assert.deepEqual(late.events(), [{ n: 1 }]);
});

test('renewed credentials are found where the old ones were', { timeout: 30_000 }, async (context) => {
  const directory = temporaryDirectory(context as never);
  const file = join(directory, 'credentials');
  const write = (key: string): void =>
    writeFileSync(file, `[default]\naws_access_key_id = ${key}\naws_secret_access_key = secret\n`);
  write('OLD');
  const before = { ...process.env };
  delete process.env['AWS_ACCESS_KEY_ID'];
  delete process.env['AWS_SECRET_ACCESS_KEY'];
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = file;
  process.env['AWS_CONFIG_FILE'] = join(directory, 'config');
  context.after(() => Object.assign(process.env, before));

  const { double, core } = await setUp(context);
  double.onRequest = (_, key) =>
    key === 'OLD' ? { status: 400, body: { __type: 'ExpiredTokenException', message: 'expired' } } : null;
  await sealOne(core, 1);
  await core.until(() => core.sender.trouble?.condition === 'credentials');
  write('NEW');
  await core.emptied();
  assert.deepEqual([...double.accessKeys].toSorted(), ['NEW', 'OLD']);
});

test('a source of credentials that never answers is abandoned, and retried', {
  timeout: 60_000,
}, async (context) => {
  const directory = temporaryDirectory(context as never);
  const answer = join(directory, 'answer');
  const config = join(directory, 'config');
  // A process that does not answer, unless what it answers is there at its start.
  const script = `[ -e ${answer} ] && exec cat ${answer}
while [ -d ${directory} ] && [ ! -e ${answer} ]; do sleep 0.1; done
exit 1
`;
  writeFileSync(join(directory, 'source.sh'), script);
  writeFileSync(config, `[default]\ncredential_process = sh ${join(directory, 'source.sh')}\n`);
  const before = { ...process.env };
  delete process.env['AWS_ACCESS_KEY_ID'];
  delete process.env['AWS_SECRET_ACCESS_KEY'];
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = join(directory, 'none');
  process.env['AWS_CONFIG_FILE'] = config;
  context.after(() => Object.assign(process.env, before));

  const { double, core } = await setUp(context, { credentialsTimeout: 500 });
  await sealOne(core, 1);
  await core.until(() => core.sender.trouble?.condition === 'credentials');
  assert.match(core.sender.trouble!.message, /no credentials within 0.5 s/);
  writeFileSync(answer, '{"Version":1,"AccessKeyId":"LATE","SecretAccessKey":"secret"}');
  await core.emptied();
  assert.deepEqual([...double.accessKeys], ['LATE']);
});

test('a clock that is off by hours is recognized from the answer: the request is signed with the right time and counts as no failure', {
  timeout: 30_000,
}, async (context) => {
  const { double, core } = await setUp(context);
  const ahead = 3 * 3_600_000;
  double.clock = () => Date.now() + ahead;
  await sealOne(core, 1);
  await core.emptied();
  assert.equal(core.counters.total('tailrace_agent_failed_requests_total'), 0);
  assert.deepEqual(double.events(), [{ n: 1 }]);
});

test('a record that the service refuses keeps back its own lane and no other', {
  timeout: 30_000,
}, async (context) => {
  const { double, core } = await setUp(context, { lanes: 2 });
  const poisoned = new Set<string>();
  let broken = true;
  double.onRequestRecords = (records) => {
    if (poisoned.size === 0) poisoned.add(records[0]!.ExplicitHashKey!);
    const bad = broken && records.some(({ ExplicitHashKey }) => poisoned.has(ExplicitHashKey!));
    return bad ? { status: 400, body: { __type: 'ValidationException', message: 'bad record' } } : null;
  };
  for (let n = 1; n <= 20; n++) await sealOne(core, n);
  await core.until(() => core.spool.pending === 10);
  assert.equal(double.events().length, 10);
  broken = false;
  await core.emptied();
  assert.equal(double.events().length, 20);
});

test('max_bytes_per_second holds the sender back and drops nothing', { timeout: 60_000 }, async (context) => {
  const rate = 40_000;
  const { double, core } = await setUp(context, { sender: { bytesPerSecond: rate, recordBytes: 1000 } });
  const started = performance.now();
  for (let n = 0; n < 120; n++) {
    addLine(core.builders.tag('a'), { n, noise: noise(random, 600).toString('base64') });
    await core.sealer.cut();
  }
  await core.emptied();
  const bytes = [...double.chunks.values()].reduce((sum, { header }) => sum + header.bytes, 0);
  const seconds = (performance.now() - started) / 1000;
  assert.equal(double.chunks.size, 120);
  assert.ok(bytes > 2 * rate);
  // At the start a second's share is there, and one request may go into debt.
  assert.ok(bytes <= rate * (seconds + 1.5) + 20_000, `${bytes} bytes in ${seconds} s`);
});
