/** Runs of plain entries by WebAssembly: the same lines, byte for byte, as without it; built from the source that is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EventTaker } from '../../../../producer/forward/events.ts';
import { readMessage } from '../../../../producer/forward/message.ts';
import { Transcoder } from '../../../../producer/forward/transcode.ts';
import { Cuts } from '../../../support/cuts.ts';
import { array, bin, eventTime, float64, int, map, record, str } from '../../../support/msgpack-values.ts';

const NOW = Date.parse('2026-11-23T21:00:00Z');
const SECONDS = NOW / 1000;
const TRANSFORM = {
  add: { host: 'web-1' },
  redact: [{ field: 'k7k', mask: true as const }],
  remove: ['status'],
};

/** The lines of each tag and hour, and all counters, with and without WebAssembly. */
function both(message: Buffer, transform: object = {}): [unknown, unknown] {
  const [fast, plain] = [Transcoder.create(), null].map((transcoder) => {
    const cuts = new Cuts({ auto: false, now: () => NOW });
    const options = { tagPrefix: null, routes: [], transform, placeholders: {}, joinPartials: true };
    const taker = new EventTaker(options, cuts.context, { input: 'forward' }, transcoder);
    for (const bytes of [message, message]) {
      const read = readMessage(bytes, 0, bytes.length)!;
      taker.take(read, bytes, read.from, read.to);
    }
    cuts.cut();
    // A hash has a key of its own in each taker.
    const lines = cuts.lines.map((cut) => ({ ...cut, line: cut.line.replace(/"_hash":"\w+"/, '') }));
    return { lines, counters: [...cuts.counters] };
  });
  return [fast, plain];
}

function takerOf(maxTags = 1000, transcoder = Transcoder.create()): { cuts: Cuts; taker: EventTaker } {
  const cuts = new Cuts({ auto: false, now: () => NOW, maxTags });
  const options = { tagPrefix: null, routes: [], transform: {}, placeholders: {}, joinPartials: true };
  return { cuts, taker: new EventTaker(options, cuts.context, { input: 'forward' }, transcoder) };
}

const time = fc.oneof(
  fc.nat({ max: 8000 }).map((n) => int(SECONDS - n)),
  fc.tuple(fc.nat({ max: 8000 }), fc.nat({ max: 999_999_999 })).map(([n, ns]) => eventTime(SECONDS - n, ns)),
  fc.nat({ max: 999 }).map((ms) => eventTime(SECONDS, ms * 1e6)),
  fc.constantFrom(int(0), int(SECONDS, 3), int(1), str('no time'), eventTime(0, 0), eventTime(SECONDS, 4e9)),
);
const usual = fc
  .record({
    path: fc.string({ unit: 'binary', maxLength: 90 }).filter((text) => text.isWellFormed()),
    agent: fc.string({ minLength: 30, maxLength: 200 }),
    bytes: fc.integer(),
    seconds: fc.oneof(
      fc.nat({ max: 5000 }).map((n) => n / 1000),
      fc.double({ noNaN: true }),
    ),
    text: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
  })
  .map(({ path, agent, bytes, seconds, text }) =>
    map([
      [str('request_path'), str(path)],
      [str('user_agent'), str(agent)],
      [str('bytes'), int(bytes)],
      [str('request_time'), float64(seconds)],
      [str('text'), str(text)],
    ]),
  );
const anyRecord = fc.oneof(
  { weight: 8, arbitrary: usual },
  { weight: 2, arbitrary: record.map(({ bytes }) => bytes) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc.constant(
      map([
        [str('time'), int(1)],
        [str('status'), int(2)],
      ]),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constant(
      map([
        [str('a'), int(1)],
        [str('a'), int(2)],
      ]),
    ),
  },
  { weight: 1, arbitrary: fc.constant(map([[str('long'), str('x"\n'.repeat(7000))]])) },
);

test('any entries become the same lines and the same counts, whatever is done to them', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(time, anyRecord), { maxLength: 60 }),
      fc.boolean(),
      (entries, transformed) => {
        const packed = Buffer.concat(entries.map(([at, fields]) => array([at, fields])));
        const message = array([str('app'), bin(Buffer.concat([packed, Buffer.alloc(0)]))]);
        const [fast, plain] = both(message, transformed ? TRANSFORM : {});
        assert.deepEqual(fast, plain);
      },
    ),
    { numRuns: 150 },
  );
});

test('a buffer that is reused for another message gives the events of that one', () => {
  const entries = (text: string): Buffer =>
    array([
      str('app'),
      bin(
        Buffer.concat(Array.from({ length: 100 }, () => array([int(SECONDS), map([[str('x'), str(text)]])]))),
      ),
    ]);
  const { cuts, taker } = takerOf();
  const bytes = Buffer.from(entries('one'.repeat(10)));
  for (const text of ['one', 'two']) {
    entries(text.repeat(10)).copy(bytes);
    const message = readMessage(bytes, 0, bytes.length)!;
    taker.take(message, bytes, message.from, message.to);
  }
  cuts.cut();
  const count = (text: string): number => cuts.events.filter(({ x }) => x === text.repeat(10)).length;
  assert.deepEqual([count('one'), count('two')], [100, 100]);
});

test('events of a tag that has no builders of its own carry it, however many come at once', () => {
  const { cuts, taker } = takerOf(1);
  const many = Buffer.concat(
    Array.from({ length: 300 }, (_, n) => array([int(SECONDS), map([[str('n'), int(n)]])])),
  );
  for (const tag of ['first', 'second']) {
    const bytes = array([str(tag), bin(many)]);
    const message = readMessage(bytes, 0, bytes.length)!;
    taker.take(message, bytes, message.from, message.to);
  }
  cuts.cut();
  const tagged = cuts.events.filter((event) => event['_tag'] === 'second');
  assert.deepEqual([cuts.events.length, tagged.length], [600, 300]);
});

test('without WebAssembly there is no transcoder, and the rest works', async () => {
  const scope = globalThis as { WebAssembly?: unknown };
  const { WebAssembly } = scope;
  delete scope.WebAssembly;
  try {
    const url = new URL('../../../../producer/forward/transcode.ts?none', import.meta.url).href;
    const { Transcoder } = (await import(url)) as { Transcoder: { create(): unknown } };
    assert.equal(Transcoder.create(), null);
  } finally {
    scope.WebAssembly = WebAssembly;
  }
});

test('most of what is usual goes that way, over all windows of a large message', () => {
  const fields = (n: number): Buffer =>
    map([
      [str('n'), int(n)],
      [str('path'), str(`/a/${'x'.repeat(n % 300)}`)],
    ]);
  const entries = Array.from({ length: 5000 }, (_, n) => array([int(SECONDS + (n >> 9)), fields(n)]));
  const transcoder = Transcoder.create()!;
  let lines = 0;
  const { run } = transcoder;
  transcoder.run = (...args) => {
    const any = run.apply(transcoder, args);
    if (any) lines += transcoder.count;
    return any;
  };
  const { cuts, taker } = takerOf(1000, transcoder);
  const bytes = array([str('app'), bin(Buffer.concat(entries))]);
  const message = readMessage(bytes, 0, bytes.length)!;
  taker.take(message, bytes, message.from, message.to);
  cuts.cut();
  assert.deepEqual(
    cuts.events.map(({ n }) => n),
    Array.from({ length: 5000 }, (_, n) => n),
  );
  assert.ok(lines > 4900, `${lines} of 5000`);
});

test('keys with a NUL or another escape come out the same with and without WebAssembly', () => {
  const fields = ['a\0b', '\0', '\ufffd', 'quote"', 'line\n'].map((key, n) => [str(key), int(n)] as const);
  const inner = map([[str('o'), map(fields)]]);
  const odd = [...fields.map((field) => map([field])), inner];
  // Few events are written one by one.
  const entries = Array.from({ length: 50 }, () => odd).flatMap((all) =>
    all.map((one) => array([int(SECONDS), one])),
  );
  const [fast, plain] = both(array([str('app'), bin(Buffer.concat(entries))]));
  assert.deepEqual(fast, plain);
});
