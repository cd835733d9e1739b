/** The forward section of agent.yaml is checked strictly, and its faults are reported with their place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig } from '../../../../cli/config.ts';
import { forwardOptions } from '../../../../producer/forward/options.ts';

const check = (options: object): unknown =>
  checkConfig('agent.yaml', { type: 'forward', ...options }, forwardOptions);

test('without a word it listens on loopback', () => {
  assert.equal((check({}) as { listen: string }).listen, '127.0.0.1:24224');
});

test('faults are named', () => {
  const faults: [object, RegExp][] = [
    [{ lisen: '127.0.0.1:1' }, /lisen: unknown key/],
    [{ listen: '127.0.0.1' }, /listen: expected host:port/],
    [{ listen: '127.0.0.1:99999' }, /listen: expected host:port/],
    [{ listen: 'unix:relative' }, /listen: expected host:port/],
    [{ routes: [{ match: '{a' }] }, /routes\[0\]\.match: match pattern "\{a" has a \{ without its \}/],
    [{ routes: [{ tag: 'x' }] }, /routes\[0\]\.match: is missing/],
    [{ tls: { cert: 'a.pem' } }, /tls\.key: is missing/],
    [{ tls: { cert: 'a.pem', key: 'a.key', client_auth: true } }, /tls: client_auth needs ca/],
    [{ security: {} }, /security\.shared_key: is missing/],
    [{ chunk_id_ttl: 5 }, /chunk_id_ttl: expected a duration/],
    [{ max_message_size: 'big' }, /max_message_size: expected a size/],
    [{ max_connections: 0 }, /max_connections: /],
  ];
  for (const [options, message] of faults) assert.throws(() => check(options), message);
});
