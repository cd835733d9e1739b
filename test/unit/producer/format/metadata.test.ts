import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { type TestContext, test } from 'node:test';
import { resolvePlaceholders } from '../../../../producer/format/metadata.ts';

/** An instance metadata service that wants a token, as IMDSv2 does, and fails its first requests. */
async function metadata(t: TestContext, failures = 0): Promise<{ endpoint: string; asked: string[] }> {
  const asked: string[] = [];
  let left = failures;
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (left-- > 0) response.writeHead(503).end();
    else if (request.method === 'PUT' && request.url === '/latest/api/token') response.end('token-1');
    else if (request.headers['x-aws-ec2-metadata-token'] !== 'token-1') response.writeHead(401).end();
    else if (request.url === '/latest/meta-data/instance-id') response.end('i-0123456789abcdef0');
    else if (request.url === '/latest/meta-data/placement/availability-zone') response.end('eu-central-1a');
    else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const added = { id: `\${instance_id}`, zone: `at \${availability_zone}` };

test('instance id and zone come from IMDSv2, with a token', async (t) => {
  const { endpoint } = await metadata(t);
  assert.deepEqual(await resolvePlaceholders(added, endpoint), {
    hostname: hostname(),
    instance_id: 'i-0123456789abcdef0',
    availability_zone: 'eu-central-1a',
  });
});

test('it is not asked where nothing is wanted of it', async (t) => {
  const { endpoint, asked } = await metadata(t);
  assert.deepEqual(await resolvePlaceholders({ host: `\${hostname}` }, endpoint), { hostname: hostname() });
  assert.deepEqual(asked, []);
});

test('a failure is tried again, and one that lasts says what to do', async (t) => {
  const passing = await metadata(t, 1);
  assert.equal((await resolvePlaceholders(added, passing.endpoint)).instance_id, 'i-0123456789abcdef0');
  const lasting = await metadata(t, 1000);
  await assert.rejects(resolvePlaceholders(added, lasting.endpoint), {
    code: 'METADATA',
    retriable: true,
    message: /does not answer/,
  });
});
