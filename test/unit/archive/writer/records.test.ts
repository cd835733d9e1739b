/** What a record holds, and what becomes of records that are not chunks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { ENCODER } from '../../../../archive/writer/encoders.ts';
import { foreignLine, strictLine, wrapForeign } from '../../../../archive/writer/foreign.ts';
import { readRecord } from '../../../../archive/writer/record.ts';
import { exactlyStrictText, strictNamesText } from '../../../../archive/writer/strict-text.ts';
import { zstdFrames } from '../../../../archive/zstd-frames.ts';
import { ChunkVersionError } from '../../../../base/errors.ts';
import { inflateChunk, readChunks } from '../../../../chunk/reader.ts';
import { openArchiver } from '../../../support/archiver.ts';
import { ChunkSource } from '../../../support/chunks.ts';
import { MemoryArchive } from '../../../support/memory-archive.ts';
import { strictFault } from '../../../support/strict-json.ts';

const record = (data: Buffer) => readRecord({ sequence: '1', arrival: 1_764_000_000_000, data });
const FROZEN =
  'H4sIBAAAAAAE/4sAVFKHAAEADwC+AAAALhlYSBB6BwACAAAAGgAAAOH548pFmwN+7vv44eRgr4au5Fxaa81ntnH1xOvzOz3TAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAOiXtpoBAAD06Ze2mgEAAGZvcmVpZ24ud2VibG9ncwEaAOX/eyJhIjoxfQp7ImJhc2U2NCI6Ii93QT0ifQq4Y8ihGgAAAA==';
const SOURCE = { stream: 'weblogs', incarnation: '0'.repeat(18), shard: 'shardId-000000000000', number: 3 };

test('a record is taken apart into its chunks', () => {
  for (const codec of ['gzip', 'zstd'] as const) {
    const source = new ChunkSource({ name: 'a', codec });
    const made = [1, 2, 3].map((events) => source.next('t', 494_000, events));
    const item = record(Buffer.concat(made.map(({ bytes }) => bytes)));
    assert.deepEqual(
      item.chunks.map(({ header }) => header.sequence),
      [1, 2, 3],
    );
    assert.equal(item.foreign, null);
    assert.equal(item.damaged, false);
  }
});

test('whatever is done to a record, each of its bytes is in a sound chunk or kept as foreign', () => {
  const source = new ChunkSource({ name: 'a' });
  const whole = Buffer.concat([1, 2, 3].map((events) => source.next('t', 494_000, events).bytes));
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(), (at, flip, cut) => {
      const bytes = Buffer.from(whole.subarray(0, whole.length - (cut % 40)));
      bytes[at % bytes.length]! ^= flip;
      let item: ReturnType<typeof record>;
      try {
        item = record(bytes);
      } catch (error) {
        // The one byte that says how to read the rest must not be guessed at.
        assert.ok(error instanceof ChunkVersionError);
        return;
      }
      const kept =
        item.chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0) + (item.foreign?.length ?? 0);
      assert.equal(kept, bytes.length);
      assert.ok(item.foreign !== null);
    }),
  );
});

test('foreign records of every kind become lines that say all of them', () => {
  assert.equal(foreignLine(Buffer.from('{"a": 1.10}')), '{"a": 1.10}\n');
  assert.equal(
    foreignLine(Buffer.from('{\n "a":\r\n 12345678901234567890}\n')),
    '{  "a":   12345678901234567890}\n',
  );
  assert.equal(foreignLine(Buffer.from('plain\ntext')), '{"message":"plain\\ntext"}\n');
  assert.equal(foreignLine(Buffer.from('[1]')), '{"message":"[1]"}\n');
  assert.equal(foreignLine(Buffer.alloc(0)), '{"message":""}\n');
  assert.equal(
    foreignLine(gzipSync('x')),
    `${JSON.stringify({ base64: gzipSync('x').toString('base64') })}\n`,
  );
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array(), fc.string().map(Buffer.from), fc.json().map(Buffer.from)),
      (bytes) => {
        const data = Buffer.from(bytes);
        const line = foreignLine(data);
        assert.equal(line.indexOf('\n'), line.length - 1);
        const value = JSON.parse(line) as { base64?: string; message?: string };
        if (/^\s*\{/.test(data.toString())) return;
        const back =
          value.base64 === undefined ? Buffer.from(value.message!) : Buffer.from(value.base64, 'base64');
        assert.deepEqual(back, data);
      },
    ),
  );
});

test('since version 2 a foreign line is one that every strict reader takes', () => {
  const same = ['{"a":1}', '{"a":{"a":[{"a":1}]}}', String.raw`{"a":"\ud83d\ude00 : {}"}`, '{"":-0.5e300}'];
  for (const text of same) assert.equal(strictLine(Buffer.from(text)).toString(), `${text}\n`);
  assert.equal(
    strictLine(Buffer.from(String.raw`{"a":"\ud83d"}`)).toString(),
    `${String.raw`{"a":"\ufffd"}`}\n`,
  );
  const deep = `{"a":${'['.repeat(65)}${']'.repeat(65)}}`;
  for (const text of [
    '{"a":1,"a":2}',
    '{"b":{"a":1,"\\u0061":2}}',
    '{"a":1e400}',
    '{"a":12345678901234567890}',
    deep,
  ]) {
    assert.deepEqual(JSON.parse(strictLine(Buffer.from(text)).toString()), { message: text });
  }
  assert.equal(strictLine(Buffer.from([0xff, 0])).toString(), '{"base64":"/wA="}\n');
});

test('version 4 goes by what readers really refuse, and counts what it changed', async () => {
  const nested = (levels: number): string => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
  const same = [
    '{"t":1795467600000000000}',
    '{"t":[-9223372036854775808, 18446744073709551615]}',
    nested(63),
  ];
  same.push('{"t":0.12345678901234567890123,"e":1e-1000}', '{"12345678901234567890123":1}');
  const text = ['{"t":18446744073709551616}', '{"t":-9223372036854775809.5}', '{"t":99999999999999999999e2}'];
  text.push(nested(64), '{"a":1,"a":2}', '{"a":1e400}');
  for (const line of same) {
    assert.equal(exactlyStrictText(line), line);
    assert.equal(strictFault(Buffer.from(line)), null);
  }
  for (const line of text) {
    assert.deepEqual(JSON.parse(exactlyStrictText(line)), { message: line });
    assert.notEqual(strictFault(Buffer.from(line)), null, line);
  }
  let rewritten = 0;
  const committed = (_: unknown, lines: number): void => {
    rewritten += lines;
  };
  const archiver = await openArchiver(new MemoryArchive(), { events: { committed } });
  const all = [...same, ...text, 'plain text', String.raw`{"a":"\ud83d"}`];
  const records = all.map((data, i) => ({ sequence: `${i + 1}`, arrival: 1e12, data: Buffer.from(data) }));
  await archiver.take(records, false);
  await archiver.flush();
  assert.equal(rewritten, text.length + 1);
});

test('version 5 keeps a record with a NUL in a name as text, and one in a value as it is', async () => {
  const value = String.raw`{"a":"\u0000","o":[{"\\u0000":1}]}`;
  assert.equal(strictNamesText(value), value);
  for (const line of [String.raw`{"a\u0000":1}`, String.raw`{"o":[{"\u0000":1}]}`]) {
    assert.equal(exactlyStrictText(line), line);
    assert.deepEqual(JSON.parse(strictNamesText(line)), { message: line });
  }
  assert.equal(ENCODER, 5);
});

test('the encoder of version 1 writes the bytes that it always wrote', () => {
  const records = [
    { arrival: 1_764_000_000_000, data: Buffer.from('{"a":1}') },
    { arrival: 1_764_000_000_500, data: Buffer.from([0xff, 0]) },
  ];
  const { chunks, rawBytes } = wrapForeign(SOURCE, 490_000, records);
  assert.equal(rawBytes, 8 + '{"base64":"/wA="}\n'.length);
  assert.equal(
    chunks[0]!.toString('base64'),
    FROZEN,
    'a change here makes workers of two releases disagree: it has to be a new version',
  );
});

test('wrapped records are sound chunks, however large', () => {
  const large = Buffer.from(JSON.stringify({ text: 'x'.repeat(200_000) }));
  const records = Array.from({ length: 100 }, (_, i) => ({ arrival: i, data: large }));
  const { chunks } = wrapForeign(SOURCE, 0, records);
  assert.equal(chunks.length, 2);
  const headers = [...readChunks(Buffer.concat(chunks))];
  assert.equal(
    headers.reduce((sum, { header }) => sum + header.events, 0),
    100,
  );
  for (const { bytes, header } of headers) assert.deepEqual(inflateChunk(bytes, header), gunzipSync(bytes));
});

test('concatenated zstd frames are split where each ends', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string(), fc.constant('x'.repeat(300_000))), { minLength: 1, maxLength: 6 }),
      (texts) => {
        const frames = texts.map((text) => zstdCompressSync(text));
        const found = [...zstdFrames(Buffer.concat(frames))];
        assert.deepEqual(
          found.map((frame) => zstdDecompressSync(frame).toString()),
          texts,
        );
      },
    ),
  );
  const frame = zstdCompressSync('hello');
  assert.throws(() => [...zstdFrames(frame.subarray(0, frame.length - 1))], { code: 'CHUNK_TRUNCATED' });
  assert.throws(() => [...zstdFrames(Buffer.from('not zstd'))], { code: 'CHUNK_CORRUPT' });
});

test('a batch of more foreign records than a call takes arguments is archived, by every encoder', async () => {
  const data = Buffer.from('{"a":1}');
  const records = Array.from({ length: 150_000 }, (_, i) => ({
    sequence: `${i + 1}`,
    arrival: 1e12 + i,
    data,
  }));
  for (const encoder of [1, 2, 3, 4]) {
    const archiver = await openArchiver(new MemoryArchive(), { encoder });
    await archiver.take(records, false);
    await archiver.flush();
    assert.equal(archiver.pendingSince, null, `encoder ${encoder}`);
  }
});
