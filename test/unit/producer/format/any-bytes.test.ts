import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { format } from '../../../support/format-harness.ts';

const FORMATS: Readonly<Record<string, unknown>> = {
  nginx: 'nginx',
  'nginx with lists': { type: 'nginx', log_format: '$upstream_addr "$request" $status $request_time' },
  'nginx, escape=json': { type: 'nginx', log_format: 'escape=json {"a":"$remote_addr","m":$msec}' },
  apache2: 'apache2',
  json: 'json',
  ltsv: 'ltsv',
  syslog: 'syslog',
  nginx_error: 'nginx_error',
  apache_error: 'apache_error',
  none: 'none',
  regexp: { type: 'regexp', expression: '(?<a>.*?) (?<b>.*)' },
};

const SEEDS = [
  '192.0.2.1 - bob [23/Nov/2026:20:30:00 +0000] "GET /a HTTP/1.1" 200 12 "https://r/" "curl \\x22 \\"x"',
  '10.0.0.1:80, 10.0.0.2:80 "POST /b HTTP/2.0" 201 0.005',
  '{"a":"192.0.2.1","m":1795465800.250}',
  '{"time":"2026-11-23T20:00:00Z","a":[1,{"b":"\\u00e9"}],"c":-1.5e3,"d":null}',
  'time:2026-11-23T20:00:00Z\thost:x\ty:z',
  '<165>1 2026-11-23T20:14:15.003Z host app 12 ID47 [ex@1 a="1"] hello',
  '<13>Nov 23 20:00:01 host cron[12]: a: b',
  '2026/11/23 21:04:07 [error] 12#34: *56 open(), client: 192.0.2.1, host: "h"',
  '[Mon Nov 23 20:04:07.123456 2026] [core:error] [pid 12:tid 34] AH00035: x',
];

/** Real lines with bytes exchanged, put in, left out: what fits a format nearly. */
const damaged = fc
  .tuple(
    fc.constantFrom(...SEEDS),
    fc.array(fc.tuple(fc.nat(), fc.nat(2), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
  )
  .map(([seed, changes]) => {
    let bytes = [...Buffer.from(seed)];
    for (const [at, way, byte] of changes)
      bytes = bytes.toSpliced(at % (bytes.length + 1), way === 1 ? 0 : 1, ...(way === 2 ? [] : [byte]));
    return Buffer.from(bytes.filter((byte) => byte !== 0x0a));
  });
const noise = fc
  .uint8Array({ maxLength: 300 })
  .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0a)));
const line = fc.oneof(damaged, damaged, noise);

for (const [name, options] of Object.entries(FORMATS)) {
  test(`${name}: any bytes give one valid event a line`, () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
        const { lines: out, tally } = format(options, lines);
        assert.equal(out.length, lines.length);
        assert.equal(tally.events, lines.length);
        let unparsed = 0;
        out.forEach(({ json }, i) => {
          const event = JSON.parse(json) as Record<string, unknown>;
          assert.equal(typeof event, 'object');
          assert.ok(Buffer.from(json).toString() === json, 'valid UTF-8');
          if (event._unparsed !== true) return;
          unparsed++;
          const text = lines[i]!.toString();
          assert.equal(event.message, name === 'json' ? trimmed(text) : text);
        });
        assert.equal(tally.unparsed, unparsed);
      }),
      { numRuns: 400 },
    );
  });
}

/** Without JSON's own blanks, which are fewer than String.trim knows. */
function trimmed(text: string): string {
  return text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '');
}

test('none: the message is what a decoder of UTF-8 makes of the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const { lines } = format('none', [Buffer.from(bytes)]);
      assert.deepEqual(JSON.parse(lines[0]!.json), { message: Buffer.from(bytes).toString('utf8') });
    }),
    { numRuns: 2000 },
  );
});

test('json: takes exactly what JSON.parse takes', () => {
  const text = fc.oneof(
    fc.json(),
    fc.tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 })).map(([json, at, extra]) => {
      const i = at % (json.length + 1);
      return json.slice(0, i) + extra + json.slice(i + (at % 2));
    }),
  );
  fc.assert(
    fc.property(text, (value) => {
      const json = `{"v":${value}}`;
      fc.pre(!json.includes('\n'));
      let expected: unknown;
      try {
        expected = JSON.parse(json);
      } catch {
        expected = undefined;
      }
      const { tally } = format('json', [json]);
      assert.equal(tally.unparsed === 0, expected !== undefined && typeof expected === 'object');
    }),
    { numRuns: 2000 },
  );
});
