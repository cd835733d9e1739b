/** Compressing by our own encoder: what zlib and our inflater make of it, where blocks and matches end, and its faults. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { Deflater } from '../../../chunk/deflate.ts';
import { readHeader } from '../../../chunk/header.ts';
import { Inflater } from '../../../chunk/inflate.ts';
import { checkChunk } from '../../../chunk/soundness.ts';
import { encodeChunk } from '../../../chunk/writer.ts';
import { wasmOf } from '../../../infra/wasm.ts';
import { ZERO_HEADER } from '../../support/chunk-arbitraries.ts';
import { Chance, chance } from '../../support/random.ts';

const SYNC = { finishFlush: zlib.constants.Z_SYNC_FLUSH };
const END = Buffer.of(0, 0, 0xff, 0xff);
/** As much input as the encoder has at a time; the longest match, the farthest reference. */
const HELD = 320 * 1024;
const LONGEST = 258;
const WINDOW = 32 * 1024;

const deflater = Deflater.create()!;
const inflater = Inflater.create()!;

/** Compresses, and has it decompressed by zlib and by our inflater. */
function compressed(raw: Buffer): Buffer {
  const data = Buffer.concat(deflater.deflate(raw) ?? assert.fail('it was not read back'));
  assert.deepEqual(data.subarray(-4), END);
  assert.ok(zlib.inflateRawSync(data, SYNC).equals(raw));
  const found = inflater.inflate(data, raw.length);
  assert.equal(found?.bytes, raw.length);
  assert.equal(found.crc, zlib.crc32(raw));
  return data;
}

function noise(random: Chance, length: number, letters = 256): Buffer {
  return Buffer.from(Uint8Array.from({ length }, () => random.below(letters)));
}

/** Pieces that repeat near and far, between others that do not. */
function pieces(random: Chance, most: number): Buffer {
  const found: Buffer[] = [];
  for (let bytes = 0; bytes < most; ) {
    const old = found[random.below(found.length + 1)];
    const length = 1 + random.below(random.below(3) === 0 ? 2000 : 30);
    const piece = old === undefined ? noise(random, length, 1 + random.below(256)) : old.subarray(0, length);
    found.push(piece);
    bytes += piece.length;
  }
  return Buffer.concat(found);
}

/** Letters each as often as the two before it together: the optimal code takes a bit more for each. */
function rarer(random: Chance): Buffer {
  const letters: number[] = [];
  for (let [a, b, letter] = [1, 1, 0]; letters.length < 250_000; [a, b, letter] = [b, a + b, letter + 1])
    for (let i = 0; i < a; i++) letters.push(letter);
  for (let i = letters.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [letters[i], letters[other]] = [letters[other]!, letters[i]!];
  }
  return Buffer.from(letters);
}

function ndjson(random: Chance, lines: number): Buffer {
  let text = '';
  for (let i = 0; i < lines; i++) {
    const value = random.below(2 ** 31);
    text += `{"time":"2026-11-29T08:${value % 60}:00Z","path":"/p/${value.toString(36)}","code":${200 + (value % 9)},"agent":"${'Mozilla/5.0 '.repeat(value % 5)}"}\n`;
  }
  return Buffer.from(text);
}

test('random bytes, of few and many letters, in pieces that repeat', (context) => {
  const random = new Chance(chance(context));
  for (let i = 0; i < 60; i++) {
    compressed(noise(random, random.below(3000), 1 + random.below(256)));
    compressed(pieces(random, random.below(100_000)));
  }
  for (let i = 0; i < 6; i++) {
    compressed(noise(random, random.below(1_000_000), 1 + random.below(256)));
    compressed(pieces(random, random.below(2_000_000)));
    compressed(ndjson(random, random.below(10_000)));
  }
});

test('anything at all', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), (raw) => void compressed(Buffer.from(raw))));
});

test('each length up to some, and those around what the encoder holds, of noise and of a repeated byte', (context) => {
  const random = new Chance(chance(context));
  const lengths = Array.from({ length: 600 }, (_, i) => i);
  for (const edge of [0xffff, WINDOW, 2 * 0xffff, 4 * 64 * 1024, HELD, HELD + 4 * 64 * 1024, 2 * HELD])
    for (const off of [-LONGEST - 17, -LONGEST - 16, -LONGEST, -17, -16, -15, -1, 0, 1, 15, 16, 17, LONGEST])
      if (edge + off > 600) lengths.push(edge + off);
  const bytes = noise(random, Math.max(...lengths), 200);
  const lines = ndjson(random, 9000);
  for (const length of lengths) {
    compressed(bytes.subarray(0, length));
    compressed(lines.subarray(0, length));
    const data = compressed(Buffer.alloc(length, 0x61));
    assert.ok(data.length < 120 + length / 200, `${length} times the same byte are ${data.length} bytes`);
  }
});

test('the farthest reference is found, and no farther one', (context) => {
  const random = new Chance(chance(context));
  const piece = noise(random, 200);
  for (const before of [0, 1, 70_000]) {
    const sizes = [WINDOW - 1, WINDOW, WINDOW + 1].map((distance) => {
      // Zeros in between: of them few positions are remembered, and the piece's are not forgotten.
      const raw = [noise(random, before), piece, Buffer.alloc(distance - piece.length), piece];
      return compressed(Buffer.concat(raw)).length;
    });
    const [near, edge, far] = sizes as [number, number, number];
    assert.ok(Math.abs(edge - near) < 30 && far - edge > 150, sizes.join());
  }
});

test('noise takes hardly more than itself', (context) => {
  const random = new Chance(chance(context));
  for (const length of [1000, 65_535, 65_536, 500_000, 4_000_000]) {
    const data = compressed(noise(random, length));
    assert.ok(data.length <= length + length / 8000 + 20, `${length} bytes: ${data.length}`);
  }
});

test('codes that would be too long are cut, and cost little more', (context) => {
  const random = new Chance(chance(context));
  const raw = rarer(random);
  const size = compressed(raw).length;
  const theirs = zlib.deflateRawSync(raw, { level: 3, memLevel: 9, ...SYNC }).length;
  assert.ok(size < theirs, `${size} bytes, ${theirs} by zlib`);
});

test('lines of logs come to less than with zlib at level 4', (context) => {
  const lines = ndjson(new Chance(chance(context)), 30_000);
  const theirs = zlib.deflateRawSync(lines, { level: 4, memLevel: 9, ...SYNC });
  const own = compressed(lines);
  assert.ok(own.length < theirs.length, `${own.length}, ${theirs.length}`);
});

test('the same input gives the same bytes, whatever was compressed before', (context) => {
  const random = new Chance(chance(context));
  const raw = pieces(random, 500_000);
  const first = compressed(raw);
  compressed(pieces(random, 700_000));
  assert.ok(compressed(raw).equals(first));
  assert.ok(Buffer.concat(Deflater.create()!.deflate(raw)!).equals(first));
});

test('a chunk can stand before other deflate data', (context) => {
  const random = new Chance(chance(context));
  for (const lines of [0, 1, 5000]) {
    const raw = ndjson(random, lines);
    const chunk = encodeChunk(raw, { ...ZERO_HEADER, events: lines }, { codec: 'gzip', level: 3, deflater });
    assert.ok(zlib.gunzipSync(chunk).equals(raw));
    const header = readHeader(chunk);
    assert.equal(checkChunk(chunk, header)?.soundness, 'splice');
    assert.equal(checkChunk(chunk, header, null)?.soundness, 'splice');
  }
});

/** Null too where it reaches out of its memory: whoever calls it takes that for the same. */
function attempt(wasm: string, raw: Buffer): Buffer[] | null {
  try {
    return Deflater.create(wasm)!.deflate(raw);
  } catch (error) {
    assert.ok(error instanceof Error && error.name === 'RuntimeError', String(error));
    return null;
  }
}

/** Faults of the encoder, each in one place of its source. */
const FAULTS: readonly (readonly [file: string, sound: string, faulty: string])[] = [
  ['block', 'const extra = length - load<u16>', 'const extra = length + 1 - load<u16>'],
  ['block', 'return distance < 2 ? distance :', 'return distance < 6 ? distance :'],
  ['block', 'at += length;\n    let code', 'at += length - 1;\n    let code'],
  ['block', 'MAX_SYMBOL_BITS: u32 = 14', 'MAX_SYMBOL_BITS: u32 = 16'],
  ['block', 'put(run >> 8, extraOfRun(run & 0xff));', 'put(0, extraOfRun(run & 0xff));'],
  ['block', 'resume(out + length, 0, 0);', 'resume(out + length - 1, 0, 0);'],
  ['huffman', 'if (n != 0) store<u32>(slot, own + 1);', ''],
  ['huffman', 'for (; sum > 0; sum--)', 'for (; sum > 1; sum--)'],
  ['matches', 'if (back - 1 >= reach) break;', 'if (back - 1 > reach) break;'],
  ['matches', 'return min(most, length + ctz(~equal));', 'return length + ctz(~equal) + 1;'],
  ['matches', '(<u64>(back - 1)) << 48', '(<u64>back) << 48'],
  ['bits', 'count &= 7;', 'count &= 15;'],
];

test('each fault of the encoder is found by reading back', async (context) => {
  const random = new Chance(chance(context));
  const piece = noise(random, 300);
  const inputs = [
    ndjson(random, 5000),
    noise(random, 100_000),
    pieces(random, 300_000),
    Buffer.concat([piece, noise(random, WINDOW + 1 - piece.length), piece]),
    Buffer.from(Array.from({ length: 60_000 }, () => Math.min(...[1, 2, 3, 4].map(() => random.below(250))))),
    Buffer.alloc(5000, 'abcdef'),
    rarer(random),
  ];
  for (const [file, sound, faulty] of FAULTS) {
    const wasm = await wasmOf('chunk/deflate', (path, text) => {
      if (path !== `chunk/deflate/${file}`) return text;
      assert.ok(text.includes(sound), `${file}.as has no ${sound}`);
      return text.replace(sound, faulty);
    });
    let found = 0;
    for (const raw of inputs) {
      const parts = attempt(Buffer.from(wasm).toString('base64'), raw);
      // An input that still comes out right does not show this fault.
      if (parts === null) found++;
      else assert.ok(zlib.inflateRawSync(Buffer.concat(parts), SYNC).equals(raw), `${sound} was not found`);
    }
    assert.ok(found > 0, `no input shows the fault of ${faulty}`);
  }
});
