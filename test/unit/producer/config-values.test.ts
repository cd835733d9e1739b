import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, checkConfig } from '../../../cli/config.ts';
import { agentConfig } from '../../../producer/config.ts';

const LEAST = {
  state_dir: '/var/lib/tailrace',
  stream: { name: 'weblogs', region: 'eu-central-1' },
  inputs: [{ type: 'tail', path: '/var/log/app.log', tag: 'app', format: 'none' }],
};

test('the least configuration is one, and has every default', () => {
  const config = checkConfig('agent.yaml', LEAST, agentConfig);
  assert.equal(config.stream.request_timeout, 30_000);
  assert.equal(config.send.request_size, 5 * 1024 * 1024);
  assert.equal(config.send.requests_in_flight, 3);
});

for (const [path, value, reason] of [
  // A timer would go off at once: every request given up, a flush over before it began.
  ['stream.request_timeout', '0s', 'expected 1ms to 24d'],
  ['stream.request_timeout', '30d', 'expected 1ms to 24d'],
  ['stop_timeout', '60d', 'expected 1ms to 24d'],
  ['seal.interval', '0ms', 'expected 1ms to 24d'],
  ['seal.idle_interval', '25d', 'expected 1ms to 24d'],
  ['instance.interval', '0s', 'expected 1ms to 24d'],
  ['emf.interval', '0s', 'expected 1ms to 24d'],
  ['emf.address', '127.0.0.1:99999', 'expected host:port'],
  ['http.listen', '127.0.0.1:65536', 'expected host:port'],
  ['http.listen', '24280', 'expected host:port'],
  ['send.request_size', '11MiB', 'expected 256KiB to 10MiB'],
  ['send.max_bytes_per_second', '0', 'expected more than 0'],
  ['spool.max_size', '0', 'expected more than 0'],
  ['stop_timeout', 'soon', 'expected a duration such as 500ms, 5s, 10m, 2h or 7d'],
] as const) {
  test(`${path}: ${value} is refused by its path`, () => {
    const keys = path.split('.');
    const last = keys.pop()!;
    const config: Record<string, unknown> = structuredClone(LEAST);
    let section = config;
    for (const key of keys) {
      section[key] ??= {};
      section = section[key] as Record<string, unknown>;
    }
    section[last] = value;
    assert.throws(
      () => checkConfig('agent.yaml', config, agentConfig),
      (error: Error) =>
        error instanceof ConfigError &&
        error.message === `agent.yaml: ${path}: ${reason}, found ${JSON.stringify(value)}`,
    );
  });
}
