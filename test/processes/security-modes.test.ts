/** What an agent, a consumer and the embedded S3 leave on a machine: nobody else can read it, and no secret is in what they show. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { pino } from 'pino';
import * as z from 'zod/mini';
import { consumerSchema } from '../../consumer/config.ts';
import { Daemon } from '../../consumer/kcl/daemon.ts';
import { nodeFiles } from '../../producer/spool/files.ts';
import { spawnAgent, startAgent, statusOf, tailrace, temporaryDirectory } from '../support/agent-process.ts';
import { RawClient } from '../support/forward.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';
import { testClient } from '../support/local-s3.ts';

type Context = { after: (done: () => Promise<void> | void) => void };

/** What most systems have: others may read what is made without a mode of its own. */
process.umask(0o022);

/** Paths below a folder that others than its user may do something with. */
function open(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => (lstatSync(path).mode & 0o077) !== 0);
}

test('what an agent writes is its own under umask 0022, and no secret is in log, status, metrics or arguments', async (context) => {
  const directory = temporaryDirectory(context as never);
  const kinesis = await KinesisDouble.start();
  (context as Context).after(() => kinesis.stop());
  const log = join(directory, 'app.log');
  writeFileSync(log, '');
  // As an administrator may have made it.
  mkdirSync(join(directory, 'state'), { mode: 0o755 });
  const secrets = ['the-shared-key', 'the-password', 'the-hash-key'] as const;
  const [shared_key, password, key] = secrets;
  const agent = await startAgent(directory, {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
    inputs: [
      { type: 'tail', path: log, tag: 'app', format: 'none', redact: [{ field: 'ip', ip: 'hash', key }] },
      {
        type: 'forward',
        listen: ['127.0.0.1:0', `unix:${join(directory, 'state', 'forward.sock')}`],
        udp_heartbeat: false,
        security: { shared_key, users: [{ username: 'ann', password }] },
      },
    ],
    instance: { watch: 'off' },
    log_level: 'trace',
  });
  appendFileSync(log, 'a line\n');
  // A client that does not know the key.
  const socket = connect(join(directory, 'state', 'forward.sock'));
  await once(socket, 'connect');
  const client = new RawClient(socket);
  client.send('["no such", ');
  client.send(Buffer.from([0xc1]));
  client.end();
  assert.equal((await tailrace(['flush', '--state', join(directory, 'state'), '--timeout', '20s'])).code, 0);
  assert.deepEqual(open(join(directory, 'state')), []);
  const sockets = readdirSync(join(directory, 'state')).filter((name) => name.endsWith('.sock'));
  assert.deepEqual(sockets.sort(), ['control.sock', 'forward.sock']);

  const { stdout } = await tailrace(['agent', '--check', '--config', join(directory, 'agent.yaml')]);
  const shown = [agent.log(), JSON.stringify(await statusOf(directory)), stdout];
  if (existsSync('/proc/self/cmdline')) shown.push(readFileSync(`/proc/${agent.child.pid}/cmdline`, 'utf8'));
  for (const text of shown) {
    assert.ok(text.length > 0);
    for (const secret of secrets) assert.ok(!text.includes(secret), secret);
  }
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});

test('the log file of an agent is its own', async (context) => {
  const directory = temporaryDirectory(context as never);
  const kinesis = await KinesisDouble.start();
  (context as Context).after(() => kinesis.stop());
  const agent = spawnAgent(directory, {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
    inputs: [{ type: 'tail', path: join(directory, 'app.log'), tag: 'app', format: 'none' }],
    instance: { watch: 'off' },
    log_file: join(directory, 'logs', 'agent.json'),
  });
  const text = (): string => {
    const file = join(directory, 'logs', 'agent.json');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };
  while (!text().includes('the agent is running')) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(open(join(directory, 'logs')), []);
  assert.equal(lstatSync(join(directory, 'logs')).mode & 0o077, 0);
  agent.child.kill('SIGTERM');
  await agent.ended;
});

test('the files of the daemon are its own, and its arguments hold no configuration', async (context) => {
  const directory = temporaryDirectory(context as never);
  const java = join(directory, 'java');
  writeFileSync(java, '#!/bin/sh\nprintf "%s\\n" "$@" > "$(dirname "$0")/arguments"\n', { mode: 0o755 });
  const config = z.parse(consumerSchema, {
    stream: { name: 'weblogs', region: 'us-east-1' },
    archive: { bucket: 'b', tags: { token: 'the-token' } },
    kcl: { credentials_provider: 'Provider|the-external-id' },
    java: { command: java },
  });
  const files = join(directory, 'own');
  mkdirSync(files, { mode: 0o700 });
  const daemon = await Daemon.start({
    config,
    classPath: 'none',
    classArchive: null,
    directory: files,
    reports: join(files, 'r.sock'),
    log: pino({ level: 'silent' }),
    onWarning: () => {},
  });
  await daemon.ended;
  assert.deepEqual(readdirSync(files).sort(), ['kcl-logging.xml', 'kcl.properties', 'relay.sh', 'shards']);
  assert.deepEqual(open(files), []);
  const args = readFileSync(join(directory, 'arguments'), 'utf8');
  assert.match(args, /kcl\.properties/);
  assert.doesNotMatch(args, /the-token|the-external-id/);
});

test('what the embedded S3 keeps is its own', async (context) => {
  const directory = temporaryDirectory(context as never);
  mkdirSync(join(directory, 's3'), { mode: 0o700 });
  const cli = join(import.meta.dirname, '..', '..', 'cli', 'tailrace.ts');
  const child = spawn(process.execPath, [cli, 'local', '--archive', directory], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  (context as Context).after(() => void child.kill('SIGKILL'));
  let text = '';
  for await (const bytes of child.stdout) {
    text += bytes;
    if (/S3=http\S+\n/.test(text)) break;
  }
  const client = testClient(/S3=(http\S+)/.exec(text)![1]!);
  await client.send(new CreateBucketCommand({ Bucket: 'bucket' }));
  await client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'a/b', Body: 'x' }));
  client.destroy();
  assert.ok(existsSync(join(directory, 's3', 'bucket', 'a', 'b')));
  assert.deepEqual(open(directory), []);
  child.kill('SIGTERM');
  await once(child, 'exit');
});

test('a spool of another user leads nobody out of it by symbolic links', async (context) => {
  const directory = temporaryDirectory(context as never);
  const victim = join(directory, 'victim');
  writeFileSync(victim, 'keep me');
  const spool = join(directory, 'spool');
  mkdirSync(join(spool, 'quarantine'), { recursive: true });
  const segment = join(spool, '000000000001.seg');
  symlinkSync(victim, segment);
  await assert.rejects(nodeFiles.read(segment), { code: 'ELOOP' });
  await assert.rejects(nodeFiles.readRange(segment, 0, 4), { code: 'ELOOP' });
  await assert.rejects(nodeFiles.truncate(segment, 0), { code: 'ELOOP' });
  await assert.rejects(nodeFiles.create(segment), { code: 'EEXIST' });
  const piece = join(spool, 'quarantine', '000000000001-0.bin');
  symlinkSync(victim, `${piece}.tmp`);
  symlinkSync(victim, piece);
  await nodeFiles.write(piece, Buffer.from('damaged'));
  assert.equal(readFileSync(victim, 'utf8'), 'keep me');
  assert.equal(readFileSync(piece, 'utf8'), 'damaged');
  assert.equal(lstatSync(piece).mode & 0o777, 0o600);
});

test('install scripts make no file in a folder that all may write to, but by mktemp', () => {
  const folder = join(import.meta.dirname, '..', '..', 'infra');
  const scripts = execFileSync('find', [folder, '-name', '*.sh'], { encoding: 'utf8' }).trim().split('\n');
  assert.ok(scripts.length >= 5);
  for (const script of scripts) {
    const text = readFileSync(script, 'utf8').replace(/^\s*#.*$/gm, '');
    assert.doesNotMatch(text, /\/tmp|\/var\/tmp|TMPDIR|chmod[^\n]*(777|666)/, script);
    if (/mktemp/.test(text)) assert.match(text, /mktemp -d\)/, script);
  }
});
