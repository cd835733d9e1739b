/** `tailrace init` and `tailrace test`: nginx.conf read, configurations written that are valid, lines compared. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../../cli/config.ts';
import { runTest } from '../../../cli/config-test.ts';
import { agentYaml, consumerYaml } from '../../../cli/init-config.ts';
import { accessLogs, errorLogs, includes } from '../../../cli/nginx-conf.ts';
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
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time',
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
  const found = { stream: 'yes', region: 'eu-central-1', regionFrom: 'as given' };
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

const LINE =
  '203.0.113.7 - - [23/Nov/2026:07:05:09 +0000] "GET /search?q=tea HTTP/1.1" 200 512 "-" "curl/8.14"';

test('recorded lines are compared with expected events, field by field', () => {
  const file = join(folder, 'agent.yaml');
  writeFileSync(file, agentYaml({ stream: 'a', region: 'b', regionFrom: 'c', logs: [] }));
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
