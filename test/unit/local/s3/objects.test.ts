/** The embedded S3 keeps an object's bytes and headers, whole or not at all. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { crc32 } from 'node:zlib';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3ServiceException,
} from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { parseRange } from '../../../../local/s3/range.ts';
import { BUCKET as Bucket, type LocalS3, startLocalS3 } from '../../../support/local-s3.ts';

let s3: LocalS3;
before(async () => {
  s3 = await startLocalS3();
});
after(() => s3.stop());

async function put(Key: string, Body: string | Buffer, more = {}): Promise<void> {
  await s3.client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
}

async function bytesOf(Key: string, Range?: string): Promise<Buffer> {
  const { Body } = await s3.client.send(
    new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }),
  );
  return Buffer.from(await Body!.transformToByteArray());
}

/** The code and status of the error that a call ends with. */
async function refusal(call: Promise<unknown>): Promise<[string, number | undefined]> {
  const error = await call.then(
    () => assert.fail('not refused'),
    (thrown: S3ServiceException) => thrown,
  );
  return [error.name, error.$metadata?.httpStatusCode];
}

/** A request as it is, without a client that would put it in order first. */
function raw(
  method: string,
  target: string,
  headers: Record<string, string> = {},
  body: string | Buffer = '',
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request(s3.endpoint, { method, path: target, headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () =>
        resolve({ status: response.statusCode!, body: Buffer.concat(pieces).toString() }),
      );
    });
    request.once('error', reject);
    request.end(body);
  });
}

test('what was put is what is got, with its headers', async () => {
  const body = Buffer.from([...Array(256).keys()]);
  await put('a/b=c/ü 🍵+%.gz', body, {
    ContentType: 'application/x-ndjson',
    ContentEncoding: 'gzip',
    CacheControl: 'no-store',
    Metadata: { 'made-by': 'test' },
  });
  const got = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'a/b=c/ü 🍵+%.gz' }));
  assert.deepEqual(Buffer.from(await got.Body!.transformToByteArray()), body);
  assert.equal(got.ContentType, 'application/x-ndjson');
  assert.equal(got.ContentEncoding, 'gzip');
  assert.equal(got.CacheControl, 'no-store');
  assert.deepEqual(got.Metadata, { 'made-by': 'test' });
  const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'a/b=c/ü 🍵+%.gz' }));
  assert.equal(head.ContentLength, 256);
  assert.equal(head.ETag, got.ETag);
});

test('an object is a file at its key', async () => {
  await put('logs/tag=nginx/one.txt', 'for people');
  assert.equal(
    await fs.readFile(path.join(s3.folder, Bucket, 'logs/tag=nginx/one.txt'), 'utf8'),
    'for people',
  );
});

test('a body that the SDK streams in signed or trailed pieces arrives as it was', async () => {
  const pieces = [Buffer.alloc(100_000, 'a'), Buffer.alloc(70_000, 'b'), Buffer.from('end')];
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  await s3.client.send(
    new PutObjectCommand({ Bucket, Key: 'streamed', Body: Readable.from(pieces), ContentLength: length }),
  );
  assert.deepEqual(await bytesOf('streamed'), Buffer.concat(pieces));
  const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'streamed' }));
  assert.equal(head.ContentEncoding, undefined, 'aws-chunked is of the transfer');
});

test('an aws-chunked body is decoded, and refused when it is cut or its checksum is wrong', async () => {
  const headers = {
    'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': '8',
    'x-amz-trailer': 'x-amz-checksum-crc32',
  };
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32('somedata'));
  const body = `3;chunk-signature=00\r\nsom\r\n5\r\nedata\r\n0\r\nx-amz-checksum-crc32:${checksum.toString('base64')}\r\n\r\n`;
  assert.equal((await raw('PUT', `/${Bucket}/chunked`, headers, body)).status, 200);
  assert.equal((await bytesOf('chunked')).toString(), 'somedata');

  const refused = [
    body.replace('edata', 'edatb'),
    body.slice(0, 20),
    body.replace('5\r\n', '4\r\n'),
    body.replace('5\r\n', 'zz\r\n'),
    `${body}more`,
  ];
  for (const [i, bad] of refused.entries()) {
    const answer = await raw('PUT', `/${Bucket}/refused-${i}`, headers, bad);
    assert.equal(answer.status, 400, `case ${i}: ${answer.body}`);
    assert.deepEqual(await refusal(bytesOf(`refused-${i}`)), ['NoSuchKey', 404]);
  }
});

test('a body that does not match its promised MD5, SHA-256 or CRC-32 is refused and leaves nothing', async () => {
  const promises = [
    { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' },
    { 'x-amz-checksum-crc32': 'AAAAAA==' },
    { 'x-amz-content-sha256': '0'.repeat(64) },
  ];
  for (const headers of promises) {
    assert.equal((await raw('PUT', `/${Bucket}/promised`, headers, 'other bytes')).status, 400);
  }
  assert.deepEqual(await refusal(bytesOf('promised')), ['NoSuchKey', 404]);
  assert.deepEqual(await fs.readdir(path.join(s3.folder, '.s3', 'temporary')), []);
});

test('of many conditional writers at once one wins, and its object is whole', async () => {
  for (let round = 0; round < 10; round++) {
    const writers = Array.from({ length: 20 }, (_, i) =>
      s3.client
        .send(
          new PutObjectCommand({
            Bucket,
            Key: `race/${round}`,
            Body: `${i}`.repeat(10_000),
            ContentType: `text/${i}`,
            IfNoneMatch: '*',
          }),
        )
        .then(
          () => i,
          (error: S3ServiceException) => {
            assert.equal(error.name, 'PreconditionFailed');
            assert.equal(error.$metadata.httpStatusCode, 412);
            return null;
          },
        ),
    );
    const winners = (await Promise.all(writers)).filter((winner) => winner !== null);
    assert.equal(winners.length, 1);
    const got = await s3.client.send(new GetObjectCommand({ Bucket, Key: `race/${round}` }));
    assert.equal(got.ContentType, `text/${winners[0]}`, 'the headers are of the same writer as the bytes');
    assert.equal(await got.Body!.transformToString(), `${winners[0]}`.repeat(10_000));
  }
});

test('a writer without condition replaces bytes and headers together', async () => {
  await put('replaced', 'one', { ContentType: 'text/one', Metadata: { one: '1' } });
  await put('replaced', 'two', { ContentType: 'text/two' });
  const got = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'replaced' }));
  assert.equal(await got.Body!.transformToString(), 'two');
  assert.equal(got.ContentType, 'text/two');
  assert.deepEqual(got.Metadata, {});
  const sidecars = await fs.readdir(path.join(s3.folder, '.s3', 'metadata', Bucket), { recursive: true });
  const texts = await Promise.all(
    sidecars
      .filter((name) => name.endsWith('.json'))
      .map((name) => fs.readFile(path.join(s3.folder, '.s3', 'metadata', Bucket, name), 'utf8')),
  );
  assert.equal(texts.filter((text) => text.includes('"replaced"')).length, 1, 'the old headers are gone');
});

test('readers of an object that is replaced all the time see one writer or another, never a mixture', async () => {
  await put('busy', '0'.repeat(5000), { ContentType: 'text/0' });
  const writing = (async () => {
    for (let i = 1; i <= 40; i++)
      await put('busy', `${i % 10}`.repeat(5000), { ContentType: `text/${i % 10}` });
  })();
  const reading = Array.from({ length: 4 }, async () => {
    for (let i = 0; i < 40; i++) {
      const got = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'busy' }));
      const text = await got.Body!.transformToString();
      assert.equal(text, text[0]!.repeat(5000));
      assert.equal(got.ContentType, `text/${text[0]}`);
    }
  });
  await Promise.all([writing, ...reading]);
});

test('ranges give the bytes that were asked for', async () => {
  const body = Buffer.from('0123456789');
  await put('ranged', body);
  await fc.assert(
    fc.asyncProperty(fc.nat(12), fc.nat(12), async (a, b) => {
      const [first, last] = a <= b ? [a, b] : [b, a];
      if (first >= body.length) {
        assert.deepEqual(await refusal(bytesOf('ranged', `bytes=${first}-${last}`)), ['InvalidRange', 416]);
      } else {
        assert.deepEqual(await bytesOf('ranged', `bytes=${first}-${last}`), body.subarray(first, last + 1));
      }
    }),
    { numRuns: 50 },
  );
  assert.equal((await bytesOf('ranged', 'bytes=-3')).toString(), '789');
  assert.equal((await bytesOf('ranged', 'bytes=7-')).toString(), '789');
  assert.equal((await bytesOf('ranged', 'bytes=-100')).toString(), '0123456789');
});

test('a Range that is none is as no Range', () => {
  for (const header of ['', 'bytes=', 'bytes=-', 'bytes=5-2', 'bytes=0-1,3-4', 'lines=0-1', 'bytes=a-b']) {
    assert.equal(parseRange(header, 10), null, header);
  }
});

test('a key that leaves its bucket, or that no path can stand for, is refused', async () => {
  const outside = path.join(s3.folder, 'outside');
  const targets = [
    `/${Bucket}/../outside`,
    `/${Bucket}/%2e%2e/outside`,
    `/${Bucket}/a/..%2f..%2f..%2foutside`,
    `/${Bucket}/a//b`,
    `/${Bucket}/a/`,
    `/${Bucket}//a`,
    `/${Bucket}/.`,
    `/${Bucket}/a%00b`,
    `/..%2foutside/key`,
    `/.s3/key`,
  ];
  for (const target of targets) {
    for (const method of ['PUT', 'GET', 'DELETE']) {
      const { status } = await raw(method, target, {}, 'x');
      assert.ok(status === 400 || status === 404, `${method} ${target}: ${status}`);
    }
  }
  await assert.rejects(fs.stat(outside));
  assert.deepEqual((await fs.readdir(s3.folder)).sort(), ['.s3', Bucket]);
});

test('a key that is a folder of another key, or below one, is refused and hurts neither', async () => {
  await put('tree/branch', 'leaf');
  for (const condition of [{}, { IfNoneMatch: '*' }]) {
    assert.deepEqual(await refusal(put('tree', 'x', condition)), ['InvalidRequest', 409]);
    assert.deepEqual(await refusal(put('tree/branch/leaf', 'x', condition)), ['InvalidRequest', 409]);
  }
  assert.equal((await bytesOf('tree/branch')).toString(), 'leaf');
  assert.deepEqual(await refusal(bytesOf('tree')), ['NoSuchKey', 404]);
});

test('a deleted object is gone, with its folder; a second deletion succeeds', async () => {
  await put('deleted/deep/one', '1');
  await put('deleted/deep/two', '2');
  await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'deleted/deep/one' }));
  assert.deepEqual(await refusal(bytesOf('deleted/deep/one')), ['NoSuchKey', 404]);
  assert.equal((await bytesOf('deleted/deep/two')).toString(), '2');
  const answer = await s3.client.send(
    new DeleteObjectsCommand({
      Bucket,
      Delete: { Objects: [{ Key: 'deleted/deep/two' }, { Key: 'deleted/<never>&' }] },
    }),
  );
  assert.deepEqual(
    answer.Deleted!.map(({ Key }) => Key),
    ['deleted/deep/two', 'deleted/<never>&'],
  );
  await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'deleted/deep/two' }));
  await assert.rejects(fs.stat(path.join(s3.folder, Bucket, 'deleted')));
});

test('conditions on the time of an object hold to the second, unless one on its ETag is there', async () => {
  await put('timed', 'x');
  const { LastModified, ETag } = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'timed' }));
  const at = (ms: number): string => new Date(LastModified!.getTime() + ms).toUTCString();
  const get = async (headers: Record<string, string>): Promise<number> =>
    (await raw('GET', `/${Bucket}/timed`, headers)).status;
  assert.equal(await get({ 'if-modified-since': at(0) }), 304);
  assert.equal(await get({ 'if-modified-since': at(-1000) }), 200);
  assert.equal(await get({ 'if-modified-since': at(0), 'if-none-match': '"other"' }), 200);
  assert.equal(await get({ 'if-unmodified-since': at(0) }), 200);
  assert.equal(await get({ 'if-unmodified-since': at(-1000) }), 412);
  assert.equal(await get({ 'if-unmodified-since': at(-1000), 'if-match': ETag! }), 200);
  assert.equal(await get({ 'if-modified-since': 'yesterday' }), 200);
});

test('a deletion of more than 1,000 keys is refused whole', async () => {
  await put('deleted/1', 'x');
  const Objects = Array.from({ length: 1001 }, (_, i) => ({ Key: `deleted/${i}` }));
  const call = s3.client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  assert.deepEqual(await refusal(call), ['MalformedXML', 400]);
  assert.equal((await bytesOf('deleted/1')).toString(), 'x');
});

test('an unknown bucket is named, and what is not implemented is refused and not ignored', async () => {
  assert.deepEqual(await refusal(s3.client.send(new GetObjectCommand({ Bucket: 'no-such', Key: 'k' }))), [
    'NoSuchBucket',
    404,
  ]);
  assert.match((await raw('PUT', '/no-such/key', {}, 'x')).body, /NoSuchBucket/);
  const refused: [string, string, Record<string, string>][] = [
    ['PUT', `/${Bucket}/k`, { 'if-match': '"x"' }],
    ['PUT', `/${Bucket}/k`, { 'if-none-match': '"x"' }],
    ['PUT', `/${Bucket}/k`, { 'x-amz-copy-source': 'a/b' }],
    ['PUT', `/${Bucket}/k`, { 'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA=' }],
    ['PUT', `/${Bucket}/k?tagging`, {}],
    ['DELETE', `/${Bucket}/k`, { 'if-match': '"x"' }],
    ['POST', `/${Bucket}/k?uploads`, {}],
    ['GET', `/${Bucket}?versions`, {}],
  ];
  for (const [method, target, headers] of refused) {
    assert.equal((await raw(method, target, headers)).status, 501, `${method} ${target}`);
  }
});

test('a client that goes away in the middle of a body leaves nothing', async () => {
  await new Promise<void>((resolve) => {
    const request = http.request(s3.endpoint, {
      method: 'PUT',
      path: `/${Bucket}/abandoned`,
      headers: { 'content-length': '1000' },
    });
    request.once('error', () => resolve());
    request.write('half of it', () => request.destroy(new Error('gone')));
  });
  // The answer to a later request shows that the server lives; the abandoned one is settled by then or soon after.
  const temporary = path.join(s3.folder, '.s3', 'temporary');
  while ((await fs.readdir(temporary)).length > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await refusal(bytesOf('abandoned')), ['NoSuchKey', 404]);
});
