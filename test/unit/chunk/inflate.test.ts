/** Decompressing by WebAssembly: the same bytes as zlib's, and nothing taken that zlib does not take. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { readHeader } from '../../../chunk/header.ts';
import { type Inflated, Inflater } from '../../../chunk/inflate.ts';
import { checkChunk } from '../../../chunk/soundness.ts';
import { chunkOf } from '../../support/chunk-arbitraries.ts';
import { deflateStream } from '../../support/deflate-streams.ts';
import { chance } from '../../support/random.ts';

const MOST = 3_000_000;
const FINAL_BLOCK = Buffer.of(3, 0);
const inflater = Inflater.create()!;
const { Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_FIXED, Z_RLE, Z_HUFFMAN_ONLY, Z_DEFAULT_STRATEGY } = zlib.constants;

function newlines(bytes: Buffer): number {
  return bytes.reduce((sum, byte) => sum + Number(byte === 0x0a), 0);
}

/** What zlib makes of the data when the final block follows, and is where it ends. */
function byZlib(data: Buffer): Inflated | null {
  try {
    const done = zlib.inflateRawSync(Buffer.concat([data, FINAL_BLOCK]), {
      info: true,
      maxOutputLength: MOST,
    });
    const { buffer, engine } = done as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    if (engine.bytesWritten !== data.length + FINAL_BLOCK.length) return null;
    const last = buffer.at(-1) ?? -1;
    return { bytes: buffer.length, crc: zlib.crc32(buffer), last, lines: newlines(buffer) };
  } catch {
    return null;
  }
}

/** Bytes that repeat near and far, of few letters and of many. */
const raws = fc
  .record({
    seed: fc.integer(),
    length: fc.oneof(fc.nat(300), fc.nat(300_000)),
    letters: fc.integer({ min: 1, max: 256 }),
    back: fc.constantFrom(0, 1, 2, 7, 8, 15, 16, 17, 31, 258, 5000, 32_768),
  })
  .map(({ seed, length, letters, back }) => {
    const bytes = Buffer.alloc(length);
    let state = seed | 1;
    for (let i = 0; i < length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      const isNew = back === 0 || i < back || (state >>> 4) % 40 === 0;
      bytes[i] = isNew ? Math.min(state >>> 24, (state >>> 16) & 0xff) % letters : bytes[i - back]!;
    }
    return bytes;
  });
const streams = fc
  .tuple(
    raws,
    fc.record({
      level: fc.integer({ min: 0, max: 9 }),
      memLevel: fc.integer({ min: 1, max: 9 }),
      windowBits: fc.integer({ min: 9, max: 15 }),
      strategy: fc.constantFrom(Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED),
      finishFlush: fc.constantFrom(Z_SYNC_FLUSH, Z_FULL_FLUSH),
    }),
  )
  .map(([raw, options]) => zlib.deflateRawSync(raw, options));

test('what zlib compresses comes to the same', () => {
  fc.assert(
    fc.property(fc.array(streams, { maxLength: 3 }), (parts) => {
      const data = Buffer.concat(parts);
      assert.deepEqual(inflater.inflate(data, MOST), byZlib(data));
    }),
    { numRuns: 150 },
  );
});

test('newlines are counted, of bytes of any length', () => {
  const bytes = fc.oneof(
    raws,
    fc.nat(200_000).map((length) => Buffer.alloc(length, 0x0a)),
  );
  fc.assert(fc.property(bytes, (raw) => assert.equal(inflater.newlines(raw), newlines(raw))));
});

test('what is damaged is taken only as zlib takes it', () => {
  const change = fc.record({
    kind: fc.constantFrom('bit', 'byte', 'cut', 'insert'),
    at: fc.oneof(fc.nat(100), fc.nat(60_000)),
    value: fc.nat(255),
  });
  fc.assert(
    fc.property(streams, fc.array(change, { minLength: 1, maxLength: 8 }), (data, changes) => {
      for (const { kind, at: wanted, value } of changes) {
        const at = wanted % Math.max(1, data.length);
        let changed = Buffer.from(data);
        if (kind === 'bit') changed[at]! ^= 1 << (value & 7);
        else if (kind === 'byte') changed[at] = value;
        else if (kind === 'cut') changed = changed.subarray(0, at);
        else changed = Buffer.concat([changed.subarray(0, at), Buffer.of(value), changed.subarray(at)]);
        const found = inflater.inflate(changed, MOST - 1);
        if (found) assert.deepEqual(found, byZlib(changed));
      }
    }),
    { numRuns: 150 },
  );
});

test('codes that no compressor chooses, and faulty ones, are taken only as zlib takes them', (context) => {
  const random = chance(context);
  let taken = 0;
  for (let i = 0; i < 300; i++) {
    const data = deflateStream(random);
    const found = inflater.inflate(data, MOST - 1);
    if (found === null) continue;
    taken += 1;
    assert.deepEqual(found, byZlib(data), data.toString('base64'));
  }
  assert.ok(taken > 20, `${taken} of 300 streams were taken`);
});

test('a final block, a block that stays open, and a reference before the beginning are refused', () => {
  const lines = Buffer.from('{"a":1}\n'.repeat(100));
  const sound = zlib.deflateRawSync(lines, { finishFlush: Z_SYNC_FLUSH });
  assert.notEqual(inflater.inflate(sound, lines.length), null);
  assert.equal(inflater.inflate(sound, lines.length - 1), null, 'more than announced');
  assert.equal(inflater.inflate(zlib.deflateRawSync(lines), MOST), null);
  assert.equal(inflater.inflate(sound.subarray(0, -5), MOST), null);
  const dictionary = zlib.deflateRawSync(lines, { dictionary: lines, finishFlush: Z_SYNC_FLUSH });
  // What was decompressed before is still in the memory.
  assert.notEqual(inflater.inflate(sound, lines.length), null);
  assert.equal(inflater.inflate(dictionary, MOST), null);
});

test('a chunk is what zlib alone says that it is', () => {
  const text = '{"message":"x"}\n'.repeat(5000);
  const sound = chunkOf(text);
  const header = readHeader(sound);
  assert.deepEqual(checkChunk(sound, header), { soundness: 'splice', lines: 5000 });
  assert.deepEqual(checkChunk(sound, header, null), { soundness: 'splice', lines: 5000 });
  const lies = [
    { ...header, rawBytes: header.rawBytes + 1 },
    { ...header, rawBytes: header.rawBytes - 1 },
    { ...header, spliceable: false },
  ];
  for (const lie of lies) assert.deepEqual(checkChunk(sound, lie), checkChunk(sound, lie, null));
  for (let at = header.headerBytes; at < sound.length; at += 7) {
    const changed = Buffer.from(sound);
    changed[at]! ^= 1 << (at & 7);
    assert.deepEqual(checkChunk(changed, header), checkChunk(changed, header, null), `byte ${at}`);
  }
});
