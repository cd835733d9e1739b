/** `tailrace cat`, `ls` and `verify` on an archive of gzip and zstd in S3. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { S3Store } from '../../archive/s3.ts';
import type { StreamRecord } from '../../archive/writer/record.ts';
import type { ShardArchiver } from '../../archive/writer/shard-archiver.ts';
import { openArchiver } from '../support/archiver.ts';
import { ChunkSource, type MadeChunk } from '../support/chunks.ts';
import { BUCKET, type LocalS3, startLocalS3 } from '../support/local-s3.ts';

const CLI = path.join(import.meta.dirname, '..', '..', 'cli', 'tailrace.ts');
const HOUR = 494_000;
const ENV = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };

let s3: LocalS3;
const made: MadeChunk[] = [];
const stores: S3Store[] = [];

before(async () => {
  Object.assign(process.env, ENV);
  s3 = await startLocalS3();
  const archiver = await archiverOf('a/');
  const sources = [new ChunkSource({ name: 'gz' }), new ChunkSource({ name: 'zs', codec: 'zstd' })];
  const records: StreamRecord[] = [];
  for (let i = 0; i < 60; i++) {
    const chunk = sources[i % 2]!.next(i % 3 === 0 ? 'app/\u001b[2J' : 'nginx.access', HOUR + (i % 4), 5);
    made.push(chunk);
    records.push({ sequence: `${1000 + i}`, arrival: Date.now(), data: chunk.bytes });
  }
  await archiver.take(records, false);
  await archiver.end();
});

after(() => {
  for (const store of stores) store.close();
  return s3.stop();
});

/** An archiver of its own under a prefix of the bucket. */
function archiverOf(prefix: string): Promise<ShardArchiver> {
  const store = new S3Store({ bucket: BUCKET, region: 'us-east-1', endpoint: s3.endpoint }, { tries: 3 });
  stores.push(store);
  return openArchiver(store, { prefix, maxBytes: 2000 });
}

async function tailrace(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const where = ['--bucket', BUCKET, '--prefix', 'a/', '--endpoint', s3.endpoint];
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [CLI, ...args, ...where], {
      env: ENV,
    });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

const ids = (out: string): string[] =>
  out
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { id: string }).id)
    .sort();

const idsOf = (chunks: readonly MadeChunk[]): string[] => chunks.flatMap((chunk) => chunk.ids).sort();

test('cat prints every event once, whatever its codec', async () => {
  assert.deepEqual(ids((await tailrace('cat')).out), idsOf(made));
});

test('cat takes a tag, a range of hours and a text', async () => {
  const { out } = await tailrace(
    'cat',
    '--tag',
    'nginx.*',
    '--from',
    '2026-05-10T09',
    '--to',
    '2026-05-10T10',
  );
  const wanted = made.filter(({ tag, hour }) => tag === 'nginx.access' && hour > HOUR && hour < HOUR + 3);
  assert.ok(wanted.length > 0);
  assert.deepEqual(ids(out), idsOf(wanted));
  const found = await tailrace('cat', '--grep', 'zs/1/7/');
  assert.deepEqual(
    ids(found.out),
    idsOf(made).filter((id) => id.startsWith('zs/1/7/')),
  );
  const one = await tailrace('cat', '--where', 'id=gz/1/1/0', '--fields', 'tag,id');
  assert.equal(one.out, '{"tag":"app/\\u001b[2J","id":"gz/1/1/0"}\n');
  const counted = await tailrace('cat', '--from', '2026-05-10T09:00:00.500', '--to', '2026-05-10', '--count');
  const later = made.filter(({ hour }) => hour > HOUR);
  assert.deepEqual([counted.out, counted.code], [`${idsOf(later).length}\n`, 0]);
  assert.match(counted.err, /^\d+ events without a time in their hour/);
  const wrong = await tailrace('cat', '--from', 'noon');
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /^--from noon: expected a time/);
});

test('on a terminal, cat shows how far it is, and neutralises what would drive it', async () => {
  const driving = '{"text":"\u009b2J\u202e"}';
  const archiver = await archiverOf('t/');
  await archiver.take([{ sequence: '1', arrival: Date.now(), data: Buffer.from(driving) }], false);
  await archiver.flush();
  const where = ['--bucket', BUCKET, '--prefix', 't/', '--endpoint', s3.endpoint];
  const line = [process.execPath, CLI, 'cat', ...where].map((word) => `'${word}'`).join(' ');
  /** script(1) gives a command a terminal. */
  const onTerminal = async (redirect: string): Promise<string> =>
    (await promisify(execFile)('script', ['-qec', line + redirect, '/dev/null'], { env: ENV })).stdout;
  const shown = await onTerminal(' > /dev/null');
  assert.ok(shown.includes('\r1 of 1 commits\u001b[K') && shown.includes('\r1 of 1 objects\u001b[K'), shown);
  assert.equal(await onTerminal(''), '{"text":"\\u009b2J\\u202e"}\r\n');
  // What goes elsewhere stays as it is.
  assert.ok((await onTerminal(' | cat')).includes(`${driving}\r\n`));
});

test('cat --follow goes on as more is archived', async () => {
  const where = ['--bucket', BUCKET, '--prefix', 'f/', '--endpoint', s3.endpoint];
  const archiver = await archiverOf('f/');
  const source = new ChunkSource({ name: 'follow' });
  const [first, second] = [source.next('t', HOUR, 3), source.next('t', HOUR, 3)];
  const take = async (sequence: string, chunk: MadeChunk): Promise<void> => {
    await archiver.take([{ sequence, arrival: Date.now(), data: chunk.bytes }], false);
    await archiver.flush();
  };
  await take('1', first);
  const child = spawn(process.execPath, [CLI, 'cat', '--follow', ...where], {
    env: ENV,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(`${line}\n`);
      if (lines.length === 3) await take('2', second);
      if (lines.length === 6) break;
    }
    assert.deepEqual(ids(lines.join('')), idsOf([first, second]));
  } finally {
    child.kill();
  }
});

test('ls sums up, and no tag drives a terminal', async () => {
  const { out } = await tailrace('ls', '--json');
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { tag: string; events: number });
  assert.deepEqual(
    lines.map(({ events }) => events),
    [100, 200],
  );
  const plain = await tailrace('ls', '--hours');
  assert.match(plain.out, /2026-05-10T08 {2}app\/\\u001b\[2J\n/);
  assert.ok(!plain.out.includes('\u001b'));
});

test('verify ends with 0, and with 1 when an object is gone', async () => {
  const whole = await tailrace('verify', '--deep', '--pending', '0s');
  assert.equal(whole.code, 0, whole.out + whole.err);
  assert.match(whole.out, /^300 events in 60 chunks/);
  assert.match(whole.out, /OK: nothing is missing, nothing is repeated\n$/);
  const now = await tailrace('verify', '--from', '1h', '--to', '0h', '--dedupe-horizon', '180d');
  assert.match(now.out, /^300 events in 60 chunks/);
  const old = await tailrace('verify', '--from', '2026-05-01', '--to', '2026-05-02');
  assert.match(old.out, /^0 events in 0 chunks, 0 objects \(0 B\), 0 commits of 1 shards\nOK/);
  const store = new S3Store({ bucket: BUCKET, region: 'us-east-1', endpoint: s3.endpoint }, { tries: 3 });
  const key = (await store.first('a/logs/'))!;
  store.close();
  await s3.client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }));
  const broken = await tailrace('verify', '--deep', '--json');
  assert.equal(broken.code, 1);
  const { problems } = JSON.parse(broken.out) as { problems: string[] };
  assert.deepEqual(problems, [`${key}: is missing: expired by a lifecycle rule, or deleted`]);
});
