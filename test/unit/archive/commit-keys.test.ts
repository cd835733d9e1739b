/** Names in the archive: reversible, ordered, and never two for one or one for two. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  commitKey,
  compareSequence,
  DEFAULT_KEY_TEMPLATE,
  decodeTag,
  encodeTag,
  incarnationFamily,
  incarnationOf,
  objectKey,
  parseCommitKey,
  templateFault,
} from '../../../archive/commit-keys.ts';

const tags = fc.string({ unit: 'binary', maxLength: 300 }).filter((tag) => tag.isWellFormed());

test('sequence numbers compare by value', () => {
  const number = fc.bigInt({ min: 0n, max: 2n ** 190n });
  fc.assert(
    fc.property(number, number, (a, b) => {
      assert.equal(Math.sign(compareSequence(String(a), String(b))), a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});

test('the newest commit is listed first', () => {
  const number = fc.integer({ min: 1, max: 999_999_999_998 });
  fc.assert(
    fc.property(number, number, (a, b) => {
      const [x, y] = [a, b].map((n) => commitKey('p/', '0'.repeat(18), 'shardId-000000000000', n)) as [
        string,
        string,
      ];
      assert.equal(Buffer.compare(Buffer.from(x), Buffer.from(y)), a < b ? 1 : a > b ? -1 : 0);
      assert.deepEqual(parseCommitKey(x), {
        incarnation: '0'.repeat(18),
        shard: 'shardId-000000000000',
        number: a,
      });
    }),
  );
  assert.equal(parseCommitKey(`_commits/${'0'.repeat(18)}/s/999999999998-2.json`), null);
});

test('a tag comes back from its key, and no key has what S3 or Hive dislikes', () => {
  fc.assert(
    fc.property(tags, (tag) => {
      const encoded = encodeTag(tag);
      assert.match(encoded, /^[\w.\-%~]+$/);
      assert.doesNotMatch(encoded, /^\.+$/);
      assert.ok(encoded.length <= 200);
      if (encoded.includes('~')) assert.equal(decodeTag(encoded), null);
      else assert.equal(decodeTag(encoded), tag);
    }),
  );
  for (const tag of ['', '.', '..', 'a/b', 'a=b', 'ü', 'nginx.access', '%41'])
    assert.equal(decodeTag(encodeTag(tag)), tag);
});

test('two tags never share a key', () => {
  fc.assert(
    fc.property(tags, tags, (a, b) => {
      if (a !== b) assert.notEqual(encodeTag(a), encodeTag(b));
    }),
  );
  const long = 'x'.repeat(500);
  assert.notEqual(encodeTag(`${long}a`), encodeTag(`${long}b`));
});

test('incarnations of a stream share their family and sort by age', () => {
  const stream = { account: '123456789012', region: 'eu-central-1', name: 'weblogs' };
  const older = incarnationOf({ ...stream, createdAt: 1_700_000_000_000 });
  const newer = incarnationOf({ ...stream, createdAt: 1_800_000_000_000 });
  assert.ok(older < newer);
  assert.ok(older.startsWith(incarnationFamily(stream)) && newer.startsWith(incarnationFamily(stream)));
  assert.notEqual(incarnationFamily(stream), incarnationFamily({ ...stream, name: 'weblog' }));
});

test('an object key follows its template', () => {
  const object = {
    tag: 'nginx/access',
    hour: 494_567,
    codec: 'gzip',
    incarnation: 'i',
    shard: 's',
    number: 9,
    hash: 'h',
  } as const;
  assert.equal(
    objectKey('p/', DEFAULT_KEY_TEMPLATE, object),
    'p/logs/tag=nginx%2Faccess/dt=2026-06-02/hour=23/i-s-9-h.ndjson.gz',
  );
  assert.equal(
    objectKey('', '{shard}/{dt}/{name}', { ...object, codec: 'zstd' }),
    's/2026-06-02/i-s-9-h.ndjson.zst',
  );
  assert.equal(templateFault(DEFAULT_KEY_TEMPLATE), null);
  const nested = ['{name}/{name}', 'a//{name}', './{name}', 'a/../{name}'];
  for (const bad of [
    'a/b',
    '/{name}',
    '_commits/{name}',
    '{day}/{name}',
    'a b/{name}',
    '{tag/{name}',
    ...nested,
  ]) {
    assert.notEqual(templateFault(bad), null, bad);
  }
});
