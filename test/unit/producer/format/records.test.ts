import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod/mini';
import { formatOptions } from '../../../../producer/format/options.ts';
import { compileTimeFormat } from '../../../../producer/format/time-format.ts';
import { events, format, NOW } from '../../../support/format-harness.ts';

const iso = (time: number) => (Number.isNaN(time) ? 'NaN' : new Date(time).toISOString());

test('json: an object is copied as it stands, under the hour of its time', () => {
  const lines = [
    '{"time":"2026-11-23T19:59:59.5Z","n":12345678901234567890,"nested":{"a":[1,null,true]}}',
    ' {"a" : "\\u00e9\\n\\"", "time": 1795464000.25}\t',
    '{"time":1795464000250}',
    '{}',
  ];
  const { lines: out, tally } = format('json', lines);
  assert.deepEqual(
    out.map(({ json }) => json),
    lines.map((text) => text.trim()),
  );
  assert.deepEqual(
    out.map(({ hour }) => hour - NOW / 3_600_000),
    [-2, -1, -1, 0],
  );
  assert.equal(tally.timeless, 1);
});

test('json: what is not an object, or not JSON, is kept whole and counted', () => {
  const lines = [
    '',
    '1',
    '[]',
    '{',
    '{"a"}',
    '{"a":}',
    '{"a":01}',
    '{"a":1.}',
    '{"a":-}',
    '{"a":1e}',
    '{"a":tru}',
  ];
  lines.push(
    '{"a":1,}',
    '{,}',
    '{"a":1} x',
    '{"a":"\t"}',
    '{"a":"\\x"}',
    '{"a":"\\u12g4"}',
    "{'a':1}",
    '{"a":NaN}',
  );
  lines.push(`{"a":${'['.repeat(300)}${']'.repeat(300)}}`);
  const { lines: out, tally } = format('json', lines);
  assert.deepEqual(
    out.map(({ json }) => JSON.parse(json)),
    lines.map((message) => ({ message: message.trim(), _unparsed: true })),
  );
  assert.equal(tally.unparsed, lines.length);
});

test('json: invalid UTF-8 inside strings is replaced and counted', () => {
  const { lines, tally } = format('json', [Buffer.from('{"a":"\xff\xc3\xa9"}', 'latin1')]);
  assert.deepEqual(JSON.parse(lines[0]!.json), { a: '\ufffdé' });
  assert.equal(tally.replaced, 1);
});

test('json: half a surrogate pair is replaced and counted, because strict readers refuse the object that has one', () => {
  const line = String.raw`{"a":"\ud800 \ud83d\ude00 \uDC00","b":{"c":"\udfff"}}`;
  const expected = String.raw`{"a":"\ufffd \ud83d\ude00 \ufffd","b":{"c":"\ufffd"}}`;
  const asItIs = format('json', [line]);
  assert.deepEqual([asItIs.lines[0]!.json, asItIs.tally.replaced], [expected, 3]);
  const renamed = format('json', [line], { rename: { a: 'd' } });
  assert.equal(renamed.lines[0]!.json, expected.replace('"a"', '"d"'));
  const nested = format('json', [line], { remove: ['b.x'] });
  assert.deepEqual(JSON.parse(nested.lines[0]!.json), JSON.parse(expected));
});

test('json: another key and format of the time', () => {
  const options = { type: 'json', time_key: 'ts', time_format: '%d.%m.%Y %H:%M', timezone: 'Europe/Berlin' };
  const { lines } = format(options, ['{"ts":"23.11.2026 20:30"}']);
  assert.equal(lines[0]!.hour, NOW / 3_600_000 - 2);
});

test('ltsv', () => {
  const options = {
    type: 'ltsv',
    time_format: '%d/%b/%Y:%H:%M:%S %z',
    types: { status: 'integer', t: 'float', ok: 'bool' },
  };
  const lines = [
    'time:23/Nov/2026:21:00:00 +0100\thost:h\turi:http://x/\tstatus:200\tt:0.5\tok:true\te:',
    'none',
  ];
  assert.deepEqual(events(options, lines), [
    { time: '2026-11-23T20:00:00Z', host: 'h', uri: 'http://x/', status: 200, t: 0.5, ok: true, e: '' },
    { message: 'none', _unparsed: true },
  ]);
});

test('syslog: the year of a network device is the time\u2019s, before or behind the clock, with or without a colon', () => {
  const parsed = events({ type: 'syslog', timezone: 'UTC' }, [
    '<166>Nov 23 2025 20:30:00: %ASA-6-302014: Teardown',
    '<166>Nov 23 2025 20:30:00.250 fw app[1]: x',
    'Nov 23 20:30:00 2025 fw app: x',
    'Nov 23 20:30:00.250 2025 fw app: x',
    '2025-11-23T20:30:00Z fw app: x',
    'Nov 23 20:30:00 2001:db8::1 app: x',
  ]);
  assert.deepEqual(
    parsed.map(({ time, host, ident, message }) => [time, host, ident, message]),
    [
      ['2025-11-23T20:30:00Z', undefined, '%ASA-6-302014', 'Teardown'],
      ['2025-11-23T20:30:00.250Z', 'fw', 'app', 'x'],
      ['2025-11-23T20:30:00Z', 'fw', 'app', 'x'],
      ['2025-11-23T20:30:00.250Z', 'fw', 'app', 'x'],
      ['2025-11-23T20:30:00Z', 'fw', 'app', 'x'],
      ['2026-11-23T20:30:00Z', '2001:db8::1', 'app', 'x'],
    ],
  );
});

test('syslog: RFC 5424 with structured data, RFC 3164 with and without priority', () => {
  const lines = [
    '<165>1 2026-11-23T20:14:15.003Z host app 12 ID47 [ex@1 a="1" b="\\"\\]"][y z="2"] \ufeffhello',
    '<165>1 - - - - - -',
    '<13>Nov 23 20:00:01 host cron[12]: a: b',
    'Dec  1 20:00:01 host kernel: y',
    '<999>1 - - - - - - x',
    '<13>not syslog',
  ];
  assert.deepEqual(events({ type: 'syslog', timezone: 'UTC' }, lines), [
    {
      pri: 165,
      facility: 'local4',
      severity: 'notice',
      time: '2026-11-23T20:14:15.003Z',
      host: 'host',
      ident: 'app',
      pid: '12',
      msgid: 'ID47',
      structured_data: { 'ex@1': { a: '1', b: '"]' }, y: { z: '2' } },
      message: 'hello',
    },
    { pri: 165, facility: 'local4', severity: 'notice', message: '' },
    {
      pri: 13,
      facility: 'user',
      severity: 'notice',
      time: '2026-11-23T20:00:01Z',
      host: 'host',
      ident: 'cron',
      pid: '12',
      message: 'a: b',
    },
    // A day that lies ahead is of the year before.
    { time: '2025-12-01T20:00:01Z', host: 'host', ident: 'kernel', message: 'y' },
    { message: '<999>1 - - - - - - x', _unparsed: true },
    { message: '<13>not syslog', _unparsed: true },
  ]);
});

test('error logs of nginx and Apache', () => {
  assert.deepEqual(
    events({ type: 'nginx_error', timezone: '+01:00' }, [
      '2026/11/23 21:04:07 [error] 12#34: *56 open() "/a, b" failed (2: No such file), client: 192.0.2.1, server: _, request: "GET /a, b HTTP/1.1", upstream: "http://u/", host: "h", referrer: "http://r/"',
      '2026/11/23 21:04:07 [notice] 1#1: signal process started',
      'junk',
    ]),
    [
      {
        time: '2026-11-23T20:04:07Z',
        level: 'error',
        pid: 12,
        tid: 34,
        connection: 56,
        message: 'open() "/a, b" failed (2: No such file)',
        client: '192.0.2.1',
        server: '_',
        request: 'GET /a, b HTTP/1.1',
        upstream: 'http://u/',
        host: 'h',
        referrer: 'http://r/',
      },
      { time: '2026-11-23T20:04:07Z', level: 'notice', pid: 1, tid: 1, message: 'signal process started' },
      { message: 'junk', _unparsed: true },
    ],
  );
  assert.deepEqual(
    events({ type: 'apache_error', timezone: 'UTC' }, [
      '[Mon Nov 23 20:04:07.123456 2026] [core:error] [pid 12:tid 34] (13)Permission denied: [client 192.0.2.1:5] AH00035: access denied, referer: http://r/',
      '[Mon Nov 23 20:04:07 2026] [error] [client 192.0.2.1] File does not exist: /x',
      '[Mon Nov 23 20:04:07.123456 2026] [proxy:error] [pid 12] (111)Connection refused: AH00957: http: attempt to connect to 127.0.0.1:80 (127.0.0.1) failed',
      '[Mon Nov 23 20:04:07.123456 2026] [ssl:debug] [pid 12] ssl_engine_io.c(1113): (70014)End of file found: [client 192.0.2.1:5] AH02007: SSL handshake interrupted: (x)',
    ]),
    [
      {
        time: '2026-11-23T20:04:07.123Z',
        module: 'core',
        level: 'error',
        pid: 12,
        tid: 34,
        cause: '(13)Permission denied',
        client: '192.0.2.1:5',
        code: 'AH00035',
        message: 'access denied',
        referer: 'http://r/',
      },
      {
        time: '2026-11-23T20:04:07Z',
        level: 'error',
        client: '192.0.2.1',
        message: 'File does not exist: /x',
      },
      {
        time: '2026-11-23T20:04:07.123Z',
        module: 'proxy',
        level: 'error',
        pid: 12,
        cause: '(111)Connection refused',
        code: 'AH00957',
        message: 'http: attempt to connect to 127.0.0.1:80 (127.0.0.1) failed',
      },
      {
        time: '2026-11-23T20:04:07.123Z',
        module: 'ssl',
        level: 'debug',
        pid: 12,
        source: 'ssl_engine_io.c(1113)',
        cause: '(70014)End of file found',
        client: '192.0.2.1:5',
        code: 'AH02007',
        message: 'SSL handshake interrupted: (x)',
      },
    ],
  );
});

test('what a client sends can neither take fields of an nginx error away nor hold the parser up', () => {
  const start =
    '2026/11/23 21:04:07 [error] 1#1: *7 limiting requests, client: 192.0.2.1, server: s, request: "';
  const sent = `GET /"${', subrequest: "", upstream: "", host: "", referrer: "'.repeat(2000)}x HTTP/1.1`;
  assert.deepEqual(
    events({ type: 'nginx_error', timezone: 'UTC' }, [`${start}${sent}", host: "h"`, `${start}GET /`]),
    [
      {
        time: '2026-11-23T21:04:07Z',
        level: 'error',
        pid: 1,
        tid: 1,
        connection: 7,
        message: 'limiting requests',
        client: '192.0.2.1',
        server: 's',
        request: sent,
        host: 'h',
      },
      // A line that nginx itself cut.
      {
        time: '2026-11-23T21:04:07Z',
        level: 'error',
        pid: 1,
        tid: 1,
        connection: 7,
        message: 'limiting requests',
        client: '192.0.2.1',
        server: 's',
        request: 'GET /',
      },
    ],
  );
});

test('regexp: named groups are the fields; groups that take no part are left out', () => {
  const options = {
    type: 'regexp',
    expression: '/^(?<at>\\S+) (?<level>\\w+)(?: (?<n>\\d+))?$/i',
    time_key: 'at',
    types: { n: 'integer' },
  };
  assert.deepEqual(events(options, ['2026-11-23T20:00:00Z info 7', '2026-11-23T20:00:00Z info', 'x']), [
    { level: 'info', n: 7, time: '2026-11-23T20:00:00Z' },
    { level: 'info', time: '2026-11-23T20:00:00Z' },
    { message: 'x', _unparsed: true },
  ]);
  assert.equal(
    events({ ...options, keep_time_key: true }, ['2026-11-23T20:00:00Z i'])[0]!.at,
    '2026-11-23T20:00:00Z',
  );
  // A time that is none stays, and the event goes by its arrival.
  const { lines, tally } = format(options, ['yesterday info']);
  assert.deepEqual(JSON.parse(lines[0]!.json), { at: 'yesterday', level: 'info' });
  assert.equal(tally.timeless, 1);
});

test('names that objects have of their own are names like any other', () => {
  assert.deepEqual(
    format('ltsv', ['__proto__:1\tconstructor:2\ttoString:3']).lines[0]!.json,
    '{"__proto__":"1","constructor":"2","toString":"3"}',
  );
});

test('time formats', () => {
  const read = (text: string, format?: string, zone?: string) =>
    iso(compileTimeFormat(format, zone)(text, NOW));
  assert.equal(read('2026-11-23T20:00:00.1234567+01:00'), '2026-11-23T19:00:00.123Z');
  assert.equal(read('2026-11-23 20:00:00', undefined, 'America/New_York'), '2026-11-24T01:00:00.000Z');
  assert.equal(read('1795464000'), '2026-11-23T20:00:00.000Z');
  assert.equal(read('1795464000123'), '2026-11-23T20:00:00.123Z');
  assert.equal(read('23/Nov/2026:20:00:00 +0530', '%d/%b/%Y:%H:%M:%S %z'), '2026-11-23T14:30:00.000Z');
  assert.equal(
    read('Mon, 23 November 26 08:00:00 PM', '%a, %d %B %y %I:%M:%S %p', 'UTC'),
    '2026-11-23T20:00:00.000Z',
  );
  assert.equal(read('12:30 AM', '%I:%M %p', 'UTC'), '2026-11-23T00:30:00.000Z');
  assert.equal(read('2026-327 1', '%Y-%j %k', 'UTC'), '2026-11-23T01:00:00.000Z');
  assert.equal(read('2026-11-23T20:00:00,250', '%FT%T,%3N', 'UTC'), '2026-11-23T20:00:00.250Z');
  assert.equal(read('Feb 29 00:00:00', '%b %d %T', 'UTC'), '2024-02-29T00:00:00.000Z');
  assert.equal(read('1795464000.5', '%s.%L'), '2026-11-23T20:00:00.500Z');
  for (const bad of ['2026-02-30 00:00', '2026-13-01 00:00', '2026-01-01 24:00', '2026-01-01']) {
    assert.equal(read(bad, '%Y-%m-%d %H:%M', 'UTC'), 'NaN');
  }
});

test('clocks that are set forward and back', () => {
  const read = (text: string) => iso(compileTimeFormat('%F %T', 'Europe/Berlin')(text, NOW));
  assert.equal(read('2026-03-29 01:59:59'), '2026-03-29T00:59:59.000Z');
  assert.equal(read('2026-03-29 03:00:00'), '2026-03-29T01:00:00.000Z');
  assert.equal(read('2026-10-25 01:59:59'), '2026-10-24T23:59:59.000Z');
  assert.equal(read('2026-10-25 03:00:00'), '2026-10-25T02:00:00.000Z');
  // The hour that comes twice is its first.
  assert.equal(read('2026-10-25 02:30:00'), '2026-10-25T00:30:00.000Z');
});

test('faults of a configuration are said at their key', () => {
  const fault = (options: unknown) => {
    const issue = z.safeParse(formatOptions, options).error!.issues[0]!;
    return `${issue.path.join('.')}: ${issue.message}`;
  };
  assert.match(fault('ngnix'), /^type: expected one of nginx/);
  assert.match(fault({ type: 'nginx', log_format: '$a$b' }), /^log_format: .*put a separator/);
  assert.match(fault({ type: 'regexp', expression: '(' }), /^expression: is not a regular expression/);
  assert.match(fault({ type: 'regexp', expression: 'a' }), /named groups/);
  assert.match(fault({ type: 'json', time_format: '%q' }), /^time_format: .*%q/);
  assert.match(fault({ type: 'syslog', timezone: 'Mars/Base' }), /^timezone: .*Mars/);
});

test('syslog: no host, as the local socket has it; names longer than the RFC allows', () => {
  const pick = (line: string) => {
    const { host, ident, pid, message } = events({ type: 'syslog', timezone: 'UTC' }, [line])[0]!;
    return [host, ident, pid, message];
  };
  assert.deepEqual(pick('<13>Nov 23 20:00:01 app[12]: a: b'), [undefined, 'app', '12', 'a: b']);
  assert.deepEqual(pick('Nov 23 20:00:01 app: hello there: x'), [
    undefined,
    'app',
    undefined,
    'hello there: x',
  ]);
  assert.deepEqual(pick('Nov 23 20:00:01 2001:db8::1 app: x'), ['2001:db8::1', 'app', undefined, 'x']);
  assert.deepEqual(pick('Nov 23 20:00:01 host kernel: [1.2] eth0: up'), [
    'host',
    'kernel',
    undefined,
    '[1.2] eth0: up',
  ]);
  const name = 'a'.repeat(100);
  assert.deepEqual(pick(`<13>1 2026-11-23T20:00:01Z h ${name} - - - x`), ['h', name, undefined, 'x']);
});

test('error logs of nginx: stream and mail', () => {
  const parsed = events({ type: 'nginx_error', timezone: 'UTC' }, [
    '2026/11/23 20:30:00 [error] 12#12: *5 connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.1, server: 127.0.0.1:9000, upstream: "127.0.0.1:9001", bytes from/to client:1/2, bytes from/to upstream:3/4',
    '2026/11/23 20:30:00 [info] 12#12: *7 client login failed, client: 192.0.2.1, server: 127.0.0.1:110, login: "bob"',
  ]);
  assert.deepEqual(parsed[0], {
    time: '2026-11-23T20:30:00Z',
    level: 'error',
    pid: 12,
    tid: 12,
    connection: 5,
    message: 'connect() failed (111: Connection refused) while connecting to upstream',
    client: '192.0.2.1',
    server: '127.0.0.1:9000',
    upstream: '127.0.0.1:9001',
    bytes_from_client: 1,
    bytes_to_client: 2,
    bytes_from_upstream: 3,
    bytes_to_upstream: 4,
  });
  assert.deepEqual(
    [parsed[1]!.message, parsed[1]!.client, parsed[1]!.server, parsed[1]!.login],
    ['client login failed', '192.0.2.1', '127.0.0.1:110', 'bob'],
  );
});

test('regexp: expressions of Ruby, as fluentd has them', () => {
  const fields = (expression: string, line: string) => events({ type: 'regexp', expression }, [line])[0]!;
  assert.deepEqual(fields('/\\A(?<id>\\h+) (?<w>[[:alpha:]]+)\\z/', 'beef abc'), { id: 'beef', w: 'abc' });
  assert.deepEqual(fields('^(?<id>\\h+)$', 'beef'), { id: 'beef' });
  assert.deepEqual(fields('/^(?<a>.*) (?<b>.*)$/m', 'x\ny z'), { a: 'x\ny', b: 'z' });
  assert.deepEqual(fields('/(?<a>\\d+)  # a number\n/x', '17'), { a: '17' });
  assert.deepEqual(fields('(?<a>[a-z]++)(?<b>\\d)', 'ab1'), { a: 'ab', b: '1' });
});

test('a name that comes twice in a line: the second value is kept, and redactions find it', () => {
  const redact = [{ field: 'a', mask: true }];
  const cases: readonly (readonly [object, string])[] = [
    [{ type: 'logfmt' }, 'a=1 a=2 b=3'],
    [{ type: 'ltsv' }, 'a:1\ta:2\tb:3'],
    [{ type: 'csv', columns: ['a', 'a', 'b'] }, '1,2,3'],
  ];
  for (const [options, line] of cases) {
    assert.deepEqual(events(options, [line]), [{ a: '1', 'a#2': '2', b: '3' }]);
    assert.deepEqual(events(options, [line], { redact }), [{ a: '***', 'a#2': '***', b: '3' }]);
  }
  const [event] = events('syslog', ['<165>1 2026-11-23T20:30:00Z h a - - [x ip="1" ip="2"] m']);
  assert.deepEqual(event!.structured_data, { x: { ip: '1', 'ip#2': '2' } });
});
