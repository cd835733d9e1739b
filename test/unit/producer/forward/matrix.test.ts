/** Every way to send the same events, over every transport and handshake: each event is there once, each id comes back. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decode } from '@msgpack/msgpack';
import { RawClient, type Server, startForward, until } from '../../../support/forward.ts';
import { array, bin, eventTime, int, map, str } from '../../../support/msgpack-values.ts';

const SECONDS = Math.floor(Date.now() / 1000);
const EVENT_TIME8 = Buffer.concat([Buffer.from('c70800', 'hex'), eventTime(SECONDS, 5).subarray(2)]);
const pem = (name: string): string => fileURLToPath(new URL(`../../../support/tls/${name}`, import.meta.url));
const files = { cert: pem('server.pem'), key: pem('server.key') };

/** A message as the writes that a client makes of it: how many events it has, and the ack that it wants. */
interface Sent {
  readonly name: string;
  readonly writes: readonly Buffer[];
  readonly numbers: readonly number[];
  readonly ack: Buffer | null;
}

/** All shapes of a message; each has events and an id of its own. */
function messages(json: boolean): Sent[] {
  const all: Sent[] = [];
  let n = 0;
  for (const acked of [false, true]) {
    const add = (
      name: string,
      shape: (first: number) => Buffer[],
      events: number,
      extra: object = {},
    ): void => {
      const first = n + 1;
      n += events;
      const numbers = Array.from({ length: events }, (_, i) => first + i);
      const id = `id ${first}\n`;
      if (json) {
        const options = JSON.stringify(acked ? { chunk: id } : {});
        const body = shape(first).join(', ');
        const writes = [Buffer.from('["app", '), Buffer.from(body), Buffer.from(`, ${options}]\n`)];
        all.push({ name, writes, numbers, ack: acked ? Buffer.from(JSON.stringify({ ack: id })) : null });
        return;
      }
      // No UTF-8, and ends as fluentd's ids do.
      const raw = str(Buffer.concat([Buffer.of(0xff, 0xc3, first), Buffer.from('\n')]));
      const options = [...Object.entries(extra).map(([key, value]) => [str(key), value as Buffer] as const)];
      if (acked) options.push([str('chunk'), raw]);
      const parts = shape(first);
      const head = Buffer.concat([Buffer.of(0x92 + parts.length), str('app')]);
      const ack = acked ? Buffer.concat([Buffer.from('81a361636b', 'hex'), raw]) : null;
      all.push({ name, writes: [head, Buffer.concat(parts), map(options)], numbers, ack });
    };
    if (json) {
      const record = (i: number): string => `{"n": ${i}}`;
      add('message', (i) => [Buffer.from(`${SECONDS}`), Buffer.from(record(i))], 1);
      add('message, float', (i) => [Buffer.from(`${SECONDS}.5`), Buffer.from(record(i))], 1);
      add('forward', (i) => [Buffer.from(`[[${SECONDS}, ${record(i)}], [null, ${record(i + 1)}]]`)], 2);
      continue;
    }
    const record = (i: number): Buffer => map([[str('n'), int(i)]]);
    const entries = (i: number): Buffer[] => [
      array([eventTime(SECONDS, 5), record(i)]),
      array([EVENT_TIME8, record(i + 1)]),
      array([array([int(SECONDS), map([[str('meta'), int(1)]])]), record(i + 2)]),
    ];
    const packed = (i: number): Buffer => Buffer.concat(entries(i));
    const gzip = (i: number): Buffer => Buffer.concat(entries(i).map((entry) => gzipSync(entry)));
    const zstd = (i: number): Buffer => Buffer.concat(entries(i).map((entry) => zstdCompressSync(entry)));
    add('message', (i) => [int(SECONDS * 1000), record(i)], 1);
    add('forward', (i) => [array(entries(i))], 3);
    add('packed', (i) => [bin(packed(i))], 3);
    add('packed as str32', (i) => [str(packed(i), 3)], 3, { compressed: str('text'), size: int(3) });
    add('gzip', (i) => [bin(gzip(i))], 3, { compressed: str('gzip') });
    add('gzip as str32', (i) => [str(gzip(i), 3)], 3, { compressed: str('gzip') });
    add('zstd', (i) => [bin(zstd(i))], 3, { compressed: str('zstd') });
  }
  return all;
}

/** Shakes hands as Fluent Bit does: a salt of bytes that are not UTF-8. */
async function shake(client: RawClient, user: boolean): Promise<void> {
  const [, helo] = decode((await client.read())!) as [string, { nonce: Uint8Array; auth: Uint8Array }];
  const sha512 = (...parts: (string | Uint8Array)[]): string => {
    const hash = createHash('sha512');
    for (const part of parts) hash.update(part);
    return hash.digest('hex');
  };
  const salt = Buffer.from('fffe00ff8081c3280102030405060708', 'hex');
  const [name, password] = user ? ['ann', 'hers'] : ['', ''];
  assert.equal(helo.auth.length > 0, user);
  const proof = user ? sha512(helo.auth, name, password) : '';
  const digest = sha512(salt, 'client', helo.nonce, 'secret');
  client.send(array([str('PING'), str('client'), str(salt), str(digest), str(name), str(proof)]));
  const pong = decode((await client.read())!) as unknown[];
  assert.deepEqual(pong.slice(0, 3), ['PONG', true, '']);
  assert.equal(pong[4], sha512(salt, pong[3] as string, helo.nonce, 'secret'));
}

const transports: Record<string, { options: object; open: (server: Server) => RawClient }> = {
  TCP: {
    options: {},
    open: ({ port }) => new RawClient(connect({ port, host: '127.0.0.1', noDelay: true })),
  },
  TLS: {
    options: { tls: files },
    open: ({ port }) =>
      new RawClient(tls.connect({ port, host: '127.0.0.1', ca: readFileSync(pem('ca.pem')) })),
  },
  mTLS: {
    options: { tls: { ...files, ca: pem('ca.pem'), client_auth: true } },
    open: ({ port }) =>
      new RawClient(
        tls.connect({
          port,
          host: '127.0.0.1',
          ca: readFileSync(pem('ca.pem')),
          cert: readFileSync(pem('client.pem')),
          key: readFileSync(pem('client.key')),
        }),
      ),
  },
};
const users = [{ username: 'ann', password: 'hers' }];
const securities: Record<string, object> = {
  'no handshake': {},
  'shared key': { security: { shared_key: 'secret' } },
  'shared key and user': { security: { shared_key: 'secret', users } },
};

/** Sends each message, waits for its ack where it wants one, and compares what became durable. */
async function sendAll(server: Server, client: RawClient, json: boolean): Promise<void> {
  const sent = messages(json);
  for (const { name, writes, ack } of sent) {
    client.send(...writes);
    if (ack) assert.equal((await client.read())?.toString('hex'), ack.toString('hex'), name);
  }
  const expected = sent.flatMap(({ numbers }) => [...numbers]);
  await until(() => server.cuts.count('tailrace_agent_forward_events_total') >= expected.length);
  server.cuts.cut();
  assert.deepEqual(
    server.cuts.events.map(({ n }) => n),
    expected,
  );
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total'), 0);
  client.end();
}

for (const json of [false, true]) {
  const language = json ? 'JSON' : 'msgpack';
  for (const [transport, { options, open }] of Object.entries(transports)) {
    for (const [security, more] of Object.entries(securities)) {
      test(`${language} over ${transport}, ${security}: every mode, compression and ack`, async () => {
        await using server = await startForward({ ...options, ...more });
        const client = open(server);
        if (security !== 'no handshake') await shake(client, security.endsWith('user'));
        await sendAll(server, client, json);
      });
    }
  }
  test(`${language} over a unix socket: every mode, compression and ack`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-forward-'));
    try {
      await using server = await startForward({ listen: `unix:${join(directory, 'forward.sock')}` });
      await sendAll(server, new RawClient(connect(server.path)), json);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}
