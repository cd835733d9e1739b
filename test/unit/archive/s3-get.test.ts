/** Reads past the SDK's middleware: signed as S3 wants it, and the SDK's answer for all that is not an object. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { S3Store, type S3Trouble } from '../../../archive/s3.ts';

const SECRET = 'secret';
let server: Server;
/** An answer that ends in the middle of the object. */
const CUT = 1;
let requests: {
  readonly path: string;
  readonly isQuick: boolean;
  readonly isSigned: boolean;
  readonly token: unknown;
}[] = [];
let answers: number[] = [];
const objects = new Map<string, Buffer>();

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** Whether a request is signed as AWS Signature Version 4 says. */
function isSigned({ method, url, headers }: IncomingMessage): boolean {
  const [, scope, names, signature] =
    /Credential=[^/]+\/(\S+), SignedHeaders=(\S+), Signature=(\w+)/.exec(headers.authorization ?? '') ?? [];
  const [path, query = ''] = url!.split('?');
  const lines = names!.split(';').map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const canonical = [method, path, query, lines.join(''), names, headers['x-amz-content-sha256']].join('\n');
  const hash = createHash('sha256').update(canonical).digest('hex');
  const key = scope!.split('/').reduce<string | Buffer>(hmac, `AWS4${SECRET}`);
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, hash].join('\n');
  return hmac(key, text).toString('hex') === signature;
}

before(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: SECRET });
  delete process.env['AWS_SESSION_TOKEN'];
  server = createServer((request, response) => {
    const path = request.url!.split('?')[0]!;
    response.setHeader('etag', '"e"');
    const isQuick = request.headers['amz-sdk-request'] === undefined;
    const token = request.headers['x-amz-security-token'];
    requests.push({ path, isQuick, isSigned: isSigned(request), token });
    const object = objects.get(path);
    const status = answers.shift() ?? (object ? 200 : 404);
    if (status === CUT) {
      const cut = (): unknown => request.socket.destroy();
      response.writeHead(200, { 'content-length': object!.length }).write(object!.subarray(0, 2), cut);
      return;
    }
    if (status !== 200) {
      response.writeHead(status).end('<Error><Code>NoSuchKey</Code><Message>no</Message></Error>');
      return;
    }
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    if (first === undefined) response.writeHead(200).end(object);
    else response.writeHead(206).end(object!.subarray(Number(first), Number(last) + 1));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  requests = [];
  answers = [];
  objects.clear();
});

function store(troubles: S3Trouble[] = []): S3Store {
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return new S3Store(
    { bucket: 'b', region: 'eu-central-1', endpoint },
    { tries: 3, onTrouble: (trouble) => troubles.push(trouble), backoff: { base: 1, cap: 2 } },
  );
}

test('all reads but the first go past the middleware, signed, whatever the keys', async () => {
  const keys = [
    'logs/tag=nginx.access/dt=2026-11-23/hour=07/x-1.ndjson.gz',
    "a b/%25+%/!'()*/~",
    'größe/日志',
    'x&y?z#',
    'plain',
  ];
  const archive = store();
  for (const key of keys) {
    const path = `/b/${key.split('/').map(encodeURIComponent).join('/')}`;
    objects.set(
      path.replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`),
      Buffer.from(key),
    );
  }
  for (const key of keys) assert.equal((await archive.get(key))!.toString(), key);
  assert.deepEqual(
    requests.map(({ isQuick }) => isQuick),
    [false, true, true, true, true],
  );
  assert.equal((await archive.range('plain', 1, 3))!.toString(), 'lai');
  // With the token of a role.
  process.env['AWS_SESSION_TOKEN'] = 'token';
  const other = store();
  for (const _ of [1, 2]) assert.equal((await other.get('plain'))!.toString(), 'plain');
  delete process.env['AWS_SESSION_TOKEN'];
  assert.ok(requests.every((request) => request.isSigned));
});

test('what is not there, and what goes wrong, is left to the SDK', async () => {
  const troubles: S3Trouble[] = [];
  const archive = store(troubles);
  objects.set('/b/there', Buffer.from('x'));
  await archive.get('there');
  assert.equal(await archive.get('absent'), null);
  assert.deepEqual(
    requests.map(({ isQuick }) => isQuick),
    [false, true, false],
  );
  answers = [200];
  assert.equal((await archive.range('there', 0, 0))!.toString(), 'x', 'of a range');
});

test('an S3 that is busy, fails or hangs up is asked once a try, and the try is counted', async () => {
  const troubles: S3Trouble[] = [];
  const archive = store(troubles);
  objects.set('/b/there', Buffer.from('whole'));
  await archive.get('there');
  requests = [];
  answers = [503, 500, 200];
  assert.equal((await archive.get('there'))!.toString(), 'whole');
  answers = [CUT, 200];
  assert.equal((await archive.get('there'))!.toString(), 'whole');
  assert.deepEqual(
    troubles.map(({ reason }) => reason),
    ['slow_down', 'server_error', 'connection'],
  );
  assert.deepEqual(
    requests.map(({ isQuick }) => isQuick),
    [true, true, true, true, true],
  );
});

test('a role whose token is replaced is read with the new one', async () => {
  const archive = store();
  objects.set('/b/there', Buffer.from('x'));
  process.env['AWS_SESSION_TOKEN'] = 'first';
  // The SDK loads once more what has expired.
  process.env['AWS_CREDENTIAL_EXPIRATION'] = new Date(Date.now() - 1000).toISOString();
  await archive.get('there');
  process.env['AWS_SESSION_TOKEN'] = 'second';
  requests = [];
  await archive.get('there');
  delete process.env['AWS_SESSION_TOKEN'];
  delete process.env['AWS_CREDENTIAL_EXPIRATION'];
  assert.deepEqual(
    requests.map(({ isQuick, isSigned, token }) => [isQuick, isSigned, token]),
    [[true, true, 'second']],
  );
});
