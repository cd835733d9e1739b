/** Whole lines by WebAssembly: the same events, byte for byte and chunk by chunk, as without it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../../../../producer/builder.ts';
import { Counters } from '../../../../producer/counters.ts';
import { Tally } from '../../../../producer/format/json-bytes.ts';
import { NoneParser } from '../../../../producer/format/none.ts';
import { RawLines } from '../../../../producer/format/raw-lines.ts';
import { Transform } from '../../../../producer/format/transform.ts';
import { ALL, LineSplitter, MORE_TO_COME } from '../../../../producer/tail/lines.ts';
import { NOW } from '../../../support/format-harness.ts';

/** Bytes of lines after which a chunk is cut. */
const CHUNK_BYTES = 500;

const LINE = '192.0.2.1 - - [23/Nov/2026:20:30:00 +0000] "GET /caf\u00e9 HTTP/1.1" 200 "\\x22"';
const words = fc.array(
  fc.constantFrom('GET /', '"', '\\', '\t', '\r', '\0', '\x1f', '\x7f', 'é', '€', '😀', '0123456789abcdef'),
);
const line = fc.oneof(
  { weight: 4, arbitrary: words.map((parts) => Buffer.from(parts.join(''))) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 80 }).map((text) => Buffer.from(text)) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)) },
  // Sequences that are not UTF-8, or are its bounds.
  {
    weight: 2,
    arbitrary: fc
      .array(
        fc.constantFrom(0xc1, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xf5, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0x61),
      )
      .map((bytes) => Buffer.from(bytes)),
  },
  fc.integer({ min: 65_000, max: 66_000 }).map((length) => Buffer.alloc(length, 'a"')),
  fc.constant(Buffer.from(LINE)),
);
const content = fc
  .array(fc.tuple(line, fc.constantFrom('\n', '\n', '\r\n', '\r\r\n')), { maxLength: 12 })
  .map((lines) => Buffer.concat(lines.flatMap(([bytes, end]) => [bytes, Buffer.from(end)])));
const turn = fc.record({
  content,
  before: fc.nat(40),
  /** Bytes of it that are not there yet. */
  missing: fc.nat(60),
  maxLine: fc.constantFrom(20, 100, 65_500, 262_144),
  ending: fc.constantFrom(MORE_TO_COME, ALL),
  added: fc.constantFrom('', ',"host":"web-1"'),
});
type Turn = typeof turn extends fc.Arbitrary<infer T> ? T : never;

test('lines taken by WebAssembly are those that are taken one by one', () => {
  fc.assert(
    fc.property(turn, (each) => {
      assert.deepEqual(taken(each, RawLines.buffer), taken(each, Buffer.alloc));
    }),
    { numRuns: 600 },
  );
});

test('lines of valid UTF-8 are all taken by WebAssembly, up to one whose line break is not there', () => {
  for (const end of ['\n', '\r\n']) {
    const text = `${LINE}${end}${end}\0\x07\b\t\f\r\x1f\x7f${end}€😀\u07ff\ud7ff\ue000\ufffd${end}`.repeat(
      2000,
    );
    const { parser, tally, chunks } = parserOf(Buffer.from(',"host":"web-1"'));
    const bytes = fill(RawLines.buffer, 64, `${text}no end`);
    const length = Buffer.byteLength(text);
    assert.equal(parser.lines(bytes, 64, 64 + length, 1000), 64 + length);
    assert.equal(tally.events, 8000);
    const first: unknown = JSON.parse(Buffer.from(chunks[0]!, 'latin1').toString().split('\n')[0]!);
    assert.deepEqual(first, { message: LINE, host: 'web-1' });
  }
});

test('a buffer of its own, for lines longer than the memory holds, is read without WebAssembly', () => {
  const { parser, tally } = parserOf(Buffer.alloc(0));
  const bytes = fill(RawLines.buffer, 0, `${LINE}\n`, 2_000_000);
  assert.equal(parser.lines(bytes, 0, Buffer.byteLength(LINE) + 1, 1000), 0);
  assert.equal(tally.events, 0);
});

function taken({ content: all, before, missing, maxLine, ending, added }: Turn, allocate: Allocate): unknown {
  const { parser, target, tally, chunks, rest } = parserOf(Buffer.from(added));
  const splitter = new LineSplitter(parser, target, maxLine, new Transform({}, {}));
  const end = before + Math.max(0, all.length - missing);
  const bytes = fill(allocate, before, all, end + 100);
  bytes[end] = 0x0a;
  const at = splitter.take(bytes, before, end, ending);
  return { at, skipping: splitter.skipping, chunks, rest: rest(), tally: { ...tally } };
}

type Allocate = (bytes: number) => Buffer;

function fill(allocate: Allocate, before: number, content: Buffer | string, length?: number): Buffer {
  const text = Buffer.from(content);
  const bytes = allocate(length ?? before + text.length + 100);
  bytes.fill('"\xff');
  text.copy(bytes, before);
  return bytes;
}

/** A parser; `chunks` gets the lines of each full builder. */
function parserOf(added: Buffer) {
  const chunks: string[] = [];
  const builders = new Builders(
    { ...DEFAULT_BUILDER_LIMITS, chunkBytes: CHUNK_BYTES },
    () => NOW,
    new Counters(),
    (builder) => {
      chunks.push(builder.buffer.toString('latin1', 0, builder.length));
      chunks.push(`${builder.events} ${builder.firstTime} ${builder.lastTime}`);
      builder.clear();
    },
  );
  const tally = new Tally();
  const target = { builders: builders.tag('test'), tally, clock: { now: NOW } };
  const rest = () => [...builders.filled()].map(({ buffer, length }) => buffer.toString('latin1', 0, length));
  return { parser: new NoneParser(target, added), target, tally, chunks, rest };
}
