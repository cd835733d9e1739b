/** Lines that are read without a search for their end make the very events that they make one by one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Transform } from '../../../../producer/format/transform.ts';
import { ALL, LineSplitter, MORE_TO_COME } from '../../../../producer/tail/lines.ts';
import { NOW, parserOf } from '../../../support/format-harness.ts';

const FORMATS: readonly (readonly [options: unknown, transform?: unknown])[] = [
  ['nginx'],
  ['apache2'],
  [{ type: 'nginx', log_format: '$remote_addr $status $request_time' }],
  [{ type: 'nginx', log_format: '$status\t$http_host\t$request\t$upstream_addr' }],
  [{ type: 'nginx', log_format: '"$request" [$time_local] $remote_user' }],
  [{ type: 'nginx', log_format: '$msec $uri' }],
  ['nginx', { redact: [{ field: 'path', query: ['token'] }] }],
  ['nginx', { redact: [{ field: 'path', pattern: '.', replace: 'a longer text' }] }],
  ['nginx', { exclude: [{ field: 'path', pattern: '^/a' }] }],
  ['nginx', { include: [{ field: 'code', pattern: '^2' }] }],
];

const TIMES = ['23/Nov/2026:20:30:00 +0000', '23/Nov/2026:21:30:00 +0000', '31/Foo/2026:20:30:00 +0000'];
const SEEDS = TIMES.flatMap((time) => [
  `192.0.2.1 - bob [${time}] "GET /a?token=1 HTTP/1.1" 200 12 "https://r/" "curl \\x22 \\"x"`,
  `192.0.2.1 - - [${time}] "GET /caf\u00e9 HTTP/1.1" 304 0 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:133.0)"`,
  `192.0.2.1 - - [${time}] "GET / HTTP/1.1" 200 12`,
  `"GET / HTTP/1.1" [${time}] -`,
]).concat(
  '10.0.0.1 201 0.005',
  '200\texample.org\tGET / HTTP/1.1\t10.0.0.1:80, 10.0.0.2:80',
  '1795465800.250 /some/path',
  '',
);

const change = fc.tuple(fc.nat(), fc.nat(2), fc.oneof(fc.constantFrom(0x0d, 0x22, 0x20), fc.nat(255)));
const damaged = fc
  .tuple(fc.constantFrom(...SEEDS), fc.array(change, { maxLength: 2 }))
  .map(([seed, changes]) => {
    let bytes = [...Buffer.from(seed)];
    for (const [at, way, byte] of changes)
      bytes = bytes.toSpliced(at % (bytes.length + 1), way === 1 ? 0 : 1, ...(way === 2 ? [] : [byte]));
    return Buffer.from(bytes);
  });
const long = fc
  .integer({ min: 3900, max: 4300 })
  .map((length) => Buffer.from(SEEDS[0]!.replace('/a?', `/${'b'.repeat(length)}?`)));
const lineBreak = fc.constantFrom('\n', '\n', '\r\n');
const content = fc
  .array(
    fc.tuple(
      fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(...SEEDS).map((text) => Buffer.from(text)) },
        damaged,
        {
          weight: 1,
          arbitrary: long,
        },
      ),
      lineBreak,
    ),
    { maxLength: 10 },
  )
  .map((lines) => Buffer.concat(lines.flatMap(([bytes, end]) => [bytes, Buffer.from(end)])));

const turn = fc.record({
  which: fc.nat(FORMATS.length - 1),
  content,
  /** Bytes of it that are not there yet. */
  missing: fc.nat(60),
  /** Bytes of the buffer behind what was read. */
  slack: fc.nat(40),
  maxLine: fc.constantFrom(60, 110, 130, 65_536),
  ending: fc.constantFrom(MORE_TO_COME, ALL),
});

test('lines read on from one to the next are those that are cut out first', () => {
  fc.assert(
    fc.property(turn, (each) => {
      assert.deepEqual(taken(each, true), taken(each, false));
    }),
    { numRuns: 2000 },
  );
});

test('plain lines are all read so, up to one whose line break is not there yet', () => {
  for (const end of ['\n', '\r\n']) {
    const { parser, take } = parserOf('nginx');
    const text = `${SEEDS[1]}${end}`.repeat(3);
    const bytes = Buffer.from(`${text}${'x'.repeat(64)}`);
    assert.equal(parser.lines?.(bytes, 0, Buffer.byteLength(text), 1000), Buffer.byteLength(text));
    assert.equal(take().length, 3);
    const cut = Buffer.byteLength(text) - 1;
    assert.equal(parser.lines?.(bytes, 0, cut, 1000), (Buffer.byteLength(text) / 3) * 2);
    assert.equal(take().length, 2);
  }
});

function taken({ which, content: all, missing, slack, maxLine, ending }: TurnOf, open: boolean): unknown {
  const [options, transform = {}] = FORMATS[which]!;
  const { parser, tally, take } = parserOf(options, transform);
  const closed = { parse: parser.parse.bind(parser) };
  const target = { ...parserOf('none').target, tally };
  const splitter = new LineSplitter(open ? parser : closed, target, maxLine, new Transform({}, {}));
  const end = Math.max(0, all.length - missing);
  const bytes = Buffer.alloc(end + 1 + slack, '"x 20\n');
  all.copy(bytes, 0, 0, end);
  bytes[end] = 0x0a;
  const at = splitter.take(bytes, 0, end, ending);
  return { at, skipping: splitter.skipping, events: take(), tally: { ...tally }, now: NOW };
}

type TurnOf = typeof turn extends fc.Arbitrary<infer T> ? T : never;
