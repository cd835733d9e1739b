import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { linesFault } from '../../../archive/ndjson.ts';

const faultOf = (text: string): Promise<string | null> => linesFault(gzipSync(text));

test('an object is whole lines, each of them a JSON object', async () => {
  assert.equal(await faultOf('{"a":1}\n{"b":{}}\n'), null);
  assert.equal(await faultOf(''), null);
  assert.match((await faultOf('{\n  "a": 1\n}\n'))!, /line 1 is not a JSON object/);
  assert.match((await faultOf('{"a":1}\ntext\n'))!, /line 2 is not/);
  assert.match((await faultOf('{"a":1}\n\n'))!, /line 2 is not/);
  assert.match((await faultOf('{"a":1}'))!, /whole line/);
  // More than a stream hands on at a time.
  const many = '{"message":"a line of some length"}\n'.repeat(20_000);
  assert.equal(await faultOf(many), null);
  assert.equal(await linesFault(zstdCompressSync(many)), null);
});

test('every frame of an object of several zstd frames is looked at', async () => {
  const good = zstdCompressSync('{"a":1}\n');
  assert.equal(await linesFault(Buffer.concat([good, good])), null);
  assert.match((await linesFault(Buffer.concat([good, zstdCompressSync('text\n')])))!, /line 2 is not/);
});
