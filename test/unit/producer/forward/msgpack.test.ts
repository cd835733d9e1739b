/** Msgpack becomes JSON as documented, whatever the values, and its ends are found however it is cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { MAX_DEPTH } from '../../../../producer/builder.ts';
import { RefusedError } from '../../../../producer/forward/errors.ts';
import { generalBound, JsonWriter, plainBound, TIME } from '../../../../producer/forward/json-writer.ts';
import { MessageScanner, skipValue } from '../../../../producer/forward/msgpack-scan.ts';
import {
  array,
  bin,
  eventTime,
  ext,
  float64,
  int,
  map,
  record,
  str,
  value,
} from '../../../support/msgpack-values.ts';

const NIL = Buffer.of(0xc0);

function plain(bytes: Buffer, writer = new JsonWriter()): string | null {
  writer.out = Buffer.alloc(plainBound(bytes.length));
  writer.at = 0;
  if (!writer.plainEvent(bytes, 0, TIME, 1, 0)) return null;
  return `${writer.out.toString('utf8', 0, writer.at)}}`;
}

function general(bytes: Buffer, extra: [string, string][] = [], writer = new JsonWriter()): string {
  writer.out = Buffer.alloc(generalBound(bytes.length) + 1000);
  writer.at = 0;
  writer.generalEvent(bytes, 0, 1, 0, extra);
  return `${writer.out.toString('utf8', 0, writer.at)}}`;
}

/** The JSON of one value. */
function json(bytes: Buffer): string {
  const line = plain(map([[str('v'), bytes]])) ?? general(map([[str('v'), bytes]]));
  return line
    .replace('"time":"1970-01-01T00:00:01Z",', '')
    .replace(',"time":"1970-01-01T00:00:01Z"', '')
    .slice(5, -1);
}

test('any record becomes the documented JSON, by the plain and by the general way', () => {
  const writer = new JsonWriter();
  let byPlain = 0;
  fc.assert(
    fc.property(record, ({ bytes, json }) => {
      const body = json === '{}' ? '' : json.slice(1, -1);
      const line = plain(bytes, writer);
      if (line !== null) {
        byPlain++;
        assert.equal(line, `{"time":"1970-01-01T00:00:01Z"${body === '' ? '' : ','}${body}}`);
      }
      assert.equal(general(bytes), `{${body}${body === '' ? '' : ','}"time":"1970-01-01T00:00:01Z"}`);
      JSON.parse(general(bytes));
    }),
    { numRuns: 500 },
  );
  assert.ok(byPlain > 100, `${byPlain} of 500 records were written the plain way`);
});

test('what another encoder writes is read back as the same value', () => {
  fc.assert(
    fc.property(fc.object({ maxDepth: 3, withBigInt: false }), (object) => {
      const expected = JSON.parse(JSON.stringify(object)) as object;
      const bytes = Buffer.from(encode(expected));
      assert.deepEqual(JSON.parse(general(bytes)), {
        ...expected,
        time: '1970-01-01T00:00:01Z',
        ...expected,
        ...own(expected),
      });
    }),
  );
  function own(object: object): object {
    return 'time' in object ? { _time: '1970-01-01T00:00:01Z' } : {};
  }
});

test('a value ends where it ends', () => {
  fc.assert(
    fc.property(value, fc.uint8Array({ maxLength: 5 }), ({ bytes }, more) => {
      const all = Buffer.concat([bytes, more]);
      assert.equal(skipValue(all, 0, all.length, 0), bytes.length);
      if (bytes.length > 1) assert.throws(() => skipValue(bytes, 0, bytes.length - 1, 0), RefusedError);
    }),
  );
});

test('messages are found however the stream is cut into reads', () => {
  const cut = fc.array(fc.nat({ max: 40 }), { maxLength: 40 });
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 8 }), cut, (values, sizes) => {
      const stream = Buffer.concat(values.map(({ bytes }) => bytes));
      const scanner = new MessageScanner(1e6);
      const ends: number[] = [];
      let begun = false;
      let start = 0;
      for (let end = 0, i = 0; end < stream.length; i++) {
        end = Math.min(stream.length, end + (sizes[i] ?? 7));
        while (start < end) {
          if (!begun) scanner.begin(start);
          begun = true;
          const found = scanner.scan(stream, end);
          if (found < 0) break;
          begun = false;
          start = found;
          ends.push(found);
        }
      }
      let sum = 0;
      assert.deepEqual(
        ends,
        values.map(({ bytes }) => (sum += bytes.length)),
      );
    }),
  );
});

test('a scan looks at each byte once', () => {
  const looks = new Map<number, number>();
  const message = array(Array.from({ length: 500 }, (_, i) => int(i + 1000)));
  const counting = new Proxy(message, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key))
        looks.set(Number(key), (looks.get(Number(key)) ?? 0) + 1);
      return Reflect.get(target, key) as unknown;
    },
  });
  const scanner = new MessageScanner(1e6);
  scanner.begin(0);
  for (let end = 1; end < message.length; end++) assert.equal(scanner.scan(counting, end), -1);
  assert.equal(scanner.scan(counting, message.length), message.length);
  assert.ok(Math.max(...looks.values()) <= 4, `a byte was looked at ${Math.max(...looks.values())} times`);
});

test('a message that must become too long is refused before its bytes come', () => {
  for (const bytes of [
    str(Buffer.alloc(2000)),
    array(Array(2000).fill(NIL)),
    map(Array(600).fill([NIL, NIL])),
  ]) {
    const scanner = new MessageScanner(1000);
    scanner.begin(0);
    assert.throws(
      () => scanner.scan(bytes, 5),
      (error: RefusedError) => error.reason === 'too_large',
    );
  }
  const bomb = Buffer.from([0x93, 0xdd, 0xff, 0xff, 0xff, 0xff]);
  const scanner = new MessageScanner(2 ** 28);
  scanner.begin(0);
  assert.throws(
    () => scanner.scan(bomb, bomb.length),
    (error: RefusedError) => error.reason === 'too_large',
  );
});

test('deep nesting is refused, and what is just not too deep is written', () => {
  const nest = (levels: number): Buffer => Buffer.concat([Buffer.alloc(levels, 0x91), NIL]);
  assert.equal(skipValue(nest(MAX_DEPTH), 0, MAX_DEPTH + 1, 0), MAX_DEPTH + 1);
  assert.throws(
    () => skipValue(nest(MAX_DEPTH + 1), 0, MAX_DEPTH + 2, 0),
    (error: RefusedError) => error.reason === 'too_deep',
  );
  assert.throws(() => skipValue(nest(100_000), 0, 100_001, 0), RefusedError);
  assert.equal(json(nest(60)), `${'['.repeat(60)}null${']'.repeat(60)}`);
});

test('random bytes are refused or skipped, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (random) => {
      const bytes = Buffer.from(random);
      const scanner = new MessageScanner(150);
      scanner.begin(0);
      try {
        const end = scanner.scan(bytes, bytes.length);
        if (end < 0) return;
        // What the one takes for whole the other does too, but for nesting.
        assert.equal(skipValue(bytes, 0, bytes.length, 0), end);
      } catch (error) {
        assert.ok(error instanceof RefusedError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('numbers that JSON or JavaScript would change keep their digits', () => {
  assert.equal(json(int((1n << 64n) - 1n)), '18446744073709551615');
  assert.equal(json(int(-(1n << 63n))), '-9223372036854775808');
  assert.equal(json(int((1n << 53n) + 1n)), '9007199254740993');
  assert.equal(json(float64(2 ** 63)), '9.223372036854776e+18');
  assert.equal(json(float64(3)), '3.0');
  assert.equal(json(float64(-0)), '-0.0');
  assert.equal(json(float64(1e300)), '1e+300');
  assert.equal(json(float64(0.1 + 0.2)), '0.30000000000000004');
  assert.equal(json(float64(0.000001)), '0.000001');
});

test('bytes, ext types and times have their forms', () => {
  assert.equal(json(bin(Buffer.from('grüße'))), '"grüße"');
  assert.equal(json(bin(Buffer.of(0xff, 0))), '"base64:/wA="');
  assert.equal(json(ext(5, Buffer.of(1, 2))), '{"ext":5,"base64":"AQI="}');
  assert.equal(json(ext(-3, Buffer.alloc(0))), '{"ext":-3,"base64":""}');
  assert.equal(json(eventTime(1_795_467_796, 123_456_789)), '"2026-11-23T21:03:16.123456789Z"');
  assert.equal(json(ext(-1, eventTime(1_795_467_796, 0).subarray(2, 6))), '"2026-11-23T21:03:16Z"');
  assert.equal(
    json(ext(-1, Buffer.concat([Buffer.from('00000001', 'hex'), Buffer.from('ffffffffffffffff', 'hex')]))),
    '"1969-12-31T23:59:59.000000001Z"',
  );
});

test('invalid UTF-8 is replaced and counted', () => {
  const writer = new JsonWriter();
  const line = general(map([[str('v'), str(Buffer.from('a\xff\xc3(\xed\xa0\x80z', 'latin1'))]]), [], writer);
  assert.equal(JSON.parse(line).v, 'a\ufffd\ufffd(\ufffd\ufffd\ufffdz');
  assert.equal(writer.tally.replaced, 5);
});

test('keys that are not strings become strings, and keys that repeat are all kept', () => {
  const one = int(1);
  const record = map([
    [int(7), one],
    [NIL, one],
    [Buffer.of(0xc3), one],
    [float64(1.5), one],
    [array([int(1), str('x"y')]), one],
    [map([[str('k'), int(2)]]), one],
    [bin(Buffer.of(0xff)), one],
  ]);
  assert.equal(plain(record), null);
  assert.deepEqual(Object.keys(JSON.parse(general(record))), [
    '7',
    'null',
    'true',
    '1.5',
    '[1,"x\\"y"]',
    '{"k":2}',
    'base64:/w==',
    'time',
  ]);
  const repeating = map([
    [str('a'), int(1)],
    [str('a#2'), int(2)],
    [str('a'), int(3)],
    [
      str('a'),
      map([
        [str('b'), int(4)],
        [str('b'), int(5)],
      ]),
    ],
  ]);
  assert.equal(plain(repeating), null);
  assert.deepEqual(JSON.parse(general(repeating)), {
    a: 1,
    'a#2': 2,
    'a#3': 3,
    'a#4': { b: 4, 'b#2': 5 },
    time: '1970-01-01T00:00:01Z',
  });
  const nested = map([
    [
      str('x'),
      map([
        [str('b'), int(4)],
        [str('b'), int(5)],
      ]),
    ],
  ]);
  assert.equal(plain(nested), null);
});

test('many keys that all repeat are written in linear time', () => {
  const record = map(Array.from({ length: 50_000 }, () => [str('k'), NIL] as const));
  assert.equal(Object.keys(JSON.parse(general(record))).length, 50_001);
});

test('maps as keys of maps as keys do not grow without bound', () => {
  let key: Buffer = NIL;
  for (let i = 0; i < 80; i++) key = map([[key, str('"')]]);
  const line = general(map([[key, NIL]]));
  assert.ok(line.length < 2000, `${line.length} characters`);
  JSON.parse(line);
});

test('the time gives way to a time of the record', () => {
  const record = map([[str('time'), str('mine')]]);
  assert.equal(plain(record), null);
  assert.deepEqual(JSON.parse(general(record)), { time: 'mine', _time: '1970-01-01T00:00:01Z' });
  const both = map([
    [str('time'), str('mine')],
    [str('_time'), int(1)],
    [str('_truncated'), int(1)],
  ]);
  assert.deepEqual(JSON.parse(general(both, [['_truncated', 'true']])), {
    time: 'mine',
    _time: 1,
    _truncated: 1,
    '_time#2': '1970-01-01T00:00:01Z',
    '_truncated#2': true,
  });
});
