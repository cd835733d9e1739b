import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import {
  ChunkCorruptError,
  ChunkTruncatedError,
  ChunkVersionError,
  TailraceError,
} from '../../../base/errors.ts';
import { codecAt, crcOffset, explicitHashKey, readHeader } from '../../../chunk/header.ts';
import { inflateChunk, readChunk, readChunks } from '../../../chunk/reader.ts';
import { compressLines, encodeChunk } from '../../../chunk/writer.ts';
import { chunkOf, codecs, headers, hex, lines } from '../../support/chunk-arbitraries.ts';

test('a chunk gives back its header and its lines', () => {
  fc.assert(
    fc.property(lines, headers, codecs, (text, header, codec) => {
      const raw = Buffer.from(text);
      const chunk = encodeChunk(raw, header, { codec, level: 1 });
      const { bytes, crc, headerBytes, ...read } = readChunk(chunk);
      assert.deepEqual(read, { ...header, codec, rawBytes: raw.length, spliceable: codec === 'gzip' });
      assert.equal(bytes, chunk.length);
      const body = compressLines(raw, header.tag, { codec, level: 1 });
      assert.equal(body.chunk.length, chunk.length);
      assert.equal(inflateChunk(chunk, readHeader(chunk)).toString(), text);
      assert.ok(headerBytes < bytes && crc >= 0);
    }),
  );
});

test('a reader hops from chunk to chunk, whatever their codecs', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(lines, codecs)), fc.nat(64), (parts, before) => {
      const bytes = Buffer.concat([
        Buffer.alloc(before),
        ...parts.map(([text, codec]) => chunkOf(text, {}, codec)),
      ]);
      const read = [...readChunks(bytes, before)].map((chunk) =>
        inflateChunk(chunk.bytes, chunk.header).toString(),
      );
      assert.deepEqual(
        read,
        parts.map(([text]) => text),
      );
    }),
  );
});

test('concatenated gzip chunks are one gzip file', () => {
  fc.assert(
    fc.property(fc.array(lines, { minLength: 1 }), (texts) => {
      const gzip = Buffer.concat(texts.map((text) => chunkOf(text)));
      assert.equal(zlib.gunzipSync(gzip).toString(), texts.join(''));
    }),
  );
});

const zstd = spawnSync('zstd', ['--version']).status === 0;

test('concatenated zstd chunks are one zstd file', { skip: zstd ? false : 'no zstd command here' }, () => {
  // Not asked of node:zlib, which stops behind the first frame.
  const input = Buffer.concat(['{"n":1}\n', '', '{"n":2}\n'].map((text) => chunkOf(text, {}, 'zstd')));
  assert.equal(execFileSync('zstd', ['-dc'], { input }).toString(), '{"n":1}\n{"n":2}\n');
});

test('gzip -t and zcat take concatenated chunks', () => {
  const input = Buffer.concat(['{"n":1}\n', '', '{"n":2}\n{"n":3}\n'].map((text) => chunkOf(text)));
  execFileSync('gzip', ['-t'], { input });
  assert.equal(execFileSync('zcat', [], { input }).toString(), '{"n":1}\n{"n":2}\n{"n":3}\n');
});

test('a chunk that ends too early is truncated, at whatever byte', () => {
  for (const codec of ['gzip', 'zstd'] as const) {
    const chunk = chunkOf('{"n":1}\n', {}, codec);
    for (let length = 0; length < chunk.length; length++) {
      assert.throws(
        () => readChunk(chunk.subarray(0, length)),
        ChunkTruncatedError,
        `${codec} cut at ${length}`,
      );
    }
  }
});

test('no flipped bit goes unnoticed', () => {
  for (const codec of ['gzip', 'zstd'] as const) {
    const chunk = chunkOf('{"n":1}\n{"n":2}\n', {}, codec);
    for (let bit = 0; bit < chunk.length * 8; bit++) {
      const damaged = Buffer.from(chunk);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(() => readChunk(damaged), TailraceError, `${codec} bit ${bit}`);
    }
  }
});

test('random and spliced bytes end in a typed error, without a large allocation', () => {
  const chunk = chunkOf('{"n":1}\n');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(chunk.length), (noise, keep) => {
      const bytes = Buffer.concat([chunk.subarray(0, keep), noise]);
      try {
        for (const placed of readChunks(bytes)) assert.ok(placed.bytes.length <= bytes.length);
      } catch (error) {
        assert.ok(error instanceof TailraceError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('a chunk that inflates to more than it announces is refused without inflating it', () => {
  for (const codec of ['gzip', 'zstd'] as const) {
    const bomb = chunkOf('a'.repeat(50_000_000), {}, codec);
    // rawBytes stands 12 bytes behind the checksum; with its checksum recomputed, so that only the size is false.
    bomb.writeUInt32LE(10, crcOffset(codec) + 12);
    bomb.writeUInt32LE(0, crcOffset(codec));
    bomb.writeUInt32LE(zlib.crc32(bomb), crcOffset(codec));
    const header = readChunk(bomb);
    assert.equal(header.rawBytes, 10);
    const before = process.memoryUsage().arrayBuffers;
    assert.throws(() => inflateChunk(bomb, header), ChunkCorruptError);
    assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
  }
});

test('an unknown format version is said, not guessed at', () => {
  const chunk = chunkOf('{}\n');
  chunk[crcOffset('gzip') - 8] = 2;
  assert.throws(
    () => readChunk(chunk),
    (error) => error instanceof ChunkVersionError && error.version === 2,
  );
});

test('bytes of others are not a chunk', () => {
  for (const bytes of [
    zlib.gzipSync('{"message":"of another producer"}\n'),
    zlib.zstdCompressSync('{"message":"of another producer"}\n'),
    Buffer.from('{"plain":"json"}'),
  ]) {
    assert.equal(codecAt(bytes, 0), null);
    assert.throws(() => readChunk(bytes), ChunkCorruptError);
  }
});

test('tags and lines beyond the format are refused', () => {
  assert.throws(() => chunkOf('{}\n', { tag: 'x'.repeat(1025) }), { code: 'CHUNK_TOO_LARGE' });
});

test('the explicit hash key is the lane as a decimal number', () => {
  assert.equal(explicitHashKey('0'.repeat(32)), '0');
  assert.equal(explicitHashKey('f'.repeat(32)), String(2n ** 128n - 1n));
  fc.assert(
    fc.property(hex(32), (lane) => BigInt(explicitHashKey(lane)).toString(16).padStart(32, '0') === lane),
  );
});
