/** Events of every kind that some reader of JSON refuses or misreads, as a client sends them. */
import { array, bin, eventTime, ext, float32, float64, int, map, str } from './msgpack-values.ts';

/** Events of one kind: as lines of JSON for a followed file, for a foreign record and for a forward client, and as msgpack that is not JSON. */
export interface Hostile {
  readonly json: readonly (string | Buffer)[];
  readonly msgpack: readonly Buffer[];
}

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
/** `{"id":"x", key: value}` as msgpack. */
const record = (...pairs: readonly (readonly [string | Buffer, Buffer])[]): Buffer =>
  map([
    [str('id'), str('x')],
    ...pairs.map(([key, value]) => [Buffer.isBuffer(key) ? key : str(key), value] as const),
  ]);
const NIL = Buffer.of(0xc0);
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const event = (members: string): string => `{"id":"x",${members}}`;
const events = (...members: readonly string[]): Hostile => ({ json: members.map(event), msgpack: [] });
const CONTROLS = Array.from({ length: 32 }, (_, i) => `\\u00${i.toString(16).padStart(2, '0')}`);
const ODD_NAMES = [
  ' ',
  'a b',
  'a.b',
  'a.',
  '.',
  '..',
  'a/b',
  '/',
  '~0',
  'a"b',
  'a\\b',
  "a'b",
  'a`b',
  '$',
  '$.a',
  'a[0]',
  '*',
  '_',
  '#',
  'id#2',
  '@timestamp',
  'ü',
  '名',
  '😀',
  '\u2028',
  '\ufeff',
  'select',
  'null',
  '1',
];

/** By what the kind is called in docs/archive-format.md. */
export const HOSTILE: Readonly<Record<string, Hostile>> = {
  'half a surrogate pair': {
    json: [
      '\\ud800',
      '\\udc00',
      '\\udc00\\ud800',
      'a\\ud83d',
      '\\ud83d\\ud83d\\ude00',
      '\\uD800\\u0041',
    ].flatMap((half) => [event(`"t":"${half}"`), event(`"${half}":1,"o":{"${half}":["${half}"]}`)]),
    msgpack: [record(['t', str(Buffer.of(0xed, 0xa0, 0x80))], [str(Buffer.of(0xed, 0xb0, 0x80)), int(1)])],
  },
  'bytes that are not UTF-8': {
    json: ['\xff', '\xc0\x80', '\xe2\x82', '\xf4\x90\x80\x80', 'a\x80b'].flatMap((bytes) => [
      latin1(event(`"t":"${bytes}"`)),
      latin1(event(`"${bytes}":1,"\\ufffd":2`)),
    ]),
    msgpack: [
      record(['t', str(Buffer.of(0xff, 0x41))], ['b', bin(Buffer.of(0xff, 0x00))]),
      record([str(Buffer.of(0xff)), int(1)], [str(Buffer.of(0xfe)), int(2)], [bin(Buffer.of(0xfd)), int(3)]),
    ],
  },
  nesting: {
    // Arrays: some readers take very long over objects in objects.
    json: [61, 62, 63, 64, 65, 100, 200, 600, 5000].map((levels) => event(`"n${levels}":${nested(levels)}`)),
    msgpack: [61, 62, 63, 64, 200, 5000].map((levels) =>
      record([`n${levels}`, Buffer.concat([Buffer.alloc(levels, 0x91), NIL])]),
    ),
  },
  'integers beyond 64 bits': events(
    ...[
      '18446744073709551616',
      '-9223372036854775809',
      '123456789012345678901234567890',
      `1${'0'.repeat(400)}`,
    ].flatMap((digits) => [`"n":${digits}`, `"a":[1,${digits}],"o":{"n":${digits}}`]),
  ),
  'integers of 64 bits': {
    json: ['18446744073709551615', '9223372036854775808', '-9223372036854775808', '9007199254740993'].map(
      (digits) => event(`"n":${digits},"a":[${digits}]`),
    ),
    msgpack: [record(['n', int((1n << 64n) - 1n)]), record(['n', int(-(1n << 63n))])],
  },
  'numbers beyond a double': {
    json: [
      '1e400',
      '-1E+400',
      '1e-400',
      '1e309',
      '1e99999999999999999999',
      '100000000000000000000.5',
      '1e20',
      '1.7976931348623157e308',
      '5e-324',
      '-0',
      '-0.0',
      '1E5',
      `0.${'1'.repeat(300)}`,
    ].flatMap((number) => [event(`"n":${number}`), event(`"a":[${number}],"l":[{"n":${number}}]`)]),
    msgpack: [
      ...[1e20, 1e308, 2 ** 63, 2 ** 64, -(2 ** 63), 5e-324, -0].map((value) =>
        record(['n', float64(value)]),
      ),
      ...[3.4e38, 0.1].map((value) => record(['n', float32(value)])),
    ],
  },
  'NaN and the infinities': {
    json: [],
    msgpack: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].flatMap((value) => [
      record(['n', float64(value)], ['o', map([[str('n'), float32(value)]])]),
      record(['a', array([float64(1.5), float64(value)])], [float64(value), int(1)]),
    ]),
  },
  'a key twice': {
    json: [
      '"k":1,"k":2',
      '"k":1,"\\u006b":2,"k":3',
      '"k":1,"k#2":2,"k":3',
      '"o":{"k":1,"k":2}',
      '"l":[{"k":1,"k":2}]',
      '"time":"a","time":"b","_time":"c"',
      '"id":1',
    ].map(event),
    msgpack: [
      record(['k', int(1)], ['k', int(2)], [bin(Buffer.from('k')), int(3)]),
      record([
        'o',
        map([
          [str('k'), int(1)],
          [str('k'), int(2)],
        ]),
      ]),
      record([int(7), int(1)], ['7', int(2)], [NIL, int(3)], ['null', int(4)]),
    ],
  },
  'keys that differ in case only': events('"k":1,"K":2', '"ID":1,"Id":2'),
  'keys inside that differ in case only': events('"o":{"k":1,"K":2}', '"l":[{"a":1},{"A":2}]'),
  'an empty key': events('"":1', '"":1,"":2', '"o":{"":1}', '"p":{"":{"":2}}'),
  'odd names': {
    json: [...ODD_NAMES.map((name) => event(`${JSON.stringify(name)}:1,"o":{${JSON.stringify(name)}:"v"}`))],
    msgpack: [
      record(
        [array([int(1)]), int(1)],
        [map([[str('a'), NIL]]), int(2)],
        [Buffer.of(0xc3), int(3)],
        [ext(5, Buffer.of(1)), int(4)],
      ),
    ],
  },
  'control characters': {
    json: [
      ...CONTROLS.map((one) => event(`"t":"a${one}b"`)),
      event('"t":"\x7f\u0080\u2028\u2029\ufeff\ufffe\uffff"'),
      Buffer.from(`\ufeff${event('"t":1')}`),
    ],
    msgpack: [record(['t', str(Buffer.from(Array.from({ length: 33 }, (_, i) => i)))])],
  },
  'control characters in a name': {
    json: CONTROLS.slice(1).map((one) => event(`"a${one}b":1`)),
    msgpack: [record([str(Buffer.from(Array.from({ length: 31 }, (_, i) => i + 1))), int(1)])],
  },
  'NUL in a name': {
    json: [event('"\\u0000":1'), event('"a\\u0000b":1,"a\\u0000c":2,"o":{"\\u0000":[{"x\\u0000":1}]}')],
    msgpack: [record(['\0', int(1)], ['o', map([[str('\0'), array([map([[str('x\0'), int(2)]])])]])])],
  },
  'long strings and keys': {
    json: [
      event(`"t":"${'x'.repeat(300_000)}"`),
      event(`"t":"${'\\u0001'.repeat(40_000)}"`),
      event(`"${'k'.repeat(70_000)}":1`),
      event(`"f":0.${'3'.repeat(70_000)}`),
    ],
    msgpack: [
      record(['t', str('x'.repeat(900_000))]),
      record(['k'.repeat(70_000), int(1)]),
      record(['b', bin(Buffer.alloc(100_000, 0xff))]),
    ],
  },
  '2,000 keys': {
    json: [event(Array.from({ length: 2000 }, (_, i) => `"key${i}":${i}`).join())],
    msgpack: [map(Array.from({ length: 2000 }, (_, i) => [str(`other${i}`), int(i)] as const))],
  },
  'empty objects and arrays, null': {
    json: [
      '{}',
      ' { } ',
      event('"o":{},"a":[],"n":null'),
      event('"p":{"o":{}},"b":[[],[]],"l":[null],"m":[{},{}]'),
    ],
    msgpack: [map([]), record(['o', map([])], ['a', array([])], ['n', NIL])],
  },
  'what is not an object': {
    json: [
      '',
      ' ',
      'null',
      '[]',
      '[{"a":1}]',
      '"x"',
      '1',
      'true',
      '{',
      '{"a":1}}',
      '{"a":1}{"b":2}',
      '{"a":01}',
      "{'a':1}",
      '{"a":NaN}',
      '\0\0',
      'text',
    ],
    msgpack: [NIL, int(7), array([]), str('text'), bin(Buffer.of(0xff)), float64(Number.NaN)],
  },
  'ext types and times': {
    json: [],
    msgpack: [
      record(['e', ext(5, Buffer.of(1, 2, 3))], ['t', eventTime(1_795_467_600, 123_456_789)]),
      record(['s', ext(-1, Buffer.alloc(4, 1))]),
      record(['e', ext(127, Buffer.alloc(0))], ['f', ext(-1, Buffer.alloc(12, 0xff))]),
    ],
  },
  'one name with values of several types': events(
    '"v":1',
    '"v":"text"',
    '"v":1.5',
    '"v":true',
    '"v":null',
    '"v":{"a":1}',
    '"v":{"a":"b"}',
    '"v":[1]',
    '"v":["x",{"y":1}]',
    '"v":"2026-11-23T21:00:00Z"',
  ),
};
