import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../../../../producer/builder.ts';
import { Counters } from '../../../../producer/counters.ts';
import { parseApacheFormat } from '../../../../producer/format/apache-format.ts';
import { compileFormat } from '../../../../producer/format/compile.ts';
import { FormatError } from '../../../../producer/format/errors.ts';
import { Tally } from '../../../../producer/format/json-bytes.ts';
import { parseNginxFormat } from '../../../../producer/format/nginx-format.ts';
import { writeMessage } from '../../../../producer/format/parser.ts';
import { Transform } from '../../../../producer/format/transform.ts';
import { events, format, NOW, parserOf } from '../../../support/format-harness.ts';

const TIME = '[23/Nov/2026:22:30:00 +0200]';
const line = (request: string, rest = '200 12 "-" "-"') => `192.0.2.1 - - ${TIME} "${request}" ${rest}`;

test('nginx combined: names as fluentd gives them, numbers as numbers, time in UTC, "-" left out', () => {
  const [event] = events('nginx', [
    `192.0.2.1 - alice ${TIME} "GET /a?b=c HTTP/1.1" 200 5123 "https://example.org/" "curl/8.5.0"`,
  ]);
  assert.deepEqual(event, {
    remote: '192.0.2.1',
    user: 'alice',
    time: '2026-11-23T20:30:00Z',
    method: 'GET',
    path: '/a?b=c',
    protocol: 'HTTP/1.1',
    code: 200,
    size: 5123,
    referer: 'https://example.org/',
    agent: 'curl/8.5.0',
  });
  assert.deepEqual(events('nginx', [line('GET / HTTP/2.0')])[0], {
    remote: '192.0.2.1',
    time: '2026-11-23T20:30:00Z',
    method: 'GET',
    path: '/',
    protocol: 'HTTP/2.0',
    code: 200,
    size: 12,
  });
});

test('the hour is that of the event, and a line of another hour than the one before goes there whole', () => {
  const { lines } = format('nginx', [
    line('GET /1 HTTP/1.1'),
    line('GET /2 HTTP/1.1').replace(TIME, '[23/Nov/2026:20:59:59 +0000]'),
    line('GET /3 HTTP/1.1').replace(TIME, '[23/Nov/2026:21:00:00 +0000]'),
    line('GET /4 HTTP/1.1'),
  ]);
  const hour = NOW / 3_600_000;
  assert.deepEqual(
    lines.map(({ hour, json }) => [hour, JSON.parse(json).path]),
    [
      [hour - 1, '/1'],
      [hour - 1, '/2'],
      [hour, '/3'],
      [hour - 1, '/4'],
    ],
  );
});

test('requests that are none, have spaces, or say no protocol', () => {
  const request = (text: string) => {
    const { method, path, protocol, request } = events('nginx', [line(text)])[0]!;
    return { method, path, protocol, request };
  };
  const none = { method: undefined, path: undefined, protocol: undefined, request: undefined };
  assert.deepEqual(request('GET /a b HTTP/1.1'), {
    ...none,
    method: 'GET',
    path: '/a b',
    protocol: 'HTTP/1.1',
  });
  assert.deepEqual(request('GET /old'), { ...none, method: 'GET', path: '/old' });
  assert.deepEqual(request('-'), none);
  assert.deepEqual(request(''), { ...none, request: '' });
  assert.deepEqual(request(String.raw`\x16\x03\x01`), { ...none, request: '\x16\x03\x01' });
  assert.deepEqual(request('get / HTTP/1.1'), { ...none, method: 'get', path: '/', protocol: 'HTTP/1.1' });
  assert.deepEqual(request('GET  HTTP/1.1'), { ...none, method: 'GET', protocol: 'HTTP/1.1' });
  assert.deepEqual(request('GET  /  HTTP/1.1'), { ...none, method: 'GET', path: '/', protocol: 'HTTP/1.1' });
  assert.deepEqual(request('GET /old '), { ...none, method: 'GET', path: '/old' });
  for (const method of ['M-SEARCH', 'MY_METHOD', 'VERSION-CONTROL', 'x1']) {
    assert.deepEqual(request(`${method} /a HTTP/1.1`), { ...none, method, path: '/a', protocol: 'HTTP/1.1' });
  }
  assert.deepEqual(request('(a) / HTTP/1.1'), { ...none, request: '(a) / HTTP/1.1' });
});

test('the escapes of nginx are undone, and what they spell is valid UTF-8 or U+FFFD', () => {
  const { lines, tally } = format('nginx', [
    line(String.raw`GET /\x22quoted\x22\x5C HTTP/1.1`),
    line('GET / HTTP/1.1', String.raw`200 1 "caf\xC3\xA9" "\xFF\xZZ\x4"`),
  ]);
  assert.equal(JSON.parse(lines[0]!.json).path, '/"quoted"\\');
  const second = JSON.parse(lines[1]!.json);
  assert.equal(second.referer, 'café');
  assert.equal(second.agent, '\ufffd\\xZZ\\x4');
  assert.equal(tally.replaced, 1);
});

test('raw bytes above 0x7f: valid UTF-8 stays, anything else is replaced and counted', () => {
  const bytes = Buffer.from(line('GET /ü HTTP/1.1', '200 1 "-" "x\u0001y"'));
  const [event] = events('nginx', [bytes]);
  assert.equal(event!.path, '/ü');
  const broken = Buffer.from(line('GET /ü HTTP/1.1'), 'latin1');
  const { lines, tally } = format('nginx', [broken]);
  assert.equal(JSON.parse(lines[0]!.json).path, '/\ufffd');
  assert.equal(tally.replaced, 1);
});

test('what does not fit the format is kept whole and counted', () => {
  const lines = [
    '',
    'nonsense',
    line('GET / HTTP/1.1').slice(0, -1),
    `${line('GET / HTTP/1.1')} more`,
    line('GET / HTTP/1.1').replace('23/Nov', '31/Nov'),
    line('GET / HTTP/1.1').replace(':22:', ':25:'),
    line('GET / HTTP/1.1').replace(' +0200', ''),
  ];
  const { lines: out, tally } = format('nginx', lines);
  assert.equal(tally.unparsed, lines.length);
  assert.deepEqual(
    out.map(({ json }) => JSON.parse(json)),
    lines.map((message) => ({ message, _unparsed: true })),
  );
});

test("nginx's own log_format: appended fields, lists of upstreams, the directive as it stands", () => {
  const log_format = `log_format timed '$remote_addr [$time_iso8601] "$request" $status '
                      '$request_time $upstream_response_time "$http_x_forwarded_for" $upstream_addr';`;
  const parsed = events({ type: 'nginx', log_format }, [
    '192.0.2.1 [2026-11-23T21:30:00+01:00] "GET / HTTP/1.1" 200 0.005 0.001, 0.002 : 0.003 "203.0.113.1, 10.0.0.1" 10.0.0.1:80, 10.0.0.2:80',
    '192.0.2.1 [2026-11-23T21:30:00+01:00] "GET / HTTP/1.1" 200 0.005 0.004 "-" -',
  ]);
  assert.deepEqual(parsed[0], {
    remote: '192.0.2.1',
    time: '2026-11-23T20:30:00Z',
    method: 'GET',
    path: '/',
    protocol: 'HTTP/1.1',
    code: 200,
    request_time: 0.005,
    upstream_response_time: '0.001, 0.002 : 0.003',
    http_x_forwarded_for: '203.0.113.1, 10.0.0.1',
    upstream_addr: '10.0.0.1:80, 10.0.0.2:80',
  });
  assert.equal(parsed[1]!.upstream_response_time, 0.004);
  assert.ok(!('upstream_addr' in parsed[1]!));
});

test('escape=json', () => {
  const log_format = `escape=json {"ip":"$remote_addr","agent":"$http_user_agent","at":"$msec"}`;
  const [event] = events({ type: 'nginx', log_format }, [
    String.raw`{"ip":"192.0.2.1","agent":"a \"b\" \\ \u0007 \n","at":"1795465800.250"}`,
  ]);
  assert.deepEqual(event, {
    remote: '192.0.2.1',
    agent: 'a "b" \\ \u0007 \n',
    time: '2026-11-23T20:30:00.250Z',
  });
});

test('numbers that JSON would not take, or a double not hold, stay strings', () => {
  const numbers = (rest: string) => {
    const { code, size } = events('nginx', [line('GET / HTTP/1.1', `${rest} "-" "-"`)])[0]!;
    return [code, size];
  };
  assert.deepEqual(numbers('200 0'), [200, 0]);
  assert.deepEqual(numbers('009 -'), ['009', undefined]);
  assert.deepEqual(numbers('2e2 12345678901234567890'), ['2e2', '12345678901234567890']);
  assert.deepEqual(numbers('-1 1.50'), [-1, 1.5]);
});

test('types of single fields', () => {
  const options = {
    type: 'nginx',
    log_format: '$status $http_x_count',
    types: { code: 'string', http_x_count: 'integer' },
  };
  assert.deepEqual(events(options, ['200 17']), [{ code: '200', http_x_count: 17 }]);
});

test('apache2: combined, common, its escapes, a LogFormat of its own', () => {
  assert.deepEqual(
    events('apache2', [
      String.raw`192.0.2.1 - bob ${TIME} "GET /a\"b HTTP/1.0" 200 - "-" "agent \x41 \\ \t"`,
    ]),
    [
      {
        host: '192.0.2.1',
        user: 'bob',
        time: '2026-11-23T20:30:00Z',
        method: 'GET',
        path: '/a"b',
        protocol: 'HTTP/1.0',
        code: 200,
        agent: 'agent A \\ \t',
      },
    ],
  );
  const common = { type: 'apache2', log_format: 'common' };
  assert.equal(events(common, [`h - - ${TIME} "GET / HTTP/1.0" 304 7`])[0]!.size, 7);
  const own = {
    type: 'apache2',
    log_format: 'LogFormat "%{X-Forwarded-For}i %h %t \\"%r\\" %>s %D %{ms}T" timed',
  };
  assert.deepEqual(events(own, [`203.0.113.1, 10.0.0.1 h ${TIME} "GET / HTTP/1.0" 200 1234 1`]), [
    {
      http_x_forwarded_for: '203.0.113.1, 10.0.0.1',
      host: 'h',
      time: '2026-11-23T20:30:00Z',
      method: 'GET',
      path: '/',
      protocol: 'HTTP/1.0',
      code: 200,
      duration_us: 1234,
      duration_ms: 1,
    },
  ]);
});

test('a name is given once, and only one field is the time', () => {
  const { fields } = parseNginxFormat('$time_local $msec $request $request_uri $status $status');
  assert.deepEqual(
    fields.map(({ name, kind }) => `${name}:${kind}`),
    ['time:clf', 'msec:number', 'request:request', 'request_uri:text', 'code:number', 'status:number'],
  );
});

test('property: values come out as nginx was given them, whatever stands around the line', () => {
  const text = (blank: boolean) =>
    fc
      .array(fc.constantFrom(...'abc!-~"\\\t\u007fé😀', ...(blank ? [' '] : [])), {
        minLength: 1,
        maxLength: 40,
      })
      .map((characters) => characters.join(''));
  // As ngx_http_log_module escapes by default.
  const escaped = (value: string) =>
    Array.from(Buffer.from(value), (byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c
        ? `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`
        : String.fromCharCode(byte),
    ).join('');
  const values = fc.record({
    remote: text(false),
    user: text(false),
    method: fc.constantFrom('GET', 'POST', 'PROPFIND'),
    path: text(false).map((path) => `/${path}`),
    protocol: fc.constantFrom('HTTP/1.1', 'HTTP/2.0'),
    code: fc.integer({ min: 100, max: 599 }),
    size: fc.nat(),
    referer: text(true),
    agent: text(true),
  });
  const surroundings = fc.constantFrom('', '\n', '0', '" "', 'x'.repeat(20), '1234567890', '"" - -');
  fc.assert(
    fc.property(fc.array(fc.tuple(values, surroundings, surroundings), { maxLength: 5 }), (logged) => {
      const { parser, take } = parserOf({ type: 'nginx' });
      for (const [value, before, behind] of logged) {
        const { remote, user, method, path, protocol, code, size, referer, agent } = value;
        const [r, u, p, f, a] = [remote, user, path, referer, agent].map(escaped);
        const bytes = Buffer.from(
          `${r} - ${u} ${TIME} "${method} ${p} ${protocol}" ${code} ${size} "${f}" "${a}"`,
        );
        const framed = Buffer.concat([Buffer.from(before), bytes, Buffer.from(behind)]);
        parser.parse(framed, before.length, before.length + bytes.length);
        const given = Object.entries({ ...value, time: '2026-11-23T20:30:00Z' }).filter(
          ([, said]) => said !== '-',
        );
        assert.deepEqual(
          take().map(({ json }) => JSON.parse(json)),
          [Object.fromEntries(given)],
        );
      }
    }),
    { numRuns: 500 },
  );
});

test('formats whose fields cannot be separated are refused with a reason', () => {
  assert.throws(() => parseNginxFormat('$remote_addr$status'), FormatError);
  assert.throws(() => parseNginxFormat('nothing'), /names no field/);
  assert.throws(() => parseApacheFormat('%h %y'), /column 4: %y is not a directive/);
});

test('lines beyond the maximum of an event are cut, however much they grow', () => {
  const huge = Buffer.alloc(400 * 1024, 1);
  const { lines, tally } = format('nginx', [huge]);
  assert.ok(lines[0]!.json.length < 512 * 1024);
  assert.equal(JSON.parse(lines[0]!.json)._truncated, true);
  assert.equal(tally.truncated, 1);
});

test('a builder that was let go since the last line is not written to any more', () => {
  let now = NOW;
  const builders = new Builders(
    DEFAULT_BUILDER_LIMITS,
    () => now,
    new Counters(),
    () => undefined,
  );
  const target = { builders: builders.tag('a'), tally: new Tally(), clock: { now } };
  const parser = compileFormat({ type: 'nginx' }, target, new Transform({}));
  const parse = (text: string) => parser.parse(Buffer.from(`${text}\n`), 0, text.length);
  const cut = () => {
    const lines = [...builders.filled()].map((builder) => {
      const text = builder.buffer.toString('utf8', 0, builder.length);
      builder.clear();
      return text;
    });
    return lines.join('');
  };
  parse(line('GET /first HTTP/1.1'));
  cut();
  now += 7_200_000;
  // The hour of the first line is over: its empty builder goes, and its buffer is another builder's next.
  cut();
  writeMessage({ ...target, builders: builders.tag('b') }, Buffer.from('untouched'), 0, 9);
  parse(line('GET /second HTTP/1.1'));
  assert.match(cut(), /^\{"message":"untouched"\}$/m);
});
