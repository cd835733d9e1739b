/** The forward server over sockets: acks, repeated messages, backpressure, limits, and clients that misbehave. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { Connection } from '../../../../producer/forward/connection.ts';
import type { RefusedError } from '../../../../producer/forward/errors.ts';
import { skipValue } from '../../../../producer/forward/msgpack-scan.ts';
import { FakeSocket, owner } from '../../../support/fake-socket.ts';
import { RawClient, type Server, startForward, until } from '../../../support/forward.ts';
import { array, bin, int, map, record, str } from '../../../support/msgpack-values.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const AT = int(Math.floor(Date.now() / 1000));
const NIL = Buffer.of(0xc0);
const TAG = str('app');

const event = (n: number): Buffer => map([[str('n'), int(n)]]);

function message(n: number, chunk?: string | Buffer): Buffer {
  return chunk === undefined
    ? array([TAG, AT, event(n)])
    : array([TAG, AT, event(n), map([[str('chunk'), Buffer.isBuffer(chunk) ? chunk : str(chunk)]])]);
}

/** Packed entries with the numbers `first` to `last`. */
function entries(first: number, last: number): Buffer {
  return Buffer.concat(Array.from({ length: last - first + 1 }, (_, i) => array([AT, event(first + i)])));
}

/** Bytes that the process holds when all clients but the one that stays are gone. */
async function heldBytes(server: Server): Promise<number> {
  await until(() => server.input.connections <= 1);
  // Buffers of dead objects are freed some time after the objects.
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const numbers = (events: readonly Record<string, unknown>[]): unknown[] => events.map(({ n }) => n);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
const ackOf = (bytes: Buffer | null): unknown => (decode(bytes!) as { ack: unknown }).ack;

test('any cut of a stream into reads gives the same messages', async () => {
  const body = record.map(({ bytes }) => array([TAG, AT, bytes]));
  const nothing = fc.constant(NIL);
  const sizes = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(body, nothing), { minLength: 1, maxLength: 6 }),
      sizes,
      async (messages, cuts) => {
        const taken: Buffer[] = [];
        const socket = new FakeSocket();
        new Connection(socket as unknown as Socket, owner(taken));
        const stream = Buffer.concat(messages);
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length]!;
          socket.push(stream.subarray(at, at + size));
          at += size;
        }
        socket.push(null);
        await once(socket, 'end');
        assert.deepEqual(
          taken.map((bytes) => bytes.toString('hex')),
          messages.filter((bytes) => bytes !== NIL).map((bytes) => bytes.toString('hex', 1 + TAG.length)),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test('any cut of a JSON stream gives the same messages', async () => {
  // The decoder of this test refuses the key `__proto__`.
  const any = fc.jsonValue({ maxDepth: 2 }).filter((value) => !JSON.stringify(value).includes('__proto__'));
  const texts = fc.array(
    fc.tuple(fc.string(), any).map(([text, value]) => ({ text, value })),
    { minLength: 1, maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(texts, fc.integer({ min: 1, max: 50 }), async (records, size) => {
      const taken: Buffer[] = [];
      const socket = new FakeSocket();
      new Connection(socket as unknown as Socket, owner(taken));
      const stream = Buffer.from(records.map((record) => JSON.stringify(['a', 1, record])).join('\n'));
      for (let at = 0; at < stream.length; at += size) socket.push(stream.subarray(at, at + size));
      socket.push(null);
      await once(socket, 'end');
      assert.deepEqual(
        taken.map((bytes) => JSON.stringify(decode(bytes.subarray(skipValue(bytes, 0, bytes.length, 0))))),
        records.map((record) => JSON.stringify(record)),
      );
    }),
    { numRuns: 100 },
  );
});

test('an unexpected error closes the connection of the message that caused it, counted and alone', async () => {
  const fail = { turn: () => assert.fail('in the turn'), later: () => Promise.reject(new Error('later')) };
  for (const [when, take] of Object.entries(fail)) {
    const refused: RefusedError[] = [];
    const socket = new FakeSocket();
    const connection = new Connection(
      socket as unknown as Socket,
      owner([], { take, refused: (_connection, error) => refused.push(error) }),
    );
    socket.push(Buffer.concat([message(1), message(2)]));
    await once(socket, 'finish');
    assert.deepEqual(
      refused.map(({ reason }) => reason),
      ['internal'],
      when,
    );
    assert.equal(connection.busy, false);
  }
});

test('an ack comes only when the cut with its event is durable, and repeats the id byte for byte', async () => {
  await using server = await startForward({}, { auto: false });
  const client = await RawClient.open(server.port);
  const ids = [str('a\n'), str(Buffer.of(0xff, 0x00, 0x80)), bin(Buffer.from('b')), str('c', 3), int(5)];
  client.send(...ids.map((id, i) => message(i + 1, id)));
  await until(() => server.cuts.waiting === ids.length);
  assert.equal(client.reads.length, 0);
  server.cuts.cut();
  let got = Buffer.alloc(0);
  const expected = Buffer.concat(ids.flatMap((id) => [Buffer.from('81a361636b', 'hex'), id]));
  while (got.length < expected.length) got = Buffer.concat([got, (await client.read())!]);
  assert.deepEqual(got, expected);
  assert.deepEqual(numbers(server.cuts.events), [1, 2, 3, 4, 5]);
  client.end();
});

test('acks are one write each, however many are due at once', async () => {
  const socket = new FakeSocket();
  const connection = new Connection(socket as unknown as Socket, owner([]));
  for (let i = 0; i < 3; i++) connection.expectAck();
  for (let i = 0; i < 3; i++) connection.acknowledge(str(`id${i}`));
  await until(() => socket.written.length === 3);
  assert.deepEqual(socket.written.map(ackOf), ['id0', 'id1', 'id2']);
  assert.equal(socket.coalesced, 0);
});

test('a message that is resent is acknowledged and not taken twice', async () => {
  await using server = await startForward({}, { auto: false });
  const first = await RawClient.open(server.port);
  first.send(message(1, 'x'));
  await until(() => server.cuts.waiting === 1);
  // Its first copy is not durable yet: both acks wait for the same cut.
  const second = await RawClient.open(server.port);
  second.send(message(1, 'x'));
  await until(() => server.cuts.waiting === 2);
  assert.equal(second.reads.length, 0);
  server.cuts.cut();
  assert.equal(ackOf(await first.read()), 'x');
  assert.equal(ackOf(await second.read()), 'x');
  // Durable long ago.
  second.send(message(1, 'x'));
  await until(() => server.cuts.waiting === 1);
  server.cuts.cut();
  assert.equal(ackOf(await second.read()), 'x');
  assert.deepEqual(numbers(server.cuts.events), [1]);
  assert.equal(server.cuts.count('tailrace_agent_forward_repeated_messages_total'), 2);
  first.end();
  second.end();
});

test('the same id with other events is another message', async () => {
  await using server = await startForward();
  const client = await RawClient.open(server.port);
  client.send(message(1, '1'));
  await client.read();
  client.send(message(2, '1'));
  await client.read();
  assert.deepEqual(numbers(server.cuts.events), [1, 2]);
  client.end();
});

test('after a crash, what had its ack is there once and is recognized when resent', async () => {
  const before = await startForward({}, { auto: false });
  const client = await RawClient.open(before.port);
  client.send(message(1, 'durable'));
  await until(() => before.cuts.waiting === 1);
  before.cuts.cut();
  await client.read();
  client.send(message(2, 'lost'));
  await until(() => before.cuts.waiting === 1);
  // The disk as it was at the crash: the second message never reached it.
  const disk = [...before.cuts.disk];
  client.end();
  await before[Symbol.asyncDispose]();
  await using after = await startForward({}, { disk });
  const again = await RawClient.open(after.port);
  again.send(message(1, 'durable'));
  assert.equal(ackOf(await again.read()), 'durable');
  again.send(message(2, 'lost'));
  assert.equal(ackOf(await again.read()), 'lost');
  assert.deepEqual(numbers(after.cuts.events), [1, 2]);
  again.end();
});

test('backpressure: nothing is read, nothing acknowledged, nothing lost', async () => {
  await using server = await startForward();
  const client = await RawClient.open(server.port);
  server.input.pause();
  const count = 3000;
  const padding = 'x'.repeat(2000);
  for (let n = 1; n <= count; n++) {
    client.send(
      array([
        TAG,
        AT,
        map([
          [str('n'), int(n)],
          [str('padding'), str(padding)],
        ]),
        map([[str('chunk'), str(`${n}`)]]),
      ]),
    );
  }
  // The socket's buffers fill up, and the client is held.
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(client.socket.writableLength > 0);
  assert.equal(server.cuts.waiting, 0);
  assert.equal(client.reads.length, 0);
  server.input.resume();
  await until(() => server.cuts.count('tailrace_agent_forward_acks_total') === count);
  assert.deepEqual(numbers(server.cuts.events), upTo(count));
  client.end();
});

test('a pause between two messages of one read holds the second', async () => {
  await using server = await startForward({}, { auto: false });
  // A client that comes during the pause is read once, before the server knows of it.
  server.input.pause();
  const client = await RawClient.open(server.port);
  client.send(Buffer.concat([message(1), message(2), message(3).subarray(0, 3)]));
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  server.cuts.cut();
  assert.deepEqual(numbers(server.cuts.events), []);
  server.input.resume();
  client.send(message(3).subarray(3));
  await until(() => server.cuts.count('tailrace_agent_forward_events_total') === 3);
  server.cuts.cut();
  assert.deepEqual(numbers(server.cuts.events), [1, 2, 3]);
  client.end();
});

test('a drain waits for what clients have sent', async () => {
  await using server = await startForward({}, { auto: false });
  const client = await RawClient.open(server.port);
  const large = array([TAG, bin(entries(1, 20_000)), map([[str('chunk'), str('large')]])]);
  client.send(large.subarray(0, 1000));
  await until(() => server.input.connections === 1);
  client.send(large.subarray(1000));
  await server.input.drain();
  server.cuts.cut();
  assert.deepEqual(numbers(server.cuts.events), upTo(20_000));
  assert.equal(ackOf(await client.read()), 'large');
  client.end();
});

test('a stop gives the acks that are due, and takes nothing more', async () => {
  const server = await startForward({}, { auto: false });
  const client = await RawClient.open(server.port);
  client.send(message(1, 'x'));
  await until(() => server.cuts.waiting === 1);
  const stopped = server.input.stop();
  client.send(message(2, 'y'));
  server.cuts.cut();
  assert.equal(ackOf(await client.read()), 'x');
  await client.closing();
  await stopped;
  assert.deepEqual(numbers(server.cuts.events), [1]);
});

test('a client that has closed its side still gets its ack', async () => {
  await using server = await startForward();
  const client = await RawClient.open(server.port);
  client.socket.end(message(1, 'x'));
  assert.equal(ackOf(await client.read()), 'x');
  await client.closing();
});

test('one malformed stream closes its connection with one log line, and others go on', async () => {
  await using server = await startForward();
  const good = await RawClient.open(server.port);
  good.send(message(1, 'a'));
  await good.read();
  const bad = await RawClient.open(server.port);
  bad.send(Buffer.concat([message(2, 'b'), Buffer.of(0x93, 0xc1)]));
  // What it sent before its fault is taken and acknowledged.
  assert.equal(ackOf(await bad.read()), 'b');
  await bad.closing();
  good.send(message(3, 'c'));
  assert.equal(ackOf(await good.read()), 'c');
  assert.deepEqual(numbers(server.cuts.events), [1, 2, 3]);
  assert.equal(server.cuts.logged.length, 1);
  // The agent's logger names the input: a second key of that name would be one too many.
  assert.doesNotMatch(server.cuts.logged[0]!, /"input":/);
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total', { reason: 'malformed' }), 1);
  for (let i = 0; i < 50; i++) {
    const client = await RawClient.open(server.port);
    client.send(Buffer.of(0xc1));
    await client.closing();
  }
  assert.ok(server.cuts.logged.length < 10, `${server.cuts.logged.length} log lines`);
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total', { reason: 'malformed' }), 51);
  good.end();
});

test('a bomb closes its connection before it has the memory', async () => {
  await using server = await startForward({ max_decompressed_size: '32MiB' });
  const zeros = Buffer.alloc(128 * 1024 * 1024);
  for (const [codec, bomb] of [
    ['gzip', gzipSync(zeros)],
    ['zstd', zstdCompressSync(zeros)],
  ] as const) {
    const before = process.memoryUsage.rss();
    const client = await RawClient.open(server.port);
    client.send(
      array([
        TAG,
        bin(bomb),
        map([
          [str('compressed'), str(codec)],
          [str('chunk'), str('x')],
        ]),
      ]),
    );
    await client.closing();
    assert.equal(client.reads.length, 0);
    const grown = (process.memoryUsage.rss() - before) / 2 ** 20;
    assert.ok(grown < 50, `${codec}: ${Math.round(grown)} MiB`);
  }
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total', { reason: 'bomb' }), 2);
});

test('compressed messages larger than what is made at once are taken whole', async () => {
  await using server = await startForward();
  const count = 40_000;
  const padding = str('y'.repeat(600));
  const many = Buffer.concat(
    upTo(count).map((n) =>
      array([
        AT,
        map([
          [str('n'), int(n)],
          [str('padding'), padding],
        ]),
      ]),
    ),
  );
  assert.ok(many.length > 16 * 1024 * 1024);
  for (const [codec, data] of [
    ['gzip', gzipSync(many)],
    ['zstd', zstdCompressSync(many)],
  ] as const) {
    const client = await RawClient.open(server.port);
    const large = array([
      TAG,
      bin(data),
      map([
        [str('compressed'), str(codec)],
        [str('chunk'), str(codec)],
      ]),
    ]);
    // The second message must not overtake the first, which is decompressed over several turns.
    client.send(large, message(0));
    assert.equal(ackOf(await client.read()), codec);
    client.end();
  }
  await until(() => server.cuts.events.length === 2 * (count + 1));
  const order = [...upTo(count), 0];
  assert.deepEqual(numbers(server.cuts.events), [...order, ...order]);
});

test('messages over the maximum are refused, at it they are taken', async () => {
  const fitting = message(1, 'x'.repeat(900));
  await using server = await startForward({ max_message_size: fitting.length });
  const client = await RawClient.open(server.port);
  client.send(fitting);
  assert.ok(await client.read());
  client.send(message(1, 'x'.repeat(901)));
  await client.closing();
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total', { reason: 'too_large' }), 1);
});

test('beyond the connections allowed, further ones are closed', async () => {
  await using server = await startForward({ max_connections: 2 });
  const clients = [await RawClient.open(server.port), await RawClient.open(server.port)];
  await until(() => server.input.connections === 2);
  const third = await RawClient.open(server.port);
  await third.closing();
  clients[0]!.send(message(1, 'x'));
  assert.ok(await clients[0]!.read());
  for (const client of clients) client.end();
  await until(() => server.input.connections === 0);
  const fourth = await RawClient.open(server.port);
  fourth.send(message(2, 'y'));
  assert.ok(await fourth.read());
  fourth.end();
});

test('connections that stand still are closed where that is configured', async () => {
  let clock = Date.now();
  await using server = await startForward(
    { idle_timeout: '10s', read_timeout: '5s' },
    { uptime: () => clock },
  );
  const idle = await RawClient.open(server.port);
  const halfway = await RawClient.open(server.port);
  halfway.send(message(1).subarray(0, 5));
  await until(() => server.input.connections === 2);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  clock += 6000;
  await halfway.closing();
  assert.equal(idle.closed, false);
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total', { reason: 'timeout' }), 1);
  clock += 6000;
  await idle.closing();
});

test('unfinished messages of many clients wait for each other, and all come to their end', async () => {
  await using server = await startForward({ max_buffered_size: 200_000 });
  const clients = await Promise.all(upTo(8).map(() => RawClient.open(server.port)));
  const bodies = clients.map((_, i) =>
    array([TAG, bin(entries(i * 20_000 + 1, (i + 1) * 20_000)), map([[str('chunk'), str(`${i}`)]])]),
  );
  for (const [i, client] of clients.entries()) client.send(bodies[i]!.subarray(0, 100_000));
  await until(() => server.input.connections === 8);
  for (const [i, client] of clients.entries()) client.send(bodies[i]!.subarray(100_000));
  for (const [i, client] of clients.entries()) assert.equal(ackOf(await client.read()), `${i}`);
  assert.equal(server.cuts.events.length, 160_000);
  for (const client of clients) client.end();
});

test('a client that stalls in the memory that others wait for is closed, and they go on', async () => {
  let clock = Date.now();
  await using server = await startForward(
    { max_buffered_size: 10_000, read_timeout: '5s' },
    { uptime: () => clock },
  );
  const staller = await RawClient.open(server.port);
  const large = array([TAG, bin(entries(1, 40_000)), map([[str('chunk'), str('x')]])]);
  staller.send(large.subarray(0, 150_000));
  await until(() => server.input.connections === 1);
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  const client = await RawClient.open(server.port);
  client.send(large);
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(client.reads.length, 0);
  clock += 6000;
  await staller.closing();
  assert.equal(ackOf(await client.read()), 'x');
  client.end();
});

test('a torn message is counted, and what came before it is kept', async () => {
  await using server = await startForward();
  const client = await RawClient.open(server.port);
  client.socket.end(Buffer.concat([message(1), message(2).subarray(0, 4)]));
  await client.closing();
  server.cuts.cut();
  assert.deepEqual(numbers(server.cuts.events), [1]);
  assert.equal(server.cuts.count('tailrace_agent_forward_torn_messages_total'), 1);
});

test('connections that come and go without a word leave no log line', async () => {
  await using server = await startForward();
  for (let i = 0; i < 20; i++) {
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.end();
    await once(socket, 'close');
  }
  await until(() => server.input.connections === 0);
  assert.deepEqual(server.cuts.logged, []);
});

test('a client that speaks JSON is answered in JSON', async () => {
  await using server = await startForward();
  const client = await RawClient.open(server.port);
  client.send('["a.b", 1795467796, {"n": 1}, {"chunk": "grün\\n"}]\n');
  assert.equal((await client.read())!.toString(), JSON.stringify({ ack: 'grün\n' }));
  // Whatever the id is, its bytes come back.
  for (const id of ['"\xff\xc3(\\u0000\x80\\u00e4"', '18446744073709551615', '[1,"x"]', '""']) {
    client.send(Buffer.from(`["a.b", 1795467796, {"n": 2}, {"chunk": ${id}}]`, 'latin1'));
    const raw = id.startsWith('"\xff') ? '"\xff\xc3(\\u0000\x80ä"' : id;
    assert.equal((await client.read())!.toString('latin1'), `{"ack":${raw.replace('ä', '\xc3\xa4')}}`);
  }
  assert.deepEqual(numbers(server.cuts.events), [1, 2, 2, 2, 2]);
  client.end();
});

test('UDP heartbeats are echoed', async () => {
  await using server = await startForward();
  const socket = createSocket('udp4');
  socket.send(Buffer.of(1), server.port, '127.0.0.1');
  socket.send(Buffer.of(0), server.port, '127.0.0.1');
  const [answer] = (await once(socket, 'message')) as [Buffer];
  assert.deepEqual([...answer], [0]);
  socket.close();
});

test("a unix socket takes messages, and a dead one left behind is in nobody's way", async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-forward-'));
  const path = join(directory, 'forward.sock');
  try {
    for (let round = 0; round < 2; round++) {
      await using server = await startForward({ listen: `unix:${path}`, security: { shared_key: 'k' } });
      const socket = connect(path);
      const client = new RawClient(socket);
      // No handshake here, even where other clients need one.
      client.send(message(1, 'x'));
      assert.equal(ackOf(await client.read()), 'x');
      client.end();
      await assert.rejects(startForward({ listen: `unix:${path}` }), { code: 'LISTEN' });
      assert.equal(server.path, path);
      assert.ok(existsSync(path));
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a port in use is named', async () => {
  await using server = await startForward();
  await assert.rejects(
    startForward({ listen: `127.0.0.1:${server.port}` }),
    (error: Error & { code: string }) => {
      assert.equal(error.code, 'LISTEN');
      assert.match(error.message, new RegExp(`^127\\.0\\.0\\.1:${server.port} is in use: `));
      return true;
    },
  );
});

test('fuzz: whatever clients send, slowly or cut off, the server stands and takes valid events', async () => {
  await using server = await startForward({ max_message_size: '1MiB', max_decompressed_size: '1MiB' });
  const good = await RawClient.open(server.port);
  const valid = Buffer.concat([
    message(1, 'id'),
    array([TAG, bin(entries(1, 3)), map([[str('chunk'), str('p')]])]),
    array([TAG, bin(gzipSync(entries(1, 3))), map([[str('compressed'), str('gzip')]])]),
    Buffer.from('["a",1,{"n":1}]'),
  ]);
  const mutations = fc.array(fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 })), {
    maxLength: 5,
  });
  let n = 0;
  let warm = 0;
  await fc.assert(
    fc.asyncProperty(
      mutations,
      fc.uint8Array({ maxLength: 200 }),
      fc.nat({ max: valid.length }),
      fc.nat({ max: 3 }),
      async (changes, random, cut, how) => {
        const bytes = how === 0 ? Buffer.from(random) : Buffer.from(valid);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        const client = await RawClient.open(server.port);
        if (how === 2) {
          for (let at = 0; at < bytes.length; at += 40) {
            client.send(bytes.subarray(at, at + 40));
            await new Promise((resolve) => setImmediate(resolve));
          }
        } else client.send(bytes.subarray(0, how === 3 ? cut : bytes.length));
        if (how === 3) client.socket.resetAndDestroy();
        else client.socket.end();
        await client.closing();
        good.send(message(++n, `good${n}`));
        assert.equal(ackOf(await good.read()), `good${n}`);
        if (n === 100) warm = await heldBytes(server);
      },
    ),
    { numRuns: 400, endOnFailure: true },
  );
  // A server that kept but 64 KiB of each of the last 300 clients would have 19 MiB more.
  const grown = ((await heldBytes(server)) - warm) / 2 ** 20;
  assert.ok(grown < 12, `${grown.toFixed(1)} MiB more after 300 clients`);
  good.end();
  await until(() => server.input.connections === 0);
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total', { reason: 'internal' }), 0);
  for (const { line } of server.cuts.lines) JSON.parse(line);
});

test('a memory of many refused clients does not grow', async () => {
  await using server = await startForward({ max_message_size: '8MiB' });
  const torn = array([TAG, bin(Buffer.alloc(4 * 2 ** 20))]).subarray(0, 2 ** 20);
  const round = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) {
      const client = await RawClient.open(server.port);
      client.send(torn);
      await new Promise<void>((resolve) => client.socket.end(resolve));
      await client.closing();
    }
  };
  const held = async (): Promise<number> => {
    await until(() => server.input.connections === 0);
    // Buffers of dead objects are freed some time after the objects.
    for (let i = 0; i < 3; i++) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return process.memoryUsage().arrayBuffers / 2 ** 20;
  };
  await round();
  const before = await held();
  for (let i = 0; i < 4; i++) await round();
  const grown = (await held()) - before;
  // A leak would be 160; what one round leaves behind for a moment is 40.
  assert.ok(grown < 60, `${Math.round(grown)} MiB more`);
});
