/** What a client may take of the server: memory, places and log lines, before and after it has identified itself. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { Connection } from '../../../../producer/forward/connection.ts';
import { jsonToMsgpack } from '../../../../producer/forward/json-msgpack.ts';
import { Partials } from '../../../../producer/forward/partials.ts';
import { StateMap } from '../../../../producer/state.ts';
import { FakeSocket, owner } from '../../../support/fake-socket.ts';
import { RawClient, startForward, until } from '../../../support/forward.ts';
import { array, int, map, str } from '../../../support/msgpack-values.ts';

const AT = int(Math.floor(Date.now() / 1000));
const pem = (name: string): string => fileURLToPath(new URL(`../../../support/tls/${name}`, import.meta.url));
const TLS = { cert: pem('server.pem'), key: pem('server.key') };
const SECURITY = { shared_key: 'secret' };

function message(n: number, chunk: string): Buffer {
  return array([str('app'), AT, map([[str('n'), int(n)]]), map([[str('chunk'), str(chunk)]])]);
}

/** The most memory that the process has had resident, in MiB. */
function peak(): number {
  return process.resourceUsage().maxRSS / 1024;
}

test('a JSON message of small values takes memory by its size, not by their number', () => {
  const text = Buffer.from(`["a",1,{"x":[${'0,'.repeat(6_000_000)}0],"y":[${'[],'.repeat(1_000_000)}{}]}]`);
  const before = peak();
  const bytes = jsonToMsgpack(text, 0, text.length)!;
  const grown = peak() - before;
  assert.ok(bytes.length > 6_000_000);
  assert.ok(grown < 150, `${Math.round(grown)} MiB for a text of ${Math.round(text.length / 2 ** 20)}`);
});

test('before the handshake nobody gets the memory of a message', async () => {
  await using server = await startForward({ security: SECURITY });
  for (const start of ['96a450494e47db06400000', '96db06400000', 'dd06400000']) {
    const client = await RawClient.open(server.port);
    await client.read();
    client.send(Buffer.from(start, 'hex'));
    await client.closing();
  }
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total', { reason: 'too_large' }), 3);
  // Nor by another form: there is no PING in JSON.
  const client = await RawClient.open(server.port);
  await client.read();
  client.send('["PING", "');
  await client.closing();
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total', { reason: 'malformed' }), 1);
});

test('a handshake has its time as a whole, however it trickles', async () => {
  let clock = Date.now();
  const options = { security: SECURITY, read_timeout: '5s' };
  await using server = await startForward(options, { uptime: () => clock });
  const client = await RawClient.open(server.port);
  await client.read();
  let closed = false;
  void client.closing().then(() => {
    closed = true;
  });
  for (const byte of Buffer.from('96a450494e47d9ff', 'hex')) {
    if (closed) break;
    client.send(Buffer.of(byte));
    clock += 2000;
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  }
  await client.closing();
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total', { reason: 'timeout' }), 1);
});

test('a client that reads gets every ack, however many one cut makes due', async () => {
  const count = 15_000;
  await using server = await startForward({}, { auto: false });
  const client = await RawClient.open(server.port);
  client.send(Buffer.concat(Array.from({ length: count }, (_, i) => message(i, `c${i + 10_000}`))));
  await until(() => server.cuts.waiting === count);
  server.cuts.cut();
  const expected = count * '\x81\xa3ack\xa6c10000'.length;
  let bytes = 0;
  while (bytes < expected) bytes += (await client.read())!.length;
  assert.equal(bytes, expected);
  assert.equal(server.cuts.count('tailrace_agent_forward_unread_acks_total'), 0);
  client.end();
});

test('acks for a client that reads none are given up beyond their number, and counted', () => {
  let unread = 0;
  const socket = new FakeSocket();
  socket.holdWrites = true;
  const connection = new Connection(socket as unknown as Socket, {
    ...owner([]),
    ackNotRead: () => unread++,
  });
  const acknowledge = (count: number): void => {
    for (let i = 0; i < count; i++) {
      connection.expectAck();
      connection.acknowledge(str('id'));
    }
  };
  acknowledge(10_001);
  const now = Date.now();
  connection.checkTimeouts(now, 60_000, null);
  acknowledge(5000);
  assert.equal(unread, 0);
  connection.checkTimeouts(now + 1000, 60_000, null);
  acknowledge(5000);
  assert.equal(unread, 5000);
});

test('lines that wait for parts have a memory for all of them; those that wait longest go as they are', () => {
  const partials = new Partials(new StateMap(), 0);
  const log = Buffer.alloc(16 * 1024, 0x78);
  const part = (id: string, ordinal: number, text: Buffer): Buffer =>
    map([
      [str('partial_message'), str('true')],
      [str('partial_id'), str(id)],
      [str('partial_ordinal'), str(String(ordinal))],
      [str('log'), str(text)],
    ]);
  let given = 0;
  let bytes = 0;
  for (let ordinal = 1; ordinal <= 6; ordinal++) {
    for (let id = 0; id < 600; id++) {
      const record = part(`id${id}`, ordinal, log);
      for (const line of partials.add('docker', 1, 0, record, 0, record.length, 0)!) {
        assert.ok(line.incomplete);
        given++;
        bytes += line.record.length;
      }
    }
  }
  assert.ok(given > 0);
  const waiting = 6 * 600 * log.length - bytes;
  assert.ok(waiting > 25 * 2 ** 20 && waiting <= 32 * 2 ** 20, `${waiting} bytes wait`);
  // All of it comes out in the end.
  for (const line of partials.expire(1)) bytes += line.record.length;
  assert.ok(bytes >= 6 * 600 * log.length);
  assert.equal(partials.size, 0);

  // Parts of nothing take memory too.
  const first = 100_000;
  const record = part('one', first, Buffer.alloc(0));
  const digits = record.indexOf(String(first));
  let last = 0;
  for (let ordinal = first; ordinal < 999_999 && last === 0; ordinal++) {
    record.write(String(ordinal), digits);
    if (partials.add('docker', 1, 0, record, 0, record.length, 0)!.length > 0) last = ordinal;
  }
  assert.ok(last > 0 && last - first < 300_000, `given up after ${last - first} parts`);
});

test('a tag however long costs no event, and different ones stay different', async () => {
  await using server = await startForward();
  const client = await RawClient.open(server.port);
  const tagged = (length: number): Buffer =>
    array([str('t'.repeat(length)), AT, map([]), map([[str('chunk'), str('x')]])]);
  client.send(tagged(2000));
  assert.ok(await client.read());
  assert.match(JSON.stringify(server.cuts.events[0]), /"_tag":"t{2000}"/);
  for (const length of [64 * 1024, 64 * 1024 + 1, 100_000]) {
    client.send(tagged(length));
    assert.ok(await client.read());
  }
  const tags = server.cuts.events.map((event) => String(event['_tag']));
  assert.deepEqual(
    tags.map((tag) => tag.length),
    [2000, 64 * 1024, 1024 + 1 + 32, 1024 + 1 + 32],
  );
  assert.notEqual(tags[2], tags[3]);
  assert.match(tags[3]!, /^t{1024}…[0-9a-f]{32}$/);
  assert.ok(server.cuts.lines.every(({ tag }) => tag === '_other'));
  client.end();
});

test('a TLS client that has closed its side still gets its ack', async () => {
  await using server = await startForward({ tls: TLS }, { auto: false });
  const client = new RawClient(
    tls.connect({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false }),
  );
  client.socket.allowHalfOpen = true;
  client.socket.end(message(1, 'x'));
  await until(() => server.cuts.waiting === 1);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  server.cuts.cut();
  assert.ok(await client.read());
  await client.closing();
});

test('heartbeats by TCP leave no log line, where TLS is spoken either', async () => {
  await using server = await startForward({ tls: TLS });
  for (let i = 0; i < 5; i++) {
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    if (i % 2) socket.resetAndDestroy();
    else socket.end();
    await once(socket.resume(), 'close');
  }
  // One that speaks, and no TLS, comes after them.
  const wrong = await RawClient.open(server.port);
  wrong.send(message(1, 'x'));
  await wrong.closing();
  await until(() => server.cuts.logged.length > 0);
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total', { reason: 'tls' }), 1);
  assert.equal(server.cuts.logged.length, 1);
});

test('a unix socket speaks neither TLS nor handshake next to a port that wants both', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-forward-'));
  try {
    const listen = [`unix:${join(directory, 'forward.sock')}`, '127.0.0.1:0'];
    await using server = await startForward({ listen, tls: TLS, security: SECURITY });
    const client = new RawClient(connect(server.path));
    client.send(message(1, 'x'));
    assert.ok(await client.read());
    client.end();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
