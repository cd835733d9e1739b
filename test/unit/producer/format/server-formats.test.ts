/** Formats as servers' configurations have them, and what cannot be read of them, with its place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseApacheFormat } from '../../../../producer/format/apache-format.ts';
import { parseNginxFormat } from '../../../../producer/format/nginx-format.ts';
import { events } from '../../../support/format-harness.ts';

const CLF = '23/Nov/2026:20:30:00 +0000';
const nginx = (log_format: string, line: string) => events({ type: 'nginx', log_format }, [line])[0]!;
const apache = (log_format: string, line: string) =>
  events({ type: 'apache2', log_format, timezone: 'UTC' }, [line])[0]!;

test('nginx: a directive in double quotes, both quotes, bare words, with comments', () => {
  const event = nginx(
    `# what we log
     log_format timed "$remote_addr [$time_local] "   # comment
                      '"$request" $status' " $request_time";`,
    `192.0.2.1 [${CLF}] "GET / HTTP/1.1" 200 0.005`,
  );
  assert.deepEqual([event.remote, event.path, event.request_time], ['192.0.2.1', '/', 0.005]);
  assert.equal(nginx('log_format j escape=json "{\\"a\\":\\"$http_x\\"}";', '{"a":"b\\nc"}').http_x, 'b\nc');
  assert.throws(() => parseNginxFormat('log_format a "$status'), /column 14 is never closed/);
  assert.throws(
    () => parseNginxFormat("log_format a '$status'; log_format b '$host';"),
    /more follows the semicolon/,
  );
  assert.throws(() => parseNginxFormat("log_format a escape=xml '$status';"), /escape=xml is not known/);
});

test('nginx: a URL in pieces', () => {
  const event = nginx('$scheme://$host$request_uri $status', 'https://example.org/a?b=c 200');
  assert.deepEqual(event, { scheme: 'https', host: 'example.org', path: '/a?b=c', code: 200 });
  assert.equal(nginx('$request_method $uri$is_args$args $status', 'GET /a?b=c 200').path, '/a?b=c');
  assert.throws(() => parseNginxFormat('$status$host'), /nothing separates \$status from \$host at column 8/);
});

test('nginx and Apache: the formats that they have by default are both taken', () => {
  const [combined, main] = events('nginx', [
    `192.0.2.1 - - [${CLF}] "GET / HTTP/1.1" 200 1 "-" "curl"`,
    `192.0.2.1 - - [${CLF}] "GET / HTTP/1.1" 200 1 "-" "curl" "203.0.113.9"`,
  ]);
  assert.equal(combined!.agent, 'curl');
  assert.equal(main!.http_x_forwarded_for, '203.0.113.9');
  const parsed = events('apache2', [
    `192.0.2.1 - "" [${CLF}] "GET / HTTP/1.1" 200 1`,
    `192.0.2.1 - "" [${CLF}] "GET / HTTP/1.1" 200 1 "-" "curl"`,
  ]);
  assert.deepEqual(
    parsed.map(({ user, agent }) => [user, agent]),
    [
      ['', undefined],
      ['', 'curl'],
    ],
  );
});

test('Apache: times in pieces, of the end of a request, and as strftime writes them', () => {
  const time = (log_format: string, text: string) => apache(`${log_format} %h`, `${text} h`);
  assert.equal(
    time('%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t', '23/Nov/2026 21:30:00.250 +0100').time,
    '2026-11-23T20:30:00.250Z',
  );
  assert.equal(time('%{end:msec}t', '1795465800250').time, '2026-11-23T20:30:00.250Z');
  assert.equal(
    time('%{begin:sec}t.%{begin:usec_frac}t', '1795465800.250000').time,
    '2026-11-23T20:30:00.250Z',
  );
  assert.equal(time('%{%Y-%m-%dT%H:%M:%S%z}t', '2026-11-23T21:30:00+0100').time, '2026-11-23T20:30:00Z');
  assert.equal(time('%{%a, %d %b %Y %T %Z}t', 'Mon, 23 Nov 2026 15:30:00 EST').time, '2026-11-23T20:30:00Z');
  assert.equal(time('%{%F %T}t', '2026-11-23 20:30:00').host, 'h');
  const two = apache('%{begin:sec}t %{end:sec}t', '1795465800 1795465801');
  assert.deepEqual(two, { time: '2026-11-23T20:30:00Z', time_2: 1795465801 });
  assert.throws(() => parseApacheFormat('%h %{%Q%q}t'), /column 4: .*%q/);
});

test('Apache: directives of two letters, trailers, and those that it does not have', () => {
  assert.deepEqual(apache('%h %^FB "%{X}^ti" "%{X}^to"', 'h 17 "a" "b"'), {
    host: 'h',
    first_byte_us: 17,
    trailer_x: 'a',
    sent_trailer_x: 'b',
  });
  assert.equal(apache('%!200,304{Referer}i|%>s', 'r|200').referer, 'r');
  assert.throws(() => parseApacheFormat('%h %{x}Q'), /column 4: %\{x\}Q is not a directive/);
  assert.throws(() => parseApacheFormat('%h %{x'), /column 4: it ends in the middle/);
  assert.throws(() => parseApacheFormat('%h 100%'), /column 7: it ends in the middle/);
  assert.equal(apache('LogFormat "%h \\"%r\\"" x', 'h "GET / HTTP/1.1"').path, '/');
});

test('types and time_key of access logs', () => {
  const options = {
    type: 'nginx',
    log_format: '$status $http_x_began $http_x_ok [$time_local]',
    types: { code: 'string', http_x_ok: 'bool', http_x_began: 'time' },
  };
  const line = `200 1795465800 true [${CLF}]`;
  assert.deepEqual(events(options, [line])[0], {
    code: '200',
    http_x_began: '2026-11-23T20:30:00Z',
    http_x_ok: true,
    time: '2026-11-23T20:30:00Z',
  });
  const other = { type: 'nginx', log_format: '"$http_x_at" $status', time_key: 'http_x_at' };
  assert.deepEqual(events(other, ['"2026-11-23 21:30:00 +0100" 200'])[0], {
    code: 200,
    time: '2026-11-23T20:30:00Z',
  });
});
