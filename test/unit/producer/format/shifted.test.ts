/** Lines that a client has made hard to tell apart: redactions act on all of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { events, format } from '../../../support/format-harness.ts';

const TIME = '[23/Nov/2026:20:30:00 +0000]';
const REST = `"GET /a?token=secret&x=1 HTTP/1.1" 200 12 "-" "curl"`;

test('the user ends where the time that follows parses, whatever a client writes into its name', () => {
  for (const user of [
    'a [b',
    'a [23/Nov/2026:20:30:00 +0000] b',
    ' [',
    'x [23/Nov/2026:20:30:00 +0000]',
    'a b',
  ]) {
    const line = `192.0.2.1 - ${user} ${TIME} ${REST}`;
    const redact = [{ field: 'path', query: ['token'] }];
    for (const [type, address] of [
      ['nginx', 'remote'],
      ['apache2', 'host'],
    ] as const) {
      const [event] = events(type, [line], { redact });
      assert.equal(event!.user, user, `${type} ${user}`);
      assert.equal(event![address], '192.0.2.1');
      assert.equal(event!.path, '/a?token=***&x=1');
      assert.equal(event!.time, '2026-11-23T20:30:00Z');
    }
  }
});

test('vhost_combined, main and common with such a user, and an exclude that looks at the path', () => {
  const user = 'a [x] "b';
  const escaped = user.replace('"', '\\"');
  const lines: [unknown, string][] = [
    [{ type: 'apache2', log_format: 'vhost_combined' }, `web:80 192.0.2.1 - ${escaped} ${TIME} ${REST}`],
    ['apache2', `192.0.2.1 - ${escaped} ${TIME} "GET /a?token=secret HTTP/1.1" 200 12`],
    [{ type: 'nginx', log_format: 'main' }, `192.0.2.1 - a [x] \\x22b ${TIME} ${REST} "-"`],
  ];
  for (const [options, line] of lines) {
    assert.equal(events(options, [line])[0]!.user, user);
    assert.equal(format(options, [line], { exclude: [{ field: 'path', pattern: '^/a' }] }).tally.excluded, 1);
  }
});

test('an address with its port behind a colon, for IPv6 too', () => {
  const options = { type: 'nginx', log_format: '$remote_addr:$remote_port "$request"' };
  const redact = [{ field: 'remote', ip: 'truncate' }];
  const parsed = events(options, ['2001:db8::77:5000 "GET / HTTP/1.1"', '192.0.2.7:80 "GET / HTTP/1.1"'], {
    redact,
  });
  assert.deepEqual(
    parsed.map(({ remote, remote_port }) => [remote, remote_port]),
    [
      ['2001:db8:0::', 5000],
      ['192.0.2.0', 80],
    ],
  );
  assert.equal(events(options, ['2001:db8::77:5000 "GET / HTTP/1.1"'])[0]!.remote, '2001:db8::77');
  const vhost = { type: 'apache2', log_format: '%v:%p %h %t' };
  assert.deepEqual(events(vhost, [`[::1]:8080 2001:db8::1 ${TIME}`])[0], {
    server_name: '[::1]',
    port: 8080,
    host: '2001:db8::1',
    time: '2026-11-23T20:30:00Z',
  });
});

test('a request line that is not a request: what hides a part of it hides that in the whole', () => {
  const hidden = (request: string, rule: object) =>
    JSON.stringify(
      events('nginx', [`192.0.2.1 - - ${TIME} "${request}" 400 0 "-" "-"`], {
        redact: [{ field: 'path', ...rule }],
      }),
    );
  for (const request of [
    '(x) /?token=secret HTTP/1.1',
    'M-SEARCH /?token=secret HTTP/1.1',
    'my_method /?token=secret HTTP/1.1',
    'GET /?token=secret',
    'GET http://h/?token=secret HTTP/1.1',
    '/?token=secret',
    'GET /?a=1&token=secr et=secret HTTP/1.1',
    'GET /?%74oken=secret HTTP/1.1',
    '\\x16 /?token=secret\\x22secret',
    'GET  /?token=secret  HTTP/1.1',
    '- HTTP/1.1#token=secret',
    'GET / HTTP/1.1?token=secret',
  ]) {
    assert.ok(!hidden(request, { query: ['token'] }).includes('secret'), request);
    assert.ok(!hidden(request, { mask: true }).includes('secret'), request);
    assert.ok(!hidden(request, { pattern: 'secr ?et' }).includes('secret'), request);
  }
});

test('a header with spaces in front of other fields does not carry an address past its redaction', () => {
  const options = { type: 'apache2', log_format: '%{X-Forwarded-For}i %l %u %t "%r" %>s' };
  const line = `a b, 203.0.113.9 - - ${TIME} "GET / HTTP/1.1" 200`;
  for (const rule of [{ ip: 'truncate' }, { mask: true }, { pattern: '203\\.0\\.113\\.9' }]) {
    const redact = [{ field: 'http_x_forwarded_for', ...rule }];
    const [event] = events(options, [line], { redact });
    assert.ok(!JSON.stringify(event).includes('203.0.113.9'), JSON.stringify(event));
    assert.equal(event!._unparsed, undefined);
  }
});

test('a header that ends as a list does is still divided from what follows', () => {
  const options = { type: 'apache2', log_format: '%{X-Forwarded-For}i %l %u %t "%r" %>s' };
  const line = `x SECRET, - - ${TIME} "GET / HTTP/1.1" 200`;
  const [event] = events(options, [line], { redact: [{ field: 'http_x_forwarded_for', mask: true }] });
  assert.equal(event!._unparsed, undefined);
  assert.ok(!JSON.stringify(event).includes('SECRET'));
});

test('an unquoted header between values of the server is found from both ends', () => {
  const options = { type: 'nginx', log_format: '$remote_addr $http_x_id $status "$request"' };
  const redact = [{ field: 'http_x_id', mask: true }];
  assert.deepEqual(events(options, ['192.0.2.1 a 7 b 200 "GET / HTTP/1.1"'], { redact })[0], {
    remote: '192.0.2.1',
    http_x_id: '***',
    code: 200,
    method: 'GET',
    path: '/',
    protocol: 'HTTP/1.1',
  });
});

test('property: whatever a client puts into its user, request and headers, the token is not in the event', () => {
  const part = fc.constantFrom(
    ' ',
    ' [',
    '] \\x22',
    '\\x22',
    '-',
    '23/Nov/2026:20:30:00 +0000',
    '/',
    '?',
    '&',
    'token=S3CRET',
    '%74oken=S3CRET',
    'HTTP/1.1',
    'GET',
    ':',
    '#',
    ';',
    'a',
  );
  const text = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(''));
  const formats = [
    ['combined', (u: string, r: string) => `192.0.2.1 - ${u} ${TIME} "${r}" 400 0 "-" "-"`],
    ['main', (u: string, r: string) => `192.0.2.1 - ${u} ${TIME} "${r}" 400 0 "-" "-" "-"`],
  ] as const;
  fc.assert(
    fc.property(text, text, fc.constantFrom(...formats), (user, request, [log_format, lineOf]) => {
      // A token in the name of a user is not one that this redaction is about.
      const line = lineOf(user.replaceAll('S3CRET', ''), request);
      const { lines } = format({ type: 'nginx', log_format }, [line], {
        redact: [{ field: 'path', query: ['token'] }],
      });
      const { json } = lines[0]!;
      assert.ok(!JSON.parse(json)._unparsed, line);
      const named = /[?&;#](?:t|%74)oken=S3CRET/.test(request) || /^\S* *(?:t|%74)oken=S3CRET/.test(request);
      if (named) assert.ok(!/[?&;#](?:t|%74)oken=S3CRET/.test(json), line);
    }),
    { numRuns: 1000 },
  );
});

test('a value at the end of a line, or with blanks of a client in it, does not carry a token past its redaction', () => {
  const redact = [{ field: 'path', query: ['token'] }];
  const formats: [object, string][] = [
    [
      { type: 'apache2', log_format: '%a %m %U%q %H %>s %v %V' },
      '192.0.2.1 GET /a b?token=secret HTTP/1.1 200 v.x v.x',
    ],
    [
      { type: 'nginx', log_format: '"$request_method $request_uri $server_protocol" $status' },
      '"GET /a b?token=secret HTTP/1.1" 200',
    ],
    [
      { type: 'nginx', log_format: '$request_method $request_uri $server_protocol' },
      'GET /a b?token=secret HTTP/1.1',
    ],
  ];
  for (const [options, line] of formats) {
    const [event] = events(options, [line], { redact });
    assert.deepEqual(
      [event!.method, event!.path, event!.protocol],
      ['GET', '/a b?token=***', 'HTTP/1.1'],
      line,
    );
    const [whole] = events(options, [line]);
    assert.deepEqual([whole!.path, whole!.protocol], ['/a b?token=secret', 'HTTP/1.1'], line);
  }
  const agents = { type: 'nginx', log_format: '$http_user_agent $request' };
  const [event] = events(agents, ['curl secret GET /x HTTP/1.1'], {
    redact: [{ field: 'agent', mask: true }],
  });
  assert.ok(!JSON.stringify(event).includes('secret'));
});

test('a host with its port behind a colon, for IPv6 too', () => {
  const options = { type: 'nginx', log_format: '$host:$server_port $status $server_name:$server_port' };
  const parsed = events(options, ['[2001:db8::1]:443 200 _:443', 'h.example:80 200 h.example:80']);
  assert.deepEqual(
    parsed.map(({ host, server_port }) => [host, server_port]),
    [
      ['[2001:db8::1]', 443],
      ['h.example', 80],
    ],
  );
});

test('apache2 without a log_format: a line that begins with host and port is vhost_combined, so that the client is host', () => {
  const rest = `- - ${TIME} "GET / HTTP/1.1" 200 5 "-" "curl"`;
  const redact = [{ field: 'host', ip: 'truncate' }];
  for (const [line, server_name, host] of [
    [`shop.example:443 203.0.113.7 ${rest}`, 'shop.example', '203.0.113.0'],
    [`shop.example:443 2001:db8:1::7 ${rest}`, 'shop.example', '2001:db8:1::'],
    [`203.0.113.7 ${rest}`, undefined, '203.0.113.0'],
    [`2001:db8:1::443 ${rest}`, undefined, '2001:db8:1::'],
    [
      `shop.example:443 203.0.113.7 - a [b ${TIME} "GET / HTTP/1.1" 200 5 "-" "curl"`,
      'shop.example',
      '203.0.113.0',
    ],
  ] as const) {
    const [event] = events('apache2', [line], { redact });
    assert.deepEqual([event!.server_name, event!.host], [server_name, host], line);
  }
});
