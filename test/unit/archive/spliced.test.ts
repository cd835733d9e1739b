/** Objects that are one gzip member: every reader gets every line, and a reader can begin at each of their parts. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import type { CommitObject } from '../../../archive/commit.ts';
import { inflatePart, MAX_HEADER_BYTES, type Piece, readParts, splice } from '../../../archive/spliced.ts';
import { ENCODER, ENCODERS } from '../../../archive/writer/encoders.ts';
import { ReceivedChunk } from '../../../archive/writer/record.ts';
import { joinCrc32 } from '../../../chunk/crc32.ts';
import { readHeader } from '../../../chunk/header.ts';
import { checkChunk, splicedData, trailerCrc } from '../../../chunk/soundness.ts';
import { chunkOf, lines } from '../../support/chunk-arbitraries.ts';
import { ChunkSource, LIES } from '../../support/chunks.ts';
import { generator } from '../../support/random.ts';

const HOUR = 494_000;
const HOUR_MS = 3_600_000;

function pieceOf(text: string, firstTime = HOUR * HOUR_MS, lastTime = firstTime): Piece {
  const bytes = chunkOf(text, { events: text.split('\n').length - 1, firstTime, lastTime });
  const header = readHeader(bytes);
  return { ...header, data: splicedData(bytes, header), crc: trailerCrc(bytes, header) };
}

function describe(pieces: readonly Piece[], bytes: Buffer): CommitObject {
  const sum = (value: (piece: Piece) => number): number => pieces.reduce((n, piece) => n + value(piece), 0);
  return {
    key: 'k',
    tag: 't',
    hour: HOUR,
    codec: 'gzip',
    form: 'member',
    first_time: Math.min(...pieces.map(({ firstTime }) => firstTime)),
    last_time: Math.max(...pieces.map(({ lastTime }) => lastTime)),
    bytes: bytes.length,
    sha256: '',
    chunks: pieces.length,
    events: sum(({ events }) => events),
    raw_bytes: sum(({ rawBytes }) => rawBytes),
    foreign: 0,
    runs: {},
  };
}

/** Pieces of incompressible lines, about 20 KB each. */
function largePieces(count: number, seed = 7): Piece[] {
  const random = generator(seed);
  return Array.from({ length: count }, (_, i) => {
    const noise = Buffer.from(Array.from({ length: 20_000 }, () => Math.floor(random() * 256)));
    const time = HOUR * HOUR_MS + i * 1000;
    return pieceOf(`${JSON.stringify({ i, noise: noise.toString('base64') })}\n`, time, time + 999);
  });
}

test('the CRC-32 of joined pieces is that of the whole', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), fc.uint8Array({ maxLength: 5000 }), (a, b) => {
      const whole = zlib.crc32(Buffer.concat([a, b]));
      assert.equal(joinCrc32(zlib.crc32(a), zlib.crc32(b), b.length), whole);
    }),
  );
  // Lengths of many bits: zeros, whose CRC is found by doubling.
  let crc = zlib.crc32(Buffer.alloc(1 << 20));
  for (let bits = 20; bits < 27; bits++) crc = joinCrc32(crc, crc, 2 ** bits);
  assert.equal(crc, zlib.crc32(Buffer.alloc(1 << 27)));
});

test('spliced chunks are one gzip member of all their lines', () => {
  fc.assert(
    fc.property(fc.array(lines, { minLength: 1, maxLength: 12 }), (texts) => {
      const object = Buffer.concat(
        splice(
          texts.map((text) => pieceOf(text)),
          HOUR,
        ),
      );
      const { buffer, engine } = zlib.gunzipSync(object, { info: true }) as unknown as {
        buffer: Buffer;
        engine: { bytesWritten: number };
      };
      assert.equal(buffer.toString(), texts.join(''));
      assert.equal(engine.bytesWritten, object.length);
      assert.equal(object.indexOf(Buffer.of(0x1f, 0x8b, 8), 1), -1, 'there is no second member');
    }),
  );
});

test('gzip -t takes a spliced object, and gzip -l knows its size', () => {
  const object = Buffer.concat(splice([pieceOf('{"n":1}\n'), pieceOf(''), pieceOf('{"n":2}\n')], HOUR));
  execFileSync('gzip', ['-t'], { input: object });
  assert.match(execFileSync('gzip', ['-l'], { input: object }).toString(), /\s16\s/);
});

test('a reader can begin at each part of a large object, and knows what is in it', () => {
  const pieces = largePieces(40);
  const bytes = Buffer.concat(splice(pieces, HOUR));
  const object = describe(pieces, bytes);
  const parts = readParts(bytes.subarray(0, MAX_HEADER_BYTES), false, object);
  assert.equal(parts.length, 10);
  const texts = parts.map((part) => inflatePart(bytes.subarray(part.offset, part.offset + part.bytes), part));
  assert.deepEqual(Buffer.concat(texts), zlib.gunzipSync(bytes));
  texts.forEach((text, i) => {
    const numbers = text
      .toString()
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { i: number }).i);
    const { events, firstTime, lastTime } = parts[i]!;
    assert.equal(events, numbers.length);
    assert.equal(firstTime, HOUR * HOUR_MS + numbers[0]! * 1000);
    assert.equal(lastTime, HOUR * HOUR_MS + numbers.at(-1)! * 1000 + 999);
  });
});

test('the header stays within what every reader takes, whatever times chunks claim', () => {
  const data = Buffer.from(splicedDataOf(chunkOf('{"n":1}\n'.repeat(9000))));
  const piece = (i: number): Piece => ({
    data: Buffer.concat([data, Buffer.alloc(70_000)]),
    crc: i,
    rawBytes: 2 ** 28,
    events: 2 ** 32 - 1,
    firstTime: i % 2 === 0 ? 0 : Number.MAX_SAFE_INTEGER,
    lastTime: Number.MAX_SAFE_INTEGER,
  });
  const pieces = Array.from({ length: 3000 }, (_, i) => piece(i));
  const [header, ...rest] = splice(pieces, HOUR);
  assert.ok(header!.length <= MAX_HEADER_BYTES && MAX_HEADER_BYTES < 32_768, String(header!.length));
  const bytes = rest.reduce((sum, part) => sum + part.length, header!.length);
  const object = { ...describe(pieces, Buffer.alloc(0)), bytes };
  const parts = readParts(header!, false, object);
  assert.ok(parts.length <= 512);
  assert.equal(
    parts.reduce((sum, { events }) => sum + events, 0),
    object.events,
  );
  assert.equal(parts[0]!.firstTime, 0);
  assert.equal(parts[0]!.lastTime, Number.MAX_SAFE_INTEGER);
});

function splicedDataOf(chunk: Buffer): Buffer {
  return splicedData(chunk, readHeader(chunk));
}

test('a damaged index is noticed, and never believed beyond the object', () => {
  const pieces = largePieces(12);
  const bytes = Buffer.concat(splice(pieces, HOUR));
  const object = describe(pieces, bytes);
  const headerBytes = 12 + bytes.readUInt16LE(10);
  for (let bit = 0; bit < headerBytes * 8; bit++) {
    const damaged = Buffer.from(bytes.subarray(0, MAX_HEADER_BYTES));
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    let parts: ReturnType<typeof readParts>;
    try {
      parts = readParts(damaged, false, object);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'CHUNK_CORRUPT');
      continue;
    }
    for (const { offset, bytes: length } of parts) assert.ok(offset + length <= object.bytes);
  }
});

test('a chunk is trusted by what it decompresses to', () => {
  const source = new ChunkSource({ name: 'a' });
  const soundness = (bytes: Buffer) => checkChunk(bytes, readHeader(bytes)).soundness;
  assert.equal(soundness(source.next('t', HOUR, 3).bytes), 'splice');
  assert.equal(soundness(source.next('t', HOUR, 3, {}, 'old').bytes), 'whole');
  assert.equal(soundness(new ChunkSource({ name: 'z', codec: 'zstd' }).next('t', HOUR, 3).bytes), 'whole');
  for (const lie of LIES) {
    const { bytes } = source.next('t', HOUR, 3, {}, lie);
    const header = readHeader(bytes);
    const formOf = (encoder: number) => ENCODERS.get(encoder)!.formOf(new ReceivedChunk(header, bytes));
    assert.equal(formOf(ENCODER), null, lie);
    // Only what can be read is wrong in its number of lines alone, and encoders before the fourth do not count.
    const isMiscounted = lie === 'wrong count';
    assert.equal(soundness(bytes), isMiscounted ? 'splice' : 'unsound', lie);
    assert.equal(formOf(3), isMiscounted ? 'member' : null, lie);
  }
  fc.assert(
    fc.property(lines, (text) => {
      assert.equal(soundness(chunkOf(text)), 'splice');
      assert.equal(soundness(chunkOf(text, {}, 'zstd')), 'whole');
    }),
  );
});
