/** `tailrace init` and `tailrace test`: nginx.conf read, configurations written that are valid, lines compared. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../../cli/config.ts';
import { runTest } from '../../../cli/config-test.ts';
import { agentYaml, consumerYaml, PHP_LOG } from '../../../cli/init-config.ts';
import { accessLogs, errorLogs, includes, inputFormat, leftOut, tagsOf } from '../../../cli/nginx-conf.ts';
import { consumerSchema } from '../../../consumer/config.ts';
import { agentConfig } from '../../../producer/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'init-'));
after(() => rmSync(folder, { recursive: true }));

const NGINX = `
user www-data; # access_log /no/such.log;
http {
  log_format main escape=json '$remote_addr - $remote_user [$time_local] "$request" '
                  '$status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time';
  log_format "odd name" "it's \\"$status\\"";
  access_log /var/log/nginx/access.log main buffer=32k;
  server {
    access_log off;
    access_log syslog:server=10.0.0.1 main;
    location /x { access_log /var/log/nginx/x.log "odd name"; }
    location /y { access_log /var/log/nginx/access.log; }
    access_log /var/log/nginx/$host.log main;
    access_log /var/log/nginx/plain.log;
  }
  include /etc/nginx/conf.d/*.conf;
}
`;

test('access logs of nginx.conf are found with their formats, each once', () => {
  assert.deepEqual(accessLogs(NGINX), [
    {
      path: '/var/log/nginx/access.log',
      format:
        'escape=json $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time',
    },
    { path: '/var/log/nginx/x.log', format: `it's "$status"` },
    { path: '/var/log/nginx/plain.log', format: null },
  ]);
  assert.deepEqual(includes(NGINX), ['/etc/nginx/conf.d/*.conf']);
  assert.deepEqual(accessLogs(''), []);
  const errors = `error_log /var/log/nginx/error.log warn; http { error_log stderr; error_log syslog:server=a;
    error_log memory:32m debug; server { error_log "/srv/my errors.log"; error_log /var/log/nginx/error.log; } }`;
  assert.deepEqual(errorLogs(errors), ['/var/log/nginx/error.log', '/srv/my errors.log']);
});

test('what init writes is valid, with logs and without, whatever the names', () => {
  const file = join(folder, 'agent.yaml');
  const found = {
    stateDir: '/a',
    stream: 'yes',
    region: 'eu-central-1',
    regionFrom: 'as given',
    leftOut: leftOut(NGINX),
  };
  const logs = accessLogs(NGINX).map(({ path, format }, i) => ({
    path,
    tag: `nginx.${i}`,
    format: format === null ? 'nginx' : { type: 'nginx', log_format: format },
    from: 'nginx.conf',
  }));
  writeFileSync(file, agentYaml({ ...found, logs }));
  const { inputs, stream } = loadConfig(file, agentConfig);
  assert.equal(inputs.length, 4);
  assert.equal(stream.name, 'yes');
  writeFileSync(file, agentYaml({ ...found, logs: [] }));
  assert.equal(loadConfig(file, agentConfig).inputs.length, 2);
  writeFileSync(file, consumerYaml({ ...found, bucket: '123' }));
  assert.equal(loadConfig(file, consumerSchema).archive.bucket, '123');
});

test('logs of nginx: JSON is read as JSON, other formats keep their escape, tags are by the names of files', () => {
  const j = `log_format j escape=json '{"at":"$time_iso8601",' '"status":$status}';
    log_format k escape=json '{"time":"$msec"}'; log_format l '{"ua":"$http_user_agent"}';
    access_log /a j; access_log /b k; access_log /c l;`;
  assert.deepEqual(
    accessLogs(j).map(({ format }) => inputFormat(format)),
    [{ type: 'json', time_key: 'at' }, 'json', { type: 'nginx', log_format: '{"ua":"$http_user_agent"}' }],
  );
  assert.equal(inputFormat(null), 'nginx');
  assert.deepEqual(
    leftOut(NGINX).map(({ directive }) => directive),
    ['access_log syslog:server=10.0.0.1', 'access_log /var/log/nginx/$host.log'],
  );
  assert.deepEqual(
    tagsOf(
      ['/a/access.log', '/a/shop.access.log', '/b/access.log', '/a/my shop-access.log', '/a/x'],
      'access',
    ),
    ['nginx.access', 'nginx.shop.access', 'nginx.access_2', 'nginx.my_shop.access', 'nginx.x.access'],
  );
  assert.deepEqual(tagsOf(['/a/error_api.log'], 'error'), ['nginx.api.error']);
});

test("PHP's logs, of the daemon and of a script with its stack, become events with their times", () => {
  const { format, start } = PHP_LOG;
  const file = join(folder, 'php.yaml');
  const log = { path: '/p', tag: 'php', format, start, from: 'found' };
  writeFileSync(
    file,
    agentYaml({ stateDir: '/a', stream: 'a', region: 'b', regionFrom: 'c', logs: [log], leftOut: [] }),
  );
  const tails = loadConfig(file, agentConfig).inputs.filter((input) => input.type === 'tail');
  const lines = [
    '[28-Nov-2026 07:00:01 UTC] NOTICE: fpm is running, pid 4001',
    '[28-Nov-2026 08:05:10 Europe/Berlin] PHP Fatal error:  Uncaught Exception: no in /srv/a.php:3',
    'Stack trace:',
    '#0 {main}',
    '[28-Nov-2026 07:05:11 UTC] WARNING: [pool www] child 4011, script (request: "GET /") executing too slow',
    '[28-Nov-2026 07:05:12 UTC] what a script logs by itself',
  ].join('\n');
  const events = [
    { time: '2026-11-28T07:00:01Z', level: 'NOTICE', message: 'fpm is running, pid 4001' },
    {
      time: '2026-11-28T07:05:10Z',
      level: 'Fatal error',
      message: 'Uncaught Exception: no in /srv/a.php:3\nStack trace:\n#0 {main}',
    },
    {
      time: '2026-11-28T07:05:11Z',
      level: 'WARNING',
      pool: 'www',
      message: 'child 4011, script (request: "GET /") executing too slow',
    },
    { time: '2026-11-28T07:05:12Z', message: 'what a script logs by itself' },
  ];
  assert.deepEqual(runTest({ lines, events, exact: true }, tails), []);
});

const LINE =
  '203.0.113.7 - - [23/Nov/2026:07:05:09 +0000] "GET /search?q=tea HTTP/1.1" 200 512 "-" "curl/8.14"';

test('recorded lines are compared with expected events, field by field', () => {
  const file = join(folder, 'agent.yaml');
  writeFileSync(
    file,
    agentYaml({ stateDir: '/a', stream: 'a', region: 'b', regionFrom: 'c', logs: [], leftOut: [] }),
  );
  const tails = loadConfig(file, agentConfig).inputs.filter((input) => input.type === 'tail');
  const one = { lines: LINE, exact: false };
  assert.deepEqual(runTest({ ...one, events: [{ method: 'GET', code: 200 }] }, tails), []);
  assert.deepEqual(runTest({ ...one, events: [{ method: 'PUT', nothing: 1 }] }, tails), [
    'event 1: method: expected "PUT", found "GET"',
    'event 1: nothing is missing',
  ]);
  assert.match(
    runTest({ ...one, exact: true, events: [{ method: 'GET' }] }, tails).join('\n'),
    /code: not expected, found 200/,
  );
  assert.match(runTest({ ...one, events: [] }, tails)[0]!, /expected 0 events, found 1/);
  assert.match(runTest({ ...one, input: 'x', events: [] }, tails)[0]!, /there is no tail input/);
  const many = { lines: `${LINE}\n`.repeat(3), exact: false };
  assert.deepEqual(runTest({ ...many, input: 'nginx.access', events: [{}, {}, {}] }, tails), []);
});
