/** Lines that real servers wrote (test/samples/): all are parsed, have their time, and show nothing that is to be hidden. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { format as formatAt } from '../../../support/format-harness.ts';

const SAMPLES = join(import.meta.dirname, '../../../samples');

const FORMATS: Readonly<Record<string, unknown>> = {
  'nginx-combined': 'nginx',
  'nginx-main': 'nginx',
  'nginx-json': 'json',
  'nginx-error': { type: 'nginx_error', timezone: 'UTC' },
  'apache-combined': 'apache2',
  'apache-common': 'apache2',
  'apache-vhost': { type: 'apache2', log_format: 'vhost_combined' },
  'apache-timed': {
    type: 'apache2',
    log_format: '%{X-Forwarded-For}i %l %u [%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t] "%r" %>s %{end:msec}t %^FB',
  },
  'haproxy-http': { type: 'haproxy', timezone: 'UTC' },
  'haproxy-clf': 'haproxy',
  'haproxy-tcp': { type: 'haproxy', timezone: 'UTC' },
  'haproxy-default': 'haproxy',
  'traefik-common': 'traefik',
  'traefik-clf': 'traefik',
  'traefik-json': 'traefik',
  'varnish-ncsa': 'varnish',
  'lighttpd-access': 'lighttpd',
  'caddy-access': 'caddy',
  'squid-native': 'squid',
  'squid-combined': 'squid',
  'envoy-access': 'envoy',
  'tomcat-combined': 'tomcat',
  'tomcat-common': 'tomcat',
  'tomcat-more': {
    type: 'tomcat',
    log_format: `%h %l %u %{yyyy-MM-dd'T'HH:mm:ss.SSSZ}t "%r" %s %b %D %F %T %I %S "%{User-Agent}i" "%{Referer}i"`,
  },
};

const HIDDEN = [
  'path',
  'referer',
  'request',
  'captured_request_headers',
  'request.uri',
  'request.headers.Referer',
  'RequestPath',
  'request_Referer',
];
const redact = HIDDEN.map((field) => ({ field, query: ['token'] }));

/** When the samples were made. */
const NOW = Date.UTC(2026, 10, 28, 15);
const format = (options: unknown, lines: readonly (string | Buffer)[], transform: unknown = {}) =>
  formatAt(options, lines, transform, NOW);

function sample(name: string): Buffer[] {
  const lines = readFileSync(join(SAMPLES, `${name}.txt`), 'latin1').split('\n');
  return lines.slice(0, -1).map((line) => Buffer.from(line, 'latin1'));
}

test('every sample has its format here', () => {
  const files = readdirSync(SAMPLES).filter((name) => name.endsWith('.txt'));
  assert.deepEqual(files.map((name) => name.slice(0, -4)).sort(), Object.keys(FORMATS).sort());
});

for (const [name, options] of Object.entries(FORMATS)) {
  test(`${name}: every line is parsed and has its time; the token is in none that is redacted`, () => {
    const lines = sample(name);
    const { lines: out, tally } = format(options, lines);
    assert.deepEqual([out.length, tally.unparsed], [lines.length, 0]);
    // HAProxy's default has no time of its own: a syslog daemon puts it before the line.
    assert.equal(tally.timeless, name === 'haproxy-default' ? lines.length : 0);
    const hour = Date.UTC(2026, 10, 28, name.startsWith('traefik') ? 14 : 13) / 3_600_000;
    if (tally.timeless === 0) for (const event of out) assert.equal(event.hour, hour, event.json);
    for (const { json } of format(options, lines, { redact }).lines)
      assert.doesNotMatch(json, /token=(?:SEC|%)/);
  });
}

test('the fields of each', () => {
  const event = (name: string, line: number) =>
    JSON.parse(format(FORMATS[name], sample(name)).lines[line]!.json);
  const odd = { path: '/a"b\\c%20d?x=é&token=SECRET', referer: 'a" "b', agent: '"quoted" \\ back\\' };
  for (const name of ['nginx-combined', 'nginx-main', 'apache-combined', 'apache-vhost', 'lighttpd-access'])
    assert.partialDeepStrictEqual(event(name, 5), odd, name);
  assert.partialDeepStrictEqual(event('varnish-ncsa', 5), { ...odd, path: `http://example.org${odd.path}` });
  assert.equal(event('nginx-combined', 6).user, 'a [b] "c" 1');
  assert.equal(event('nginx-combined', 7).user, 'x [23/Nov/2026');
  assert.equal(event('varnish-ncsa', 6).user, 'a [b] "c" 1');
  assert.equal(event('varnish-ncsa', 8).user, '');
  assert.partialDeepStrictEqual(event('haproxy-http', 0), {
    remote: '192.0.2.1',
    remote_port: 59000,
    frontend: 'http-in',
    backend: 'web',
    server: 'nginx1',
    time_total: 45,
    code: 200,
    termination_state: '----',
    captured_request_headers: 'Mozilla/5.0 (X11; Linux)|https://example.org/from?token=SECRET',
    method: 'GET',
    path: '/a?token=SECRET&x=1',
  });
  assert.equal(event('haproxy-clf', 0).time, '2026-11-28T13:50:16.487Z');
  assert.partialDeepStrictEqual(event('haproxy-tcp', 0), { backend: 'webtcp', time_connect: 0, size: 144 });
  assert.partialDeepStrictEqual(event('envoy-access', 14), {
    http_x_forwarded_for: 'a b, 203.0.113.9',
    path: '/xff',
  });
  assert.partialDeepStrictEqual(event('envoy-access', 2), {
    code: 400,
    response_flags: 'DPE',
    protocol: 'HTTP/1.1',
  });
  assert.partialDeepStrictEqual(event('tomcat-more', 0), {
    code: 404,
    commit_time_ms: 25,
    agent: 'Mozilla/5.0 (X11; Linux)',
  });
  const traefik = {
    user: 'a [b] "c" 1',
    path: '/user',
    request_count: 7,
    router: 'web@file',
    duration_ms: 1,
  };
  assert.partialDeepStrictEqual(event('traefik-common', 6), traefik);
  assert.partialDeepStrictEqual(event('traefik-clf', 6), { user: 'a [b] "c" 1', path: '/user', size: 2 });
  assert.partialDeepStrictEqual(event('squid-native', 3), {
    cache_result: 'TCP_MISS',
    code: 200,
    method: 'GET',
    path: 'http://example.org/a?token=SECRET&x=1',
    hierarchy: 'FIRSTUP_PARENT',
  });
});

test('values that a proxy writes without escaping their quotes: what hides one neighbour hides that in both', () => {
  const unescaped = sample('squid-combined').find((line) => line.includes('"quoted"'))!;
  const [event] = format('squid', [unescaped], { redact: [{ field: 'referer', mask: true }] }).lines;
  assert.deepEqual([JSON.parse(event!.json).referer, JSON.parse(event!.json).agent], ['***', '***']);
});

test("HAProxy's escapes are undone", () => {
  const line =
    '192.0.2.1:1 [28/Nov/2026:13:50:14.228] f b/s 0/0/0/0/0 200 1 - - ---- 1/1/0/0/0 0/0 {#22x#7Cy#C3#A9} "GET /#22 HTTP/1.1"';
  const [event] = format({ type: 'haproxy', timezone: 'UTC' }, [line]).lines;
  assert.partialDeepStrictEqual(JSON.parse(event!.json), { captured_request_headers: '"x|yé', path: '/"' });
});

test('what stands between values, sent many times, does not make a line slow to read', () => {
  const line = `192.0.2.1 - - [28/Nov/2026:13:53:05 +0000] "GET ${'" 200 1 '.repeat(4000)}HTTP/1.1" 200 1 "${'" "'.repeat(4000)}" x`;
  // By an expression for the whole this took minutes; the runner's limit is what would be seen.
  assert.equal(format('squid', [line]).tally.unparsed, 1);
  assert.equal(format('squid', [`${line.slice(0, -2)} TCP_MISS:NONE`]).tally.unparsed, 0);
});
