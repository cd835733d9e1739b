/** Lines of forward events are JSON that every reader takes, whatever msgpack or JSON a client sends; changes are counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EventTaker } from '../../../../producer/forward/events.ts';
import { jsonToMsgpack } from '../../../../producer/forward/json-msgpack.ts';
import { readMessage } from '../../../../producer/forward/message.ts';
import { Cuts } from '../../../support/cuts.ts';
import { array, bin, ext, float32, float64, int, map, str, value } from '../../../support/msgpack-values.ts';
import { strictFault } from '../../../support/strict-json.ts';

const NIL = Buffer.of(0xc0);
const NOW = Date.parse('2026-11-23T21:00:00Z');
const AT = int(NOW / 1000);
const ADJUSTED = 'tailrace_agent_forward_adjusted_json_total';

/** The events of records, and what was counted. */
function taken(...records: Buffer[]): { events: object[]; count: (name: string) => number } {
  return takenOf(array([str('app'), array(records.map((one) => array([AT, one])))]));
}

function takenOf(bytes: Buffer): { events: object[]; count: (name: string) => number } {
  const cuts = new Cuts({ auto: false, now: () => NOW, maxTags: 10 });
  const options = { tagPrefix: null, routes: [], transform: {}, placeholders: {}, joinPartials: true };
  const taker = new EventTaker(options, cuts.context, { input: 'forward' });
  const message = readMessage(bytes, 0, bytes.length)!;
  taker.take(message, bytes, message.from, message.to);
  cuts.cut();
  for (const { line } of cuts.lines) assert.equal(strictFault(Buffer.from(line)), null, line.slice(0, 300));
  const events = cuts.events.map(({ time: _, ...fields }) => fields);
  return { events, count: (name) => cuts.count(name) };
}

const pair = (key: string | Buffer, of: Buffer): readonly [Buffer, Buffer] => [
  typeof key === 'string' ? str(key) : key,
  of,
];

test('a key twice is numbered, in whatever form it came, and counted', () => {
  const twice = map([pair('a', int(1)), pair('a', int(2)), pair(bin(Buffer.from('a')), int(3))]);
  const forms = map([pair(int(7), int(1)), pair('7', int(2)), pair(NIL, int(3)), pair('null', int(4))]);
  const inner = map([pair('o', array([twice])), pair('time', int(1)), pair('_time', int(2))]);
  const { events, count } = taken(twice, forms, inner);
  const numbered = { a: 1, 'a#2': 2, 'a#3': 3 };
  assert.deepEqual(events.slice(0, 2), [numbered, { 7: 1, '7#2': 2, null: 3, 'null#2': 4 }]);
  assert.deepEqual((events[2] as { o: unknown }).o, [numbered]);
  assert.equal(count(ADJUSTED), 6);
});

test('a NUL in a key becomes U+FFFD in whatever form it came, and stays in a value', () => {
  const { events, count } = taken(
    map([pair('a\0b', str('\0')), pair('c\n', int(1))]),
    map([pair('o', map([pair('\0', int(1)), pair('\ufffd', int(2)), pair(bin(Buffer.from('\0')), int(3))]))]),
    map([pair(array([str('\0')]), int(1)), pair('\\u0000', int(2))]),
  );
  assert.deepEqual(events, [
    { 'a\ufffdb': '\0', 'c\n': 1 },
    { o: { '\ufffd': 1, '\ufffd#2': 2, '\ufffd#3': 3 } },
    { '["\\u0000"]': 1, '\\u0000': 2 },
  ]);
  assert.equal(count(ADJUSTED), 5);
});

test('numbers that JSON does not have are null, with their text under the key once more', () => {
  const { events, count } = taken(
    map([
      pair('a', float64(Number.NaN)),
      pair('b', float32(Number.NEGATIVE_INFINITY)),
      pair('c', float64(1.5)),
    ]),
    map([
      pair(
        'a',
        array([float64(Number.NaN), map([pair('n', float64(Number.POSITIVE_INFINITY))]), float64(2)]),
      ),
      pair('a', int(2)),
    ]),
    map([pair('a', map([pair(float64(Number.NaN), int(1))]))]),
    float64(Number.NaN),
  );
  assert.deepEqual(events, [
    { a: null, 'a#2': 'NaN', b: null, 'b#2': '-Infinity', c: 1.5 },
    { a: [null, { n: null, 'n#2': 'Infinity' }, 2], 'a#2': 'NaN', 'a#3': 2 },
    { a: { NaN: 1 } },
    { message: 'null', _unparsed: true },
  ]);
  assert.equal(count(ADJUSTED), 5);
});

test('large numbers, bytes, ext types and what is not a map have one form each', () => {
  const { events } = taken(
    map([pair('u', int((1n << 64n) - 1n)), pair('f', float64(1e20)), pair('g', float64(-(2 ** 63)))]),
    map([pair('b', bin(Buffer.of(0xff, 0x00))), pair('e', ext(5, Buffer.of(1)))]),
    int(7),
    bin(Buffer.of(0xff)),
    array([str('x'), int(1)]),
  );
  assert.deepEqual(events.slice(1), [
    { b: 'base64:/wA=', e: { ext: 5, base64: 'AQ==' } },
    { message: '7', _unparsed: true },
    { message: 'base64:/w==', _unparsed: true },
    { message: '["x",1]', _unparsed: true },
  ]);
});

test('what is nested deeper than readers follow is kept as text', () => {
  const nested = (levels: number): Buffer =>
    map([pair('a', Buffer.concat([Buffer.alloc(levels - 1, 0x91), NIL]))]);
  const { events, count } = taken(nested(63), nested(64), nested(150), nested(5000));
  assert.equal(events.filter((event) => '_unparsed' in event).length, 3);
  assert.equal(count('tailrace_agent_forward_bad_events_total'), 3);
});

test('a text that is cut where a pair of surrogates stands stays whole characters', () => {
  // Of a record that is nested too deep the text is kept, and cut at the longest line.
  const deep = Buffer.concat([Buffer.alloc(70, 0x91), NIL]);
  for (const filler of ['', 'x']) {
    const long = str(Buffer.from(filler + '😀'.repeat(200_000)), 3);
    const { events } = taken(map([pair('a', long), pair('b', deep)]));
    assert.equal((events[0] as { _truncated?: boolean })._truncated, true);
  }
});

test('JSON messages: numbers that msgpack does not have keep their digits', () => {
  const text = `["app", ${NOW / 1000}, {"n": 123456789012345678901, "x": [1e400, {"y": -1E999}], "n": 2, "f": 100000000000000000000}]`;
  const { events, count } = takenOf(jsonToMsgpack(Buffer.from(text), 0, text.length)!);
  assert.deepEqual(events, [
    {
      n: null,
      'n#2': '123456789012345678901',
      x: [null, { y: null, 'y#2': '-1E999' }],
      'x#2': '1e400',
      'n#3': 2,
      f: 1e20,
    },
  ]);
  assert.equal(count(ADJUSTED), 4);
});

test('whatever values and keys a record has, its line is strict', () => {
  const anything = fc.oneof(
    { arbitrary: value.map(({ bytes }) => bytes), weight: 4 },
    {
      arbitrary: fc
        .constantFrom(
          Number.NaN,
          Number.POSITIVE_INFINITY,
          Number.NEGATIVE_INFINITY,
          1e20,
          2 ** 64,
          -1e19,
          1e308,
        )
        .chain((x) => fc.constantFrom(float64(x), float32(x), array([float64(x), NIL]))),
      weight: 1,
    },
  );
  const key = fc.oneof(
    anything,
    fc.constantFrom(str('a'), str('time'), str('_time'), str(Buffer.of(0xff)), str('\0'), str('a\0')),
  );
  const records = fc.array(fc.tuple(key, anything), { maxLength: 8 }).map((pairs) => map(pairs));
  fc.assert(
    fc.property(fc.array(fc.oneof(records, anything), { minLength: 1, maxLength: 6 }), (all) => {
      taken(...all);
    }),
    { numRuns: 400 },
  );
});
