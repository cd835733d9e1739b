/** csv, tsv, logs of W3C's form, load balancers, logfmt and grok. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { events, format } from '../../../support/format-harness.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

test('csv and tsv: quotes, columns, a header line, comments', () => {
  const columns = ['time', 'name', 'n'];
  const parsed = events({ type: 'csv', columns, types: { n: 'integer' } }, [
    '2026-11-23T20:30:00Z,"a ""b"", c",7',
    '2026-11-23T20:30:00Z,x',
    '2026-11-23T20:30:00Z,"open,7',
  ]);
  assert.deepEqual(parsed[0], { time: '2026-11-23T20:30:00Z', name: 'a "b", c', n: 7 });
  assert.deepEqual([parsed[1]!._unparsed, parsed[2]!._unparsed], [true, true]);
  const { lines, tally } = format({ type: 'tsv', comment: '#' }, ['# made by x', 'a\tb', '1\t2']);
  assert.deepEqual(
    lines.map(({ json }) => json),
    ['{"a":"1","b":"2"}'],
  );
  assert.deepEqual([tally.headers, tally.events], [2, 1]);
});

test('csv: the header is known after a restart in the middle of a file', async (t) => {
  const file = path.join(temporaryFolder(t), 'a.csv');
  fs.writeFileSync(file, 'a,b\n1,2\n');
  const tail = new TailHarness({ path: file, format: 'csv' });
  t.after(() => tail.crash());
  await tail.start();
  await tail.settle();
  await tail.crash();
  fs.appendFileSync(file, '3,4\n');
  await tail.start();
  await tail.settle();
  assert.deepEqual(tail.lines(), ['{"a":"1","b":"2"}', '{"a":"3","b":"4"}']);
  assert.equal(tail.counters.total('tailrace_agent_tail_header_lines_total'), 1);
});

// From Microsoft's documentation of the W3C log file format of IIS 10, addresses and names replaced.
test('IIS: columns by #Fields, time in UTC, + for a blank', () => {
  const lines = [
    '#Software: Microsoft Internet Information Services 10.0',
    '#Version: 1.0',
    '#Date: 2026-11-23 20:30:00',
    '#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken',
    '2026-11-23 20:30:00 10.0.0.1 GET /a token=secret&x=1 80 - 192.0.2.1 Mozilla/5.0+(Windows+NT+10.0) - 200 0 0 15',
    '2026-11-23 20:30:00 short',
  ];
  const { lines: out, tally } = format('iis', lines, { redact: [{ field: 'path', query: ['token'] }] });
  assert.deepEqual(JSON.parse(out[0]!.json), {
    s_ip: '10.0.0.1',
    method: 'GET',
    path: '/a?token=***&x=1',
    s_port: 80,
    remote: '192.0.2.1',
    agent: 'Mozilla/5.0 (Windows NT 10.0)',
    code: 200,
    sc_substatus: 0,
    sc_win32_status: 0,
    time_taken: 15,
    time: '2026-11-23T20:30:00Z',
  });
  assert.deepEqual([tally.headers, tally.unparsed], [4, 1]);
});

// The columns and values are those of AWS's documentation of standard logging, addresses replaced.
test('CloudFront: tabs, percent signs, the fields in its first lines', () => {
  const fields =
    'date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken';
  const values =
    '2026-11-23 20:30:00 FRA2 392 192.0.2.1 GET d111.cloudfront.net /index.html 200 - Mozilla/5.0%20(Windows%20NT) token=secret - Hit SOX4 d111.cloudfront.net https 23 0.001';
  const [event] = events('cloudfront', ['#Version: 1.0', `#Fields: ${fields}`, values.replaceAll(' ', '\t')]);
  assert.deepEqual(event, {
    x_edge_location: 'FRA2',
    size: 392,
    remote: '192.0.2.1',
    method: 'GET',
    http_host: 'd111.cloudfront.net',
    path: '/index.html?token=secret',
    code: 200,
    agent: 'Mozilla/5.0 (Windows NT)',
    x_edge_result_type: 'Hit',
    x_edge_request_id: 'SOX4',
    x_host_header: 'd111.cloudfront.net',
    cs_protocol: 'https',
    cs_bytes: 23,
    time_taken: 0.001,
    time: '2026-11-23T20:30:00Z',
  });
});

// The example of AWS's documentation of access logs for Application Load Balancers, addresses and names replaced.
test('ALB', () => {
  const line =
    'https 2026-11-23T20:30:00.186641Z app/my-lb/50dc6c495c0c9188 192.0.2.1:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://www.example.com:443/?token=secret HTTP/1.1" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x "Root=1-58337281-1d84f3d73c47ec4e58577259" "www.example.com" "arn:aws:y" 1 2026-11-23T20:30:00.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_123456';
  const [event] = events('alb', [line]);
  assert.partialDeepStrictEqual(event, {
    time: '2026-11-23T20:30:00.186Z',
    remote: '192.0.2.1',
    remote_port: 2817,
    target: '10.0.0.1',
    code: 200,
    size: 57,
    method: 'GET',
    path: 'https://www.example.com:443/?token=secret',
    agent: 'curl/7.46.0',
    conn_trace_id: 'TID_123456',
  });
  const odd = events('alb', [
    line.replace('"GET https://www.example.com:443/?token=secret HTTP/1.1"', '"- http://h:80- -"'),
  ])[0]!;
  assert.deepEqual([odd.method, odd.path], [undefined, 'http://h:80-']);
  assert.equal(events('alb', [line.replace('"curl', '"cu\\"rl')])[0]!.agent, 'cu"rl/7.46.0');
});

test('logfmt', () => {
  const parsed = events({ type: 'logfmt', time_key: 'ts', types: { n: 'integer' } }, [
    'ts=2026-11-23T20:30:00Z level=info msg="a \\"b\\" \\n c" empty= flag n=7',
    'just some words',
    'a="open',
  ]);
  assert.deepEqual(parsed[0], {
    level: 'info',
    msg: 'a "b" \n c',
    empty: '',
    flag: true,
    n: 7,
    time: '2026-11-23T20:30:00Z',
  });
  assert.deepEqual([parsed[1]!._unparsed, parsed[2]!._unparsed], [true, true]);
});

test('grok: named patterns, types, patterns of its own, several patterns', () => {
  const options = {
    type: 'grok',
    pattern: [
      '%{IP:client} %{WORD:verb} %{URIPATHPARAM:request} %{NUMBER:size:int} %{NUMBER:took:float}',
      '%{ORDER:order}',
    ],
    patterns: { ORDER: 'ORD-\\h{4}' },
  };
  assert.deepEqual(events(options, ['192.0.2.1 GET /a?b=c 15824 0.043', 'see ORD-beef now', 'none']), [
    { client: '192.0.2.1', verb: 'GET', request: '/a?b=c', size: 15824, took: 0.043 },
    { order: 'ORD-beef' },
    { message: 'none', _unparsed: true },
  ]);
  const apache = { type: 'grok', pattern: '^%{COMBINEDAPACHELOG}$', time_key: 'timestamp' };
  const [event] = events(apache, [
    '2001:db8::1 - bob [23/Nov/2026:21:30:00 +0100] "GET /a HTTP/1.1" 200 5 "https://r/" "curl"',
  ]);
  assert.deepEqual(
    [event!.clientip, event!.auth, event!.verb, event!.time],
    ['2001:db8::1', 'bob', 'GET', '2026-11-23T20:30:00Z'],
  );
  for (const [text, pattern] of [
    ['2026-11-23T20:30:00,123+01:00', '^%{TIMESTAMP_ISO8601:x}$'],
    ['Nov 23 20:30:00', '^%{SYSLOGTIMESTAMP:x}$'],
    ['https://u@h.example:8/a?b', '^%{URI:x}$'],
    ['01234567-89ab-cdef-0123-456789abcdef', '^%{UUID:x}$'],
    ['WARN', '^%{LOGLEVEL:x}$'],
    ['::ffff:192.0.2.1', '^%{IP:x}$'],
    ['/var/log/a.log', '^%{PATH:x}$'],
  ])
    assert.deepEqual(events({ type: 'grok', pattern }, [text!])[0], { x: text });
  assert.throws(
    () => events({ type: 'grok', pattern: '%{NOPE:a}' }, []),
    /%\{NOPE:a\} is not a known pattern/,
  );
  assert.throws(() => events({ type: 'grok', pattern: '%{INT}' }, []), /names no field/);
});
