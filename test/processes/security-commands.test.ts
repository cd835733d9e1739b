/** What commands show of things that outsiders wrote: no terminal obeys it, JSON stays JSON, no bomb gets the memory. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { S3Store } from '../../archive/s3.ts';
import type { Codec } from '../../chunk/header.ts';
import { frameChunk, gzipTrailer } from '../../chunk/writer.ts';
import { openArchiver } from '../support/archiver.ts';
import { ChunkSource, digest32, epochName } from '../support/chunks.ts';
import { BUCKET, type LocalS3, startLocalS3 } from '../support/local-s3.ts';

const CLI = path.join(import.meta.dirname, '..', '..', 'cli', 'tailrace.ts');
const HOUR = 494_000;
const MIB = 1024 * 1024;
const BOMB_BYTES = 512 * MIB;
/** A title, a clear screen in C0 and in C1, a turned text, and a line of its own. */
const EVIL = '\u001b]0;owned\u0007\u001b[2J\u009b2J\u202egnp.exe\nOK: nothing is missing';
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
/** The command believes that it writes to a terminal. */
const ON_TERMINAL = '--import data:text/javascript,process.stdout.isTTY=true';
/** Its last line on standard error is the most memory that it had: getrusage(2) would count its parent's, too. */
const MEASURED =
  "--import data:text/javascript,import{readFileSync}from'fs';process.on('exit',()=>console.error(readFileSync('/proc/self/status','utf8')))";

let s3: LocalS3;
let scratch: string;

before(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' });
  s3 = await startLocalS3();
  scratch = mkdtempSync(path.join(tmpdir(), 'tailrace-security-'));
  await archive('evil/', [new ChunkSource({ name: `ev\u0000${EVIL}` }).next(EVIL, HOUR, 3).bytes]);
  await archive('gzip/', [bomb('gzip')]);
  await archive('zstd/', [bomb('zstd')]);
});

after(async () => {
  rmSync(scratch, { recursive: true, force: true });
  await s3.stop();
});

/** Archives chunks as the consumer of the first release did: without a look inside. */
async function archive(prefix: string, chunks: readonly Buffer[]): Promise<void> {
  const store = new S3Store({ bucket: BUCKET, region: 'us-east-1', endpoint: s3.endpoint }, { tries: 3 });
  // The first release archived whatever a chunk held; this one keeps a bomb as bytes.
  const archiver = await openArchiver(store, { prefix, encoder: 1 });
  const records = chunks.map((data, i) => ({ sequence: `${1000 + i}`, arrival: Date.now(), data }));
  await archiver.take(records, false);
  await archiver.end();
  store.close();
}

/** A chunk whose header says one small line, and whose data inflates to half a gibibyte without a line end. */
function bomb(codec: Codec): Buffer {
  const raw = Buffer.alloc(BOMB_BYTES, 'a');
  const gzip = codec === 'gzip' ? gzipSync(raw, { level: 9 }) : null;
  const body = gzip ? gzip.subarray(10, -8) : zstdCompressSync(raw);
  return frameChunk(codec, body, gzip ? gzipTrailer(raw) : Buffer.alloc(0), {
    lane: digest32(codec),
    sequence: 1,
    producer: digest32('bomber'),
    epoch: epochName(1),
    ordinal: 1,
    floor: epochName(1),
    previous: null,
    end: false,
    tag: 'bomb',
    hour: HOUR,
    firstTime: HOUR * 3_600_000,
    lastTime: HOUR * 3_600_000,
    events: 1,
    rawBytes: 10,
  });
}

async function tailrace(
  args: readonly string[],
  nodeOptions = '',
): Promise<{ code: number; out: string; err: string }> {
  const options = {
    env: { ...process.env, NODE_OPTIONS: nodeOptions },
    maxBuffer: 2 * BOMB_BYTES,
    encoding: 'latin1',
  } as const;
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [CLI, ...args], options);
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

const utf8 = (latin1: string): string => Buffer.from(latin1, 'latin1').toString('utf8');
const at = (prefix: string): string[] => ['--bucket', BUCKET, '--prefix', prefix, '--endpoint', s3.endpoint];

test('cat shows a terminal nothing that it obeys, and what it shows is the same JSON', async () => {
  const piped = utf8((await tailrace(['cat', ...at('evil/')])).out);
  const shown = utf8((await tailrace(['cat', ...at('evil/')], ON_TERMINAL)).out);
  assert.doesNotMatch(shown, OBEYED);
  const parsed = (text: string): unknown[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  assert.equal(parsed(piped).length, 3);
  assert.deepEqual(parsed(shown), parsed(piped));
  // To a program go the bytes of the archive.
  assert.match(piped, /\u009b/);
});

test('ls, verify and their JSON show a terminal nothing that it obeys', async () => {
  for (const args of [
    ['ls'],
    ['ls', '--hours'],
    ['ls', '--json'],
    ['verify', '--all'],
    ['verify', '--json'],
  ]) {
    const { out } = await tailrace([...args, ...at('evil/')]);
    assert.ok(out.length > 0);
    assert.doesNotMatch(utf8(out), OBEYED, args.join(' '));
    assert.ok(!utf8(out).split('\n').includes('OK: nothing is missing'), args.join(' '));
  }
  const [line] = utf8((await tailrace(['ls', '--json', ...at('evil/')])).out).split('\n');
  assert.equal((JSON.parse(line!) as { tag: string }).tag, EVIL);
});

test('an error that quotes what others wrote is shown as text', async () => {
  await s3.client.send(
    new PutObjectCommand({
      Bucket: BUCKET,
      Key: 'broken/_commits/000000000000000000/shard/999999999998-1.json',
      Body: JSON.stringify({ version: 1, [EVIL]: 1 }),
    }),
  );
  const { code, err } = await tailrace(['ls', ...at('broken/')]);
  assert.equal(code, 1);
  assert.match(err, /^broken\/_commits\/000000000000000000\/shard\/999999999998-1\.json: /);
  assert.doesNotMatch(utf8(err), OBEYED);
});

test('an impostor of an agent cannot command the terminal of whoever asks it', async (context) => {
  const state = path.join(scratch, 'state');
  mkdirSync(state);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () =>
      socket.end(`${JSON.stringify({ error: EVIL, pid: EVIL, state: 'starting' })}\n`),
    );
  });
  await new Promise<void>((resolve) => server.listen(path.join(state, 'control.sock'), resolve));
  context.after(() => server.close());
  for (const args of [['status'], ['flush', '--timeout', '1s']]) {
    const { code, out, err } = await tailrace([...args, '--state', state]);
    assert.notEqual(code, 0);
    assert.match(err, /owned/);
    assert.doesNotMatch(utf8(out + err), OBEYED, args.join(' '));
  }
});

test('spool names files of others as text', async () => {
  const state = path.join(scratch, 'spool-of-others');
  mkdirSync(path.join(state, 'spool', 'quarantine'), { recursive: true });
  writeFileSync(path.join(state, 'spool', 'quarantine', `${EVIL.replaceAll('/', '')}.bin`), 'x');
  for (const args of [['spool'], ['spool', '--json']]) {
    const { code, out } = await tailrace([...args, '--state', state]);
    assert.equal(code, 1);
    assert.match(out, /owned/);
    assert.doesNotMatch(utf8(out), OBEYED, args.join(' '));
  }
});

for (const codec of ['gzip', 'zstd'] as const) {
  test(`cat prints a bomb of ${codec} without holding it`, {
    timeout: 120_000,
    skip: !existsSync('/proc/self/status'),
  }, async () => {
    for (const args of [['cat'], ['cat', '--grep', 'nothing like this']]) {
      const child = execFile(process.execPath, [CLI, ...args, ...at(`${codec}/`)], {
        env: { ...process.env, NODE_OPTIONS: MEASURED },
        maxBuffer: 1024,
      });
      child.stdout!.removeAllListeners('data');
      child.stdout!.resume();
      let err = '';
      child.stderr!.on('data', (text: string) => {
        err += text;
      });
      await new Promise((resolve) => child.once('close', resolve));
      const kib = Number(/^VmHWM:\s*(\d+) kB$/m.exec(err)?.[1]);
      assert.ok(kib > 0 && kib < (BOMB_BYTES / 1024) * 0.6, `${args.join(' ')}: ${kib} KiB`);
    }
  });
}
