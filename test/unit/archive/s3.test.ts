/** The archive in S3, by what S3 may answer: retried until it has answered, and a conditional put is decided once. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { newestCommit } from '../../../archive/commit-log.ts';
import { S3Store, type S3Trouble } from '../../../archive/s3.ts';

type Fault = number | 'page' | 'reset' | 'hang' | 'lost' | { readonly status: number; readonly code: string };

/** What a proxy says to everything while it is being worked on. */
const PAGE = '<html><body>Back in a minute.</body></html>';
/** What happens to the next calls, before the server does what it should. */
let faults: Fault[] = [];
let troubles: S3Trouble[] = [];
const objects = new Map<string, Buffer>();
let urls: string[] = [];
let headers: IncomingMessage['headers'] = {};
let server: Server;

/** S3's own time. */
let clock = Date.now;

/** As S3 does: the code is in the body, and HEAD has none. */
function refuse(
  response: ServerResponse,
  { method }: IncomingMessage,
  { status, code }: { readonly status: number; readonly code: string },
): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>no</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml' }).end(method === 'HEAD' ? undefined : body);
}

before(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' });
  server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    response.setHeader('date', new Date(clock()).toUTCString());
    const fault = faults.shift();
    if (fault === 'reset') return request.socket.destroy();
    if (fault === 'hang') return;
    if (fault === 'page') return response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
    if (typeof fault === 'number') return response.writeHead(fault).end();
    if (typeof fault === 'object') return refuse(response, request, fault);
    const signed = String(request.headers['x-amz-date']).replace(/(....)(..)(..T..)(..)/, '$1-$2-$3:$4:');
    if (Math.abs(Date.parse(signed) - clock()) > 900_000) {
      return refuse(response, request, { status: 403, code: 'RequestTimeTooSkewed' });
    }
    urls.push(request.url!);
    if (request.url!.includes('list-type=2'))
      return response
        .writeHead(200)
        .end('<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>');
    const key = request.url!.split('?')[0]!;
    if (request.method !== 'PUT') {
      const object = objects.get(key);
      return response
        .writeHead(object ? 200 : 404, { etag: '"e"', 'content-length': object?.length ?? 0 })
        .end(request.method === 'GET' ? object : undefined);
    }
    headers = request.headers;
    if (objects.has(key)) return response.writeHead(412).end();
    objects.set(key, Buffer.concat(parts));
    if (fault === 'lost') return request.socket.destroy();
    return response.writeHead(200, { etag: '"e"' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  faults = [];
  clock = Date.now;
  troubles = [];
  urls = [];
  objects.clear();
});

function store(tries: number, more: object = {}): S3Store {
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const onTrouble = (trouble: S3Trouble): void => void troubles.push(trouble);
  return new S3Store(
    { bucket: 'b', region: 'eu-central-1', endpoint },
    { tries, onTrouble, backoff: { base: 1, cap: 2 }, ...more },
  );
}

const BODY = [Buffer.from('one'), Buffer.from('two')];

test('a put is made once, and says so to the second', async () => {
  assert.equal(await store(1).putIfAbsent('k', BODY, 'gzip'), 'created');
  assert.equal(objects.get('/b/k')!.toString(), 'onetwo');
  assert.equal(headers['if-none-match'], '*');
  const hash = createHash('sha256').update('onetwo');
  assert.equal(headers['x-amz-checksum-sha256'], hash.copy().digest('base64'));
  assert.equal(headers['x-amz-content-sha256'], hash.digest('hex'));
  assert.equal(headers['content-type'], 'application/gzip');
  assert.equal(headers['content-encoding'], undefined, 'the object is the archive, not a way to transfer it');
  assert.equal(await store(1).putIfAbsent('k', BODY, 'gzip'), 'exists');
});

test('objects have the type of what they are', async () => {
  for (const [kind, type] of [
    ['commit', 'application/json'],
    ['zstd', 'application/zstd'],
  ] as const) {
    await store(1).putIfAbsent(kind, BODY, kind);
    assert.equal(headers['content-type'], type);
    assert.equal(headers['content-encoding'], undefined);
  }
});

test('the newest commit is found by one listing of one key', async () => {
  const log = { prefix: 'p/', incarnation: '0'.repeat(18), shard: 's' };
  assert.equal(await newestCommit(store(1), log), null);
  assert.equal(urls.length, 1);
  const { searchParams } = new URL(urls[0]!, 'http://s3');
  assert.deepEqual(
    ['list-type', 'max-keys', 'prefix'].map((name) => searchParams.get(name)),
    ['2', '1', `p/_commits/${'0'.repeat(18)}/s/`],
  );
});

test('what passes is retried', async () => {
  faults = [500, 503, 409, 'reset', 429];
  assert.equal(await store(Number.POSITIVE_INFINITY).putIfAbsent('k', BODY, 'commit'), 'created');
  const reasons = ['server_error', 'slow_down', 'conflict', 'connection', 'slow_down'];
  assert.deepEqual(
    troubles.map(({ reason }) => reason),
    reasons,
  );
});

test('a call that hangs is abandoned and retried', async () => {
  faults = ['hang'];
  const outcome = await store(Number.POSITIVE_INFINITY, { tryTimeout: 300 }).putIfAbsent('k', BODY, 'commit');
  assert.equal(objects.get('/b/k')!.toString(), 'onetwo');
  // On a slow machine the second try may have been given up as well, when it was made already.
  assert.ok(outcome === 'created' || troubles.length > 1);
  assert.equal(troubles[0]!.reason, 'timeout');
});

test('a lost answer shows as an object that is there', async () => {
  faults = ['lost'];
  assert.equal(await store(Number.POSITIVE_INFINITY).putIfAbsent('k', BODY, 'commit'), 'exists');
  assert.equal(objects.get('/b/k')!.toString(), 'onetwo');
});

test('a call that may give up says what failed', async () => {
  faults = [403];
  await assert.rejects(store(3).get('k'), /S3 get s3:\/\/b\/k: access_denied/);
  faults = [500, 500];
  await assert.rejects(store(2).head('k'), { code: 'ARCHIVE_UNAVAILABLE', retriable: true });
});

test('a clock that is wrong costs one more request, not an attempt', async () => {
  for (const hours of [-1, 1]) {
    clock = () => Date.now() + hours * 3_600_000;
    assert.equal(await store(1).get('k'), null);
    assert.equal(await store(1).head('k'), null);
    assert.equal(await store(1).putIfAbsent(`k${hours}`, BODY, 'gzip'), 'created');
    // A body of several parts is a stream: it is made once more.
    assert.equal(objects.get(`/b/k${hours}`)!.toString(), 'onetwo');
  }
  assert.deepEqual(troubles, []);
});

test('each refusal has its reason, and lasts or passes', async () => {
  const cases: [Fault, reason: string, lasting: boolean][] = [
    [{ status: 403, code: 'RequestTimeTooSkewed' }, 'clock', true],
    [{ status: 403, code: 'AccessDenied' }, 'access_denied', true],
    [{ status: 404, code: 'NoSuchBucket' }, 'no_such_bucket', true],
    [{ status: 400, code: 'ExpiredToken' }, 'expired_token', true],
    [{ status: 403, code: 'InvalidAccessKeyId' }, 'credentials', true],
    [{ status: 400, code: 'KMS.DisabledException' }, 'kms', true],
    [{ status: 301, code: 'PermanentRedirect' }, 'wrong_region', true],
    [{ status: 501, code: 'NotImplemented' }, 'not_implemented', true],
    [{ status: 503, code: 'SlowDown' }, 'slow_down', false],
    [{ status: 500, code: 'InternalError' }, 'server_error', false],
  ];
  for (const [fault, reason, lasting] of cases) {
    faults = [fault];
    troubles = [];
    await assert.rejects(store(1).putIfAbsent('k', BODY, 'gzip'));
    assert.deepEqual([troubles[0]!.reason, troubles[0]!.lasting], [reason, lasting], reason);
  }
});

test('a bucket that is missing is not an object that is missing', async () => {
  const missing = { status: 404, code: 'NoSuchBucket' };
  faults = [missing, missing];
  await assert.rejects(store(1).head('k'), /no_such_bucket/);
  faults = [missing];
  await assert.rejects(store(1).get('k'), /no_such_bucket/);
});

test('what is not there is no error', async () => {
  assert.equal(await store(1).get('k'), null);
  assert.equal(await store(1).head('k'), null);
});

test('encryption, storage class and tags go with the data, the class not with commits', async () => {
  const options = { kmsKey: 'key-1', storageClass: 'STANDARD_IA', tags: { team: 'a&b' } };
  await store(1, options).putIfAbsent('k', BODY, 'gzip');
  assert.equal(headers['x-amz-server-side-encryption'], 'aws:kms');
  assert.equal(headers['x-amz-server-side-encryption-aws-kms-key-id'], 'key-1');
  assert.equal(headers['x-amz-server-side-encryption-bucket-key-enabled'], 'true');
  assert.equal(headers['x-amz-storage-class'], 'STANDARD_IA');
  assert.equal(headers['x-amz-tagging'], 'team=a%26b');
  await store(1, options).putIfAbsent('c', BODY, 'commit');
  assert.equal(headers['x-amz-storage-class'], undefined);
});

test('a page that somebody else answers with counts for nothing: no object is written, and no log is empty', async () => {
  const s3 = store(Number.POSITIVE_INFINITY);
  const calls: [call: () => Promise<unknown>, expected: unknown][] = [
    [() => s3.putIfAbsent('a', BODY, 'gzip'), 'created'],
    [() => s3.head('a'), 6],
    [() => s3.first('a'), null],
    [() => s3.folders('a'), []],
    [() => Array.fromAsync(s3.list('a')), []],
    [() => s3.get('a').then(String), 'onetwo'],
    // Past the SDK, which the first read has shown how.
    [() => s3.get('a').then(String), 'onetwo'],
    [() => Array.fromAsync(s3.list('a')), []],
  ];
  for (const [call, expected] of calls) {
    troubles = [];
    faults = ['page', 'page'];
    assert.deepEqual(await call(), expected, String(call));
    assert.ok(troubles.length > 0, String(call));
    for (const { reason } of troubles) assert.equal(reason, 'foreign_answer');
  }
  assert.equal(objects.size, 1);
  s3.close();
});
