/** Messages of every mode and time become events, or are refused whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { decompress } from '../../../../producer/forward/decompress.ts';
import { RefusedError } from '../../../../producer/forward/errors.ts';
import { EventTaker } from '../../../../producer/forward/events.ts';
import { jsonToMsgpack } from '../../../../producer/forward/json-msgpack.ts';
import { JsonWriter } from '../../../../producer/forward/json-writer.ts';
import { readMessage } from '../../../../producer/forward/message.ts';
import { MessageScanner } from '../../../../producer/forward/msgpack-scan.ts';
import { balanceOf } from '../../../../producer/status.ts';
import { Cuts } from '../../../support/cuts.ts';
import { array, bin, eventTime, ext, float64, int, map, str } from '../../../support/msgpack-values.ts';

const NOW = Date.parse('2026-11-23T21:00:00Z');
const NIL = Buffer.of(0xc0);
const SECONDS = NOW / 1000;
const now = (): number => NOW;

interface Setting {
  readonly cuts: Cuts;
  readonly take: (bytes: Buffer) => void;
}

function setting(options: object = {}, maxTags = 1000): Setting {
  const cuts = new Cuts({ auto: false, now, maxTags });
  const taker = new EventTaker(
    {
      tagPrefix: null,
      routes: [],
      transform: {},
      placeholders: { hostname: 'web-1' },
      joinPartials: true,
      ...options,
    },
    cuts.context,
    { input: 'forward' },
  );
  return {
    cuts,
    take: (bytes) => {
      const message = readMessage(bytes, 0, bytes.length);
      if (message === null) return;
      const { from, to, options } = message;
      if (options.compressed === null) return taker.take(message, bytes, from, to);
      const entries = decompress(bytes.subarray(from, to), options.compressed, 1e6) as Buffer;
      taker.take(message, entries, 0, entries.length);
    },
  };
}

function events(bytes: Buffer, options: object = {}): Record<string, unknown>[] {
  const { cuts, take } = setting(options);
  take(bytes);
  cuts.cut();
  return cuts.events;
}

const record = (n: number): Buffer => map([[str('n'), int(n)]]);
const entry = (time: Buffer, n: number): Buffer => array([time, record(n)]);
const TAG = str('app.web');
const AT = int(SECONDS);

test('each mode gives the same events', () => {
  const entries = [entry(AT, 1), entry(AT, 2)];
  const packed = Buffer.concat(entries);
  const members = [gzipSync(entries[0]!), gzipSync(entries[1]!)];
  const frames = [zstdCompressSync(entries[0]!), zstdCompressSync(entries[1]!)];
  const compressed = (how: string): Buffer =>
    map([
      [str('compressed'), str(how)],
      [str('size'), int(99)],
    ]);
  const messages: [string, Buffer[]][] = [
    ['message', [array([TAG, AT, record(1)]), array([TAG, AT, record(2), map([])])]],
    [
      'message with metadata',
      [array([TAG, array([AT, map([])]), record(1)]), array([TAG, AT, record(2), NIL])],
    ],
    ['forward', [array([TAG, array(entries)])]],
    ['forward, nothing fixed', [array([TAG, array(entries, 3), map([], 3)], 3)]],
    ['packed as bin', [array([TAG, bin(packed)])]],
    ['packed as str32', [array([TAG, str(packed, 3), compressed('text')])]],
    ['gzip of two members', [array([TAG, bin(Buffer.concat(members)), compressed('gzip')])]],
    ['zstd of two frames', [array([TAG, bin(Buffer.concat(frames)), compressed('zstd')])]],
    [
      'entries with metadata',
      [array([TAG, array([array([array([AT, map([[str('a'), NIL]])]), record(1)]), entry(AT, 2)])])],
    ],
    ['entries of three values', [array([TAG, array([array([AT, record(1), NIL]), entry(AT, 2)])])]],
    ['a tag as bin', [array([bin(Buffer.from('app.web')), array(entries)])]],
  ];
  for (const [name, parts] of messages) {
    const { cuts, take } = setting();
    for (const part of parts) take(part);
    cuts.cut();
    const time = '2026-11-23T21:00:00Z';
    assert.deepEqual(
      cuts.events,
      [
        { time, n: 1 },
        { time, n: 2 },
      ],
      name,
    );
    assert.deepEqual([...new Set(cuts.lines.map(({ tag }) => tag))], ['app.web'], name);
  }
});

test('heartbeats and empty messages give no events', () => {
  assert.deepEqual(events(NIL), []);
  assert.deepEqual(events(array([TAG, array([])])), []);
  assert.deepEqual(events(array([TAG, str('')])), []);
  assert.deepEqual(events(array([TAG, bin(Buffer.alloc(0)), map([[str('compressed'), str('gzip')]])])), []);
});

test('times of all kinds are understood', () => {
  const times: [Buffer, string][] = [
    [int(SECONDS), '2026-11-23T21:00:00Z'],
    [int(SECONDS, 3), '2026-11-23T21:00:00Z'],
    [int(NOW + 7), '2026-11-23T21:00:00.007Z'],
    [int((NOW + 7) * 1000 + 1), '2026-11-23T21:00:00.007001000Z'],
    [int(BigInt(SECONDS) * 1_000_000_000n + 123_456_789n), '2026-11-23T21:00:00.123456789Z'],
    [int(-1_000_000_000_000_000_001n), '1938-04-24T22:13:19.999999999Z'],
    [array([int(SECONDS), map([])], 3), '2026-11-23T21:00:00Z'],
    [float64(SECONDS + 0.25), '2026-11-23T21:00:00.250Z'],
    [float64(SECONDS + 0.123456), '2026-11-23T21:00:00.123456000Z'],
    [eventTime(SECONDS, 500_000_000), '2026-11-23T21:00:00.500Z'],
    [eventTime(SECONDS, 123_456_789), '2026-11-23T21:00:00.123456789Z'],
    [
      Buffer.concat([Buffer.from('c70800', 'hex'), eventTime(SECONDS, 1).subarray(2)]),
      '2026-11-23T21:00:00.000000001Z',
    ],
    [int(-1), '1969-12-31T23:59:59Z'],
    // None that means a time: the arrival's.
    [int(0), '2026-11-23T21:00:00Z'],
    [NIL, '2026-11-23T21:00:00Z'],
    [eventTime(0, 0), '2026-11-23T21:00:00Z'],
    [float64(Number.NaN), '2026-11-23T21:00:00Z'],
    [float64(1e300), '2026-11-23T21:00:00Z'],
  ];
  for (const [time, text] of times) {
    assert.deepEqual(events(array([TAG, time, record(1)])), [{ time: text, n: 1 }]);
  }
});

test('an event of an absurd time is kept with it, under the hour of its arrival', () => {
  const { cuts, take } = setting();
  take(array([TAG, int(1), record(1)]));
  cuts.cut();
  assert.deepEqual(cuts.events, [{ time: '1970-01-01T00:00:01Z', n: 1 }]);
  assert.equal(cuts.lines[0]!.hour, Math.floor(NOW / 3_600_000));
  assert.equal(cuts.count('tailrace_agent_absurd_times_total'), 1);
});

test('a record that is not a map is kept and marked', () => {
  assert.deepEqual(events(array([TAG, AT, str('text')])), [
    { message: 'text', time: '2026-11-23T21:00:00Z', _unparsed: true },
  ]);
  assert.deepEqual(events(array([TAG, array([array([AT, NIL])])])), [
    { message: 'null', time: '2026-11-23T21:00:00Z', _unparsed: true },
  ]);
});

test('a record with a time of its own keeps it', () => {
  const withTime = map([
    [str('time'), str('mine')],
    [str('n'), int(1)],
  ]);
  const { cuts, take } = setting();
  take(array([TAG, array([entry(AT, 1), array([AT, withTime]), array([AT, withTime]), entry(AT, 2)])]));
  cuts.cut();
  const time = '2026-11-23T21:00:00Z';
  const own = { _time: time, time: 'mine', n: 1 };
  assert.deepEqual(cuts.events.slice(1, 3), [own, own]);
  assert.deepEqual(cuts.events[0], { time, n: 1 });
  assert.deepEqual(cuts.events[3], { time, n: 2 });
});

/** Maps inside maps: so many levels of `{"a": …}`. */
const nested = (levels: number): Buffer =>
  Buffer.concat([Buffer.alloc((levels - 1) * 3, '81a161', 'hex'), map([])]);

test('a bad entry is kept as marked text, and costs none of the good ones', () => {
  const time = '2026-11-23T21:00:00Z';
  const deep = (levels: number): string => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;
  const marked = (message: string, more: object = {}): object => ({
    message,
    time,
    _unparsed: true,
    ...more,
  });
  const good = entry(AT, 1);
  const faults: [string, Buffer, string, object][] = [
    ['an entry that is not an array', str('hello'), 'not_an_entry', marked('base64:pWhlbGxv')],
    ['text that is not msgpack', Buffer.from('GET /'), 'not_an_entry', marked('GET /')],
    [
      'an entry of one value',
      array([AT]),
      'not_an_entry',
      marked(`base64:${array([AT]).toString('base64')}`),
    ],
    [
      'a time that is a string',
      array([str('now'), record(2)]),
      'bad_time',
      { n: 2, time, _bad_time: 'now', _unparsed: true },
    ],
    [
      'a time of another ext',
      array([ext(3, Buffer.alloc(1)), record(2)]),
      'bad_time',
      { n: 2, time, _bad_time: '{"ext":3,"base64":"AA=="}', _unparsed: true },
    ],
    ['a record nested 101 deep', array([AT, nested(101)]), 'too_deep', marked(deep(101))],
    [
      'a record nested 500 deep, of a bad time',
      array([str('x'), nested(500)]),
      'too_deep',
      marked(deep(500)),
    ],
    ['a record nested 100,000 deep', array([AT, nested(100_000)]), 'too_deep', {}],
    [
      'an entry cut off',
      good.subarray(0, good.length - 1),
      'cut_off',
      marked(`base64:${good.subarray(0, -1).toString('base64')}`),
    ],
  ];
  for (const [name, fault, reason, expected] of faults) {
    for (const packed of [true, false]) {
      if (!packed && (reason === 'cut_off' || name.startsWith('text'))) continue;
      const { cuts, take } = setting();
      const entries = [good, fault, entry(AT, 3)].slice(0, reason === 'cut_off' ? 2 : 3);
      take(array([TAG, packed ? bin(Buffer.concat(entries)) : array(entries)]));
      cuts.cut();
      const bad = cuts.events[1]!;
      if (name.includes('100,000')) assert.match(String(bad['message']), /^base64:/);
      else assert.deepEqual(bad, expected, name);
      assert.deepEqual(cuts.events[0], { time, n: 1 });
      if (reason !== 'cut_off') assert.deepEqual(cuts.events[2], { time, n: 3 });
      assert.equal(cuts.events.length, entries.length, name);
      assert.equal(cuts.count('tailrace_agent_forward_bad_events_total', { reason }), 1, name);
    }
  }
});

test('a single event with a bad time or too deep is kept, and its ack given', () => {
  const time = '2026-11-23T21:00:00Z';
  const ack = map([[str('chunk'), str('x')]]);
  assert.deepEqual(events(array([TAG, str('soon'), record(1), ack])), [
    { n: 1, time, _bad_time: 'soon', _unparsed: true },
  ]);
  assert.deepEqual(events(array([TAG, str('soon'), record(1)])), [
    { n: 1, time, _bad_time: 'soon', _unparsed: true },
  ]);
  assert.deepEqual(events(array([TAG, map([]), str('text')])), [
    { message: 'text', time, _bad_time: '{}', _unparsed: true },
  ]);
  assert.match(String(events(array([TAG, AT, nested(200), ack]))[0]!['message']), /^\{"a":\{"a":/);
  // As deep as all readers follow it is an event like any other.
  assert.equal(events(array([TAG, AT, nested(62)]))[0]!['_unparsed'], undefined);
  assert.equal(events(array([TAG, AT, nested(63)]))[0]!['_unparsed'], undefined);
});

test('JSON nested however deep costs no other event', () => {
  const json = (levels: number): string => `${'['.repeat(levels)}"]"${']'.repeat(levels)}`;
  for (const levels of [60, 300, 2000, 100_000]) {
    const text = Buffer.from(
      `["app", [[${SECONDS}, {"n": 1}], [${SECONDS}, {"a": ${json(levels)}}]], {"chunk": "x"}]`,
    );
    const [first, second] = events(jsonToMsgpack(text, 0, text.length)!);
    assert.equal(first!['n'], 1);
    if (levels === 60) assert.equal(JSON.stringify(second!['a']), json(levels));
    else assert.ok(JSON.stringify(second).includes('_unparsed'), `${levels}`);
  }
});

test('redactions act on what is kept as text', () => {
  const secret = map([
    [str('token'), str('hunter2')],
    [str('in'), nested(200)],
  ]);
  const packed = array([TAG, bin(Buffer.concat([array([AT, secret]), str('token hunter2')]))]);
  const both = events(packed, { transform: { redact: [{ field: 'token', mask: true }] } });
  assert.equal(both.length, 2);
  assert.ok(!JSON.stringify(both).includes('hunter2'));
  assert.match(String(both[0]!['message']), /"token":"\*\*\*","in":\{"a"/);
  assert.match(String(both[1]!['_hash']), /^[0-9a-f]{32}$/);
});

test('bytes that are not entries become one text, not one each', () => {
  const { cuts, take } = setting();
  take(array([TAG, bin(Buffer.concat([entry(AT, 1), Buffer.from('x'.repeat(10_000)), entry(AT, 2)]))]));
  cuts.cut();
  assert.deepEqual(
    cuts.events.map(({ n, message }) => n ?? String(message).length),
    [1, 10_000, 2],
  );
});

test('a message that is none is refused whole', () => {
  const good = entry(AT, 1);
  const messages: [string, Buffer][] = [
    ['a map', map([])],
    ['a string', str('hello')],
    ['an empty array', array([])],
    ['a tag alone', array([TAG])],
    ['a tag and a time', array([TAG, AT])],
    ['a tag that is a number', array([int(1), AT, record(1)])],
    ['options that are a list', array([TAG, AT, record(1), array([])])],
    ['an unknown compression', array([TAG, bin(good), map([[str('compressed'), str('lz4')]])])],
    ['gzip that is none', array([TAG, bin(good), map([[str('compressed'), str('gzip')]])])],
    [
      'a gzip cut off',
      array([TAG, bin(gzipSync(good).subarray(0, 12)), map([[str('compressed'), str('gzip')]])]),
    ],
    [
      'a zstd cut off',
      array([TAG, bin(zstdCompressSync(good).subarray(0, 9)), map([[str('compressed'), str('zstd')]])]),
    ],
  ];
  for (const [name, message] of messages) assert.throws(() => setting().take(message), RefusedError, name);
});

test('messages of more entries than are remembered at a time are taken whole', () => {
  const many = Buffer.concat(Array.from({ length: 140_000 }, (_, n) => entry(AT, n)));
  assert.deepEqual(
    events(array([TAG, bin(many)])).map(({ n }) => n),
    Array.from({ length: 140_000 }, (_, n) => n),
  );
  const withBad = events(array([TAG, bin(Buffer.concat([many, array([AT]), entry(AT, 140_000)]))]));
  assert.equal(withBad.length, 140_002);
  assert.equal(withBad[140_001]!['n'], 140_000);
});

test('an entry that cannot be written is kept as text, and costs neither the others nor the ack', (t) => {
  const { plainEvent } = JsonWriter.prototype;
  let calls = 0;
  t.mock.method(JsonWriter.prototype, 'plainEvent', function (this: JsonWriter, ...args: never) {
    if (++calls === 2) throw new RangeError('a fault of this program');
    return (plainEvent as (...args: never) => boolean).apply(this, args);
  });
  const { cuts, take } = setting();
  take(array([TAG, array([entry(AT, 1), entry(AT, 2), entry(AT, 3)])]));
  cuts.cut();
  const time = '2026-11-23T21:00:00Z';
  assert.deepEqual(cuts.events, [
    { time, n: 1 },
    { message: '{"n":2}', time, _unparsed: true },
    { time, n: 3 },
  ]);
  assert.equal(cuts.count('tailrace_agent_forward_events_total'), 3);
  assert.equal(cuts.count('tailrace_agent_forward_bad_events_total', { reason: 'internal' }), 1);
  assert.match(cuts.logged[0]!, /a fault of this program/);
});

test('events in are those that reach a chunk, whatever is dropped or joined', () => {
  const part = (id: string, ordinal: number, last: boolean): Buffer =>
    map([
      [str('log'), str(`${ordinal}`)],
      [str('partial_message'), str('true')],
      [str('partial_id'), str(id)],
      [str('partial_ordinal'), str(`${ordinal}`)],
      [str('partial_last'), str(`${last}`)],
    ]);
  const options = {
    transform: { exclude: [{ field: 'n', pattern: '^7$' }] },
    routes: [{ match: 'debug', drop: true }],
  };
  const first = setting(options);
  const records = [part('a', 1, false), part('a', 1, false), part('a', 2, true), record(1), record(7)];
  for (const fields of records) first.take(array([TAG, AT, fields]));
  first.take(array([str('debug'), AT, record(2)]));
  first.take(array([TAG, AT, part('b', 1, false)]));
  first.cuts.cut();
  assert.equal(first.cuts.lines.length, 2);
  assert.equal(balanceOf(first.cuts.counters, 0).in, 2);
});

test('a string behind the tag is never read as more than bytes', () => {
  const heads = [0x92, 0xc5, 0xc6, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf];
  const counterexample = Buffer.from('93a161a1dc00', 'hex');
  assert.throws(() => events(counterexample), RefusedError);
  for (const head of heads) {
    // At the end of the buffer, and before another message that would give it a length.
    const text = array([TAG, str(Buffer.of(head)), record(1)]);
    const kept = events(text)[0]!;
    const isArray = head === 0x92 || head === 0xdc || head === 0xdd;
    assert.equal(kept['_unparsed'], true);
    assert.equal('_bad_time' in kept, !isArray, head.toString(16));
    const followed = Buffer.concat([text, Buffer.alloc(8, 1)]);
    assert.deepEqual(readMessage(followed, 0, text.length), readMessage(text, 0, text.length));
  }
});

test('random and mutated messages are taken or refused, and lines stay whole', () => {
  const base = array([
    TAG,
    array([entry(AT, 1), entry(eventTime(SECONDS, 5), 2)]),
    map([[str('chunk'), str('id')]]),
  ]);
  const mutation = fc.array(fc.tuple(fc.nat({ max: base.length - 1 }), fc.nat({ max: 255 })), {
    maxLength: 4,
  });
  const { cuts, take } = setting();
  fc.assert(
    fc.property(mutation, fc.uint8Array({ maxLength: 30 }), fc.boolean(), (changes, random, mutate) => {
      const bytes = mutate
        ? Buffer.from(base)
        : Buffer.concat([Buffer.of(0x93, 0xa1, 0x61), Buffer.from(random)]);
      if (mutate) for (const [at, byte] of changes) bytes[at] = byte;
      try {
        const scanner = new MessageScanner(1e6);
        scanner.begin(0);
        const end = scanner.scan(bytes, bytes.length);
        if (end > 0) take(bytes.subarray(0, end));
      } catch (error) {
        assert.ok(error instanceof RefusedError, String((error as Error).stack));
      }
    }),
    { numRuns: 5000 },
  );
  cuts.cut();
  for (const { line } of cuts.lines) assert.equal(typeof JSON.parse(line), 'object');
});

test('a record too large for a line is cut and marked', () => {
  const long = 'ä"'.repeat(400_000);
  const big = map([
    [str('id'), int(7)],
    [str('text'), str(long)],
    [str('list'), array(Array(300_000).fill(int(1)))],
    [str('last'), str('kept')],
  ]);
  const { cuts, take } = setting();
  take(array([TAG, AT, big]));
  cuts.cut();
  const [line] = cuts.lines;
  assert.ok(Buffer.byteLength(line!.line) < 512 * 1024);
  const event = JSON.parse(line!.line) as Record<string, unknown>;
  assert.equal(event['_truncated'], true);
  assert.equal(event['id'], 7);
  assert.equal(event['last'], 'kept');
  assert.ok(long.startsWith(event['text'] as string) && (event['text'] as string).length > 10_000);
  assert.equal(cuts.count('tailrace_agent_forward_truncated_events_total'), 1);
});

test('a record of control characters, six times as long in JSON, is cut too', () => {
  const { cuts, take } = setting();
  take(array([TAG, AT, map([[str('text'), str('\u0001'.repeat(300_000))]])]));
  cuts.cut();
  const event = cuts.events[0]!;
  assert.equal(event['_truncated'], true);
  assert.deepEqual([...new Set(event['text'] as string)], ['\u0001']);
});

test('beyond the tags that an agent may have, an event carries its own', () => {
  const { cuts, take } = setting({}, 2);
  for (const tag of ['a', 'b', 'c', 'c']) take(array([str(tag), AT, record(1)]));
  cuts.cut();
  assert.deepEqual(
    cuts.lines.map(({ tag }) => tag),
    ['a', 'b', '_other', '_other'],
  );
  assert.deepEqual(
    cuts.events.map((event) => event['_tag']),
    [undefined, undefined, 'c', 'c'],
  );
});

test('an empty tag has a name', () => {
  const { cuts, take } = setting();
  take(array([str(''), AT, record(1)]));
  cuts.cut();
  assert.equal(cuts.lines[0]!.tag, '_untagged');
});

test('routes and the prefix decide on the tag', () => {
  const { cuts, take } = setting({
    tagPrefix: 'edge',
    routes: [
      { match: 'edge.debug.**', drop: true },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder's own form
      { match: 'edge.docker.*', tag: 'containers.${tag_parts[2]}' },
      { match: 'edge.{a,b}.**', tag: 'letters' },
    ],
  });
  for (const tag of ['debug', 'debug.x.y', 'docker.web', 'docker.web.x', 'a', 'b.c', 'c'])
    take(array([str(tag), AT, record(1)]));
  cuts.cut();
  assert.deepEqual(cuts.lines.map(({ tag }) => tag).sort(), [
    'containers.web',
    'edge.c',
    'edge.docker.web.x',
    'letters',
    'letters',
  ]);
  assert.equal(cuts.count('tailrace_agent_forward_dropped_events_total', { reason: 'route' }), 2);
});

test('events are enriched, redacted and filtered, and big integers stay what they are', () => {
  const transform = {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder's own form
    add: { host: '${hostname}' },
    redact: [{ field: 'password', mask: true as const }],
    exclude: [{ field: 'path', pattern: '^/health' }],
    rename: { 'user.name': 'user_name' },
  };
  const { cuts, take } = setting({ transform });
  const big = int((1n << 64n) - 1n);
  take(array([TAG, AT, map([[str('n'), big]])]));
  take(
    array([
      TAG,
      AT,
      map([
        [str('n'), big],
        [str('password'), str('x')],
        [str('f'), float64(2)],
      ]),
    ]),
  );
  take(array([TAG, AT, map([[str('path'), str('/healthz')]])]));
  take(array([TAG, AT, map([[str('user'), map([[str('name'), str('eve')]])]])]));
  cuts.cut();
  const time = '2026-11-23T21:00:00Z';
  assert.deepEqual(
    cuts.lines.map(({ line }) => line),
    [
      `{"time":"${time}","n":18446744073709551615,"host":"web-1"}`,
      `{"n":18446744073709551615,"password":"***","f":2.0,"time":"${time}","host":"web-1"}`,
      `{"user":{},"time":"${time}","user_name":"eve","host":"web-1"}`,
    ],
  );
  assert.equal(cuts.count('tailrace_agent_forward_dropped_events_total', { reason: 'excluded' }), 1);
});

test('JSON messages give what msgpack ones do', () => {
  const json = (text: string): Buffer => jsonToMsgpack(Buffer.from(text), 0, Buffer.byteLength(text))!;
  const time = '2026-11-23T21:00:00Z';
  assert.deepEqual(events(json(`["a.b", ${SECONDS}, {"n": 1, "x": [true, null, -2.5e3, "\\u00e4\\n"]}]`)), [
    { time, n: 1, x: [true, null, -2500, 'ä\n'] },
  ]);
  assert.deepEqual(
    events(json(`["a.b", [[${SECONDS}, {"n": 1}], [${SECONDS}.25, {"n": 2}]], {"chunk": "x"}]`)),
    [
      { time, n: 1 },
      { time: '2026-11-23T21:00:00.250Z', n: 2 },
    ],
  );
  assert.deepEqual(events(json(`["a.b", [${SECONDS}, {"k": "v"}], {"n": 3}]`)), [{ time, n: 3 }]);
  const big = json(
    '["a", 1, {"u": 18446744073709551615, "s": -9223372036854775808, "b": 123456789012345678901234567890}]',
  );
  const { cuts, take } = setting();
  take(big);
  cuts.cut();
  assert.match(
    cuts.lines[0]!.line,
    /"u":18446744073709551615,"s":-9223372036854775808,"b":null,"b#2":"123456789012345678901234567890"/,
  );
});

test('any JSON keeps its value through msgpack', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.nat({ max: 4 }), (value, indent) => {
      const text = JSON.stringify(['t', SECONDS, { value }], null, indent);
      const bytes = jsonToMsgpack(Buffer.from(text), 0, Buffer.byteLength(text))!;
      assert.deepEqual(events(bytes), [
        { time: '2026-11-23T21:00:00Z', value: JSON.parse(JSON.stringify(value)) },
      ]);
    }),
    { numRuns: 300 },
  );
});

test('strings of JSON that are not Unicode are repaired and counted', () => {
  const { cuts, take } = setting();
  const text = Buffer.concat([
    Buffer.from('["a",1,{"raw":"ä\\n'),
    Buffer.of(0xff),
    Buffer.from('","pair":"\\ud83d\\ude00","half":"x\\ud83dy","key\\u00e4":"\\u00e4\\\\u0041"}]'),
  ]);
  take(jsonToMsgpack(text, 0, text.length)!);
  cuts.cut();
  const { time, ...rest } = cuts.events[0]!;
  assert.equal(time, '1970-01-01T00:00:01Z');
  assert.deepEqual(rest, { raw: 'ä\n\ufffd', pair: '😀', half: 'x\ufffdy', keyä: 'ä\\u0041' });
  assert.equal(cuts.count('tailrace_agent_forward_invalid_utf8_total'), 2);
});

test('metrics and traces are refused by name, logs are taken', () => {
  const signal = (n: number): Buffer =>
    array([TAG, bin(entry(AT, 1)), map([[str('fluent_signal'), int(n)]])]);
  assert.equal(events(signal(0)).length, 1);
  for (const n of [1, 2]) {
    assert.throws(
      () => setting().take(signal(n)),
      (error: RefusedError) => error.reason === 'signal',
    );
  }
});

test('texts that are not JSON are refused', () => {
  for (const text of [
    '[1,]',
    '["a" 1]',
    '{"a"}',
    '["a\n"]',
    '["\\x"]',
    '[01]',
    '[1]]',
    '[nul]',
    `${'['.repeat(500)}`,
    '["a',
    '[+1]',
  ]) {
    assert.throws(() => jsonToMsgpack(Buffer.from(text), 0, text.length), RefusedError, text);
  }
});
