/** The embedded S3 lists keys as S3 does: in the order of their bytes, by prefix and delimiter, page by page. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { compareKeys, type ListRequest, listPage } from '../../../../local/s3/listing.ts';
import { BUCKET as Bucket, type LocalS3, startLocalS3 } from '../../../support/local-s3.ts';

/** Keys whose orders as text, as bytes and as paths differ. */
const KEYS = [
  'a',
  'a!b',
  'a-b/1',
  'a.b',
  'b/1',
  'b/2/x',
  'b/2/y',
  'b/2.z',
  'b0',
  'c/d/e/f',
  'ü',
  '\uFF5E',
  '🍵/1',
  '🍵0',
];

let s3: LocalS3;
before(async () => {
  s3 = await startLocalS3();
  for (const Key of KEYS) await s3.client.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
});
after(() => s3.stop());

function byBytes(keys: readonly string[]): string[] {
  return keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** What S3 would list, said in the simplest way. */
function model(keys: readonly string[], { prefix, delimiter, startAfter }: ListRequest): string[] {
  const listed: string[] = [];
  for (const key of byBytes(keys)) {
    if (!key.startsWith(prefix) || Buffer.compare(Buffer.from(key), Buffer.from(startAfter)) <= 0) continue;
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const item = end === -1 ? key : key.slice(0, end + delimiter.length);
    if (listed.at(-1) !== item) listed.push(item);
  }
  return listed;
}

async function listAll(request: ListRequest): Promise<{ items: string[]; pages: number[] }> {
  const items: string[] = [];
  const pages: number[] = [];
  let token: string | undefined;
  do {
    const page = await s3.client.send(
      new ListObjectsV2Command({
        Bucket,
        Prefix: request.prefix,
        ...(request.delimiter === '' ? {} : { Delimiter: request.delimiter }),
        ...(request.startAfter === '' ? {} : { StartAfter: request.startAfter }),
        ...(token === undefined ? {} : { ContinuationToken: token }),
        MaxKeys: request.maxKeys,
      }),
    );
    const keys = (page.Contents ?? []).map(({ Key }) => Key!);
    const prefixes = (page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix!);
    assert.equal(page.KeyCount, keys.length + prefixes.length);
    assert.equal(page.IsTruncated, page.NextContinuationToken !== undefined);
    items.push(...byBytes([...keys, ...prefixes]));
    pages.push(keys.length + prefixes.length);
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return { items, pages };
}

test('the pages of a listing, joined, are what the model lists', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        prefix: fc.constantFrom('', 'a', 'b', 'b/', 'b/2', 'b/2/', 'c/d', '🍵', 'none'),
        delimiter: fc.constantFrom('', '/', '.', '2'),
        startAfter: fc.constantFrom('', ...KEYS, 'b/2', 'b/', 'zz', 'c/d/e/f/g'),
        maxKeys: fc.integer({ min: 1, max: 6 }),
      }),
      async (request) => {
        const { items, pages } = await listAll(request);
        const expected = model(KEYS, request);
        assert.deepEqual(items, expected);
        for (const size of pages.slice(0, -1))
          assert.equal(size, request.maxKeys, 'only the last page is short');
      },
    ),
    { numRuns: 300 },
  );
});

test('a listed object has its size, ETag and time', async () => {
  const { Contents } = await s3.client.send(new ListObjectsV2Command({ Bucket, Prefix: 'b/2/x' }));
  assert.equal(Contents!.length, 1);
  assert.equal(Contents![0]!.Size, 5);
  assert.match(Contents![0]!.ETag!, /^"[0-9a-f]{32}"$/);
  assert.ok(Contents![0]!.LastModified instanceof Date);
});

test('keys are compared by their UTF-8 bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      assert.equal(Math.sign(compareKeys(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test('a page of no keys is empty and the last', async () => {
  const none = await listPage(
    async function* () {
      yield 'a';
    },
    { prefix: '', delimiter: '', startAfter: '', maxKeys: 0 },
  );
  assert.deepEqual(none, { keys: [], commonPrefixes: [], next: null });
});
