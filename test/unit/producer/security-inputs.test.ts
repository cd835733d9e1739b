/** What writers of logs and forward clients can try: other lines, other names, other places, other people's memory. */

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import zlib, { zstdCompressSync } from 'node:zlib';
import { encodeTag } from '../../../archive/commit-keys.ts';
import { ConfigError, loadConfig } from '../../../cli/config.ts';
import { agentConfig } from '../../../producer/config.ts';
import { Connection, type ConnectionDependencies } from '../../../producer/forward/connection.ts';
import { answerPing } from '../../../producer/forward/handshake.ts';
import { openCompressed } from '../../../producer/tail/compressed.ts';
import { RawClient, startForward } from '../../support/forward.ts';
import { array, int, map, str } from '../../support/msgpack-values.ts';
import { generator, noise } from '../../support/random.ts';
import { TailHarness } from '../../support/tail-harness.ts';

const random = generator(1);

const MIB = 1024 * 1024;
const REFUSED = 'tailrace_agent_forward_refused_total';
const NOW = Math.floor(Date.now() / 1000);

/** A line that closes its string and object, begins others, and holds a chunk's first bytes. */
const HOSTILE = Buffer.concat([
  Buffer.from('"}\r{"injected":true}\u2028\u0000\u001b[2J\\"}\t{"a":"'),
  Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 4, 0xff, 0x54, 0x52, 0xff, 0xfe]),
]);

async function tailed(lines: readonly Buffer[], options: Record<string, unknown>): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-security-'));
  const path = join(directory, 'a.log');
  writeFileSync(path, Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])));
  const harness = new TailHarness({ path, ...options });
  try {
    await harness.start();
    await harness.settle();
    await harness.stop();
    return harness.lines();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const format of ['none', 'nginx', 'apache2', 'json', 'ltsv', 'syslog', 'nginx_error', 'apache_error']) {
  test(`${format}: a hostile line is one event, and none of its bytes is structure`, async () => {
    const request = Buffer.concat([
      Buffer.from('1.2.3.4 - - [23/Nov/2026:21:04:07 +0000] "GET /'),
      HOSTILE,
      Buffer.from(' HTTP/1.1" 200 5 "-" "-"'),
    ]);
    const lines = [HOSTILE, request, Buffer.concat([Buffer.from('{"m":"'), HOSTILE, Buffer.from('"}')])];
    const written = await tailed(lines, { format });
    assert.equal(written.length, lines.length);
    for (const line of written) {
      const event = JSON.parse(line) as Record<string, unknown>;
      assert.ok(!Object.hasOwn(event, 'injected'));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
      assert.doesNotMatch(line, /[\u0000-\u001f]/);
    }
  });
}

test('names of fields are data: __proto__ and the like are members as any other', async () => {
  const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'a":1,"b', 'x\n'];
  const record = Object.fromEntries(names.map((name) => [name, { polluted: 'yes' }]));
  const line = Buffer.from(JSON.stringify(record).replace('"toString"', '"__proto__ "'));
  for (const options of [{}, { rename: { 'constructor.polluted': 'out' } }, { add: { __proto__x: 'y' } }]) {
    const [written] = await tailed([line], { format: 'json', ...options });
    const event = JSON.parse(written!) as Record<string, unknown>;
    assert.ok(Object.hasOwn(event, '__proto__'));
    assert.ok(Object.hasOwn(event, 'a":1,"b') && !Object.hasOwn(event, 'b'));
  }
  const [ltsv] = await tailed([Buffer.from('__proto__:x\tb:y')], {
    format: 'ltsv',
    rename: { b: 'constructor' },
  });
  assert.ok(ltsv!.includes('"__proto__":"x"') && ltsv!.includes('"constructor":"y"'));
  await using server = await startForward({ rename: { other: 'thing' } });
  const client = await RawClient.open(server.port);
  const members = names.map((name) => [str(name), map([[str('polluted'), str('yes')]])] as const);
  client.send(array([str('app'), int(NOW), map([...members, [str('other'), int(1)]] as never), ack('p')]));
  await client.read();
  const [event] = server.cuts.events;
  for (const name of names)
    assert.deepEqual(Object.getOwnPropertyDescriptor(event, name)?.value, { polluted: 'yes' }, name);
  client.end();
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('a name spelled with escapes obeys the rules of that name', async () => {
  const line = Buffer.from('{"pass\\u0077ord":"secret","h\\u006fst":"forged","n":12345678901234567890}');
  const [written] = await tailed([line], {
    format: 'json',
    redact: [{ field: 'password', mask: true }],
    add: { host: 'web-1' },
  });
  assert.equal(written, '{"password":"***","n":12345678901234567890,"host":"web-1"}');
  assert.doesNotMatch(written!, /secret|forged/);
});

test('no tag leads out of its folder in a key', () => {
  for (const tag of [
    '..',
    '.',
    '',
    '/etc/passwd',
    '../../_commits/x',
    'a/../../b',
    '\0',
    '%2e%2e',
    'a\nb',
    '..\\..',
  ]) {
    assert.match(encodeTag(tag), /^[\w.%~-]+$/, JSON.stringify(tag));
    assert.doesNotMatch(encodeTag(tag), /^\.+$/, JSON.stringify(tag));
  }
});

const ack = (id: string) => map([[str('chunk'), str(id)]]);
const event = (tag: string, options: Buffer) =>
  array([str(tag), int(NOW), map([[str('n'), int(1)]]), options]);

test('an id that no client has is refused and not kept; of a tag that none has, a little is kept', async () => {
  await using server = await startForward();
  const client = await RawClient.open(server.port);
  client.send(event('app', ack('x'.repeat(2000))));
  await client.closing();
  assert.equal(server.cuts.count(REFUSED, { reason: 'too_large' }), 1);
  const honest = await RawClient.open(server.port);
  honest.send(event('t'.repeat(10_000), ack('x'.repeat(1000))));
  assert.ok(await honest.read());
  honest.send(event('t'.repeat(5_000_000), ack('y')));
  assert.ok(await honest.read());
  honest.end();
  assert.equal(server.cuts.lines.length, 2);
  assert.ok(server.cuts.lines[1]!.line.length < 2000);
  assert.equal(server.cuts.lines[0]!.tag, '_other');
});

test('the beginning of a compressed log is read without what follows it', (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-security-'));
  try {
    const file = join(directory, 'a.log.1.zst');
    const frame = zstdCompressSync(Buffer.alloc(128 * MIB, 'a'));
    writeFileSync(file, frame);
    const inflated: number[] = [];
    const original = zlib.zstdDecompressSync;
    zlib.zstdDecompressSync = ((bytes: Buffer, options: object) => {
      const output = original(bytes, options);
      inflated.push(output.length);
      return output;
    }) as typeof original;
    syncBuiltinESMExports();
    context.after(() => {
      zlib.zstdDecompressSync = original;
      syncBuiltinESMExports();
    });
    const opened = openCompressed(openSync(file, 'r'), 'zst', () => {});
    assert.ok(opened && opened.head.length > 0 && opened.head.every((byte) => byte === 0x61));
    opened.close();
    assert.ok(inflated.length > 0 && Math.max(...inflated) <= 4 * MIB, `${inflated}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a PING is of use once, and all comparisons take the same steps', () => {
  const security = {
    hostname: 'server',
    clients: [],
    others: {
      sharedKey: 'secret',
      users: [
        { username: 'ann', password: 'a' },
        { username: 'bob', password: 'b' },
      ],
    },
  };
  const hex = (...parts: (string | Buffer)[]) => {
    const hash = crypto.createHash('sha512');
    for (const part of parts) hash.update(part);
    return hash.digest('hex');
  };
  const challenge = () => ({ nonce: noise(random, 16), auth: noise(random, 16) });
  const ping = ({ nonce, auth }: ReturnType<typeof challenge>, key: string, user: string, password: string) =>
    array(
      ['PING', 'client', 'salt', hex('salt', 'client', nonce, key), user, hex(auth, user, password)].map(
        (part) => str(part),
      ),
    );
  const original = crypto.timingSafeEqual;
  let compared = 0;
  crypto.timingSafeEqual = (a, b) => {
    compared++;
    return original(a, b);
  };
  syncBuiltinESMExports();
  try {
    const first = challenge();
    const answer = (bytes: Buffer, asked: ReturnType<typeof challenge>) => {
      compared = 0;
      return answerPing(bytes, 0, bytes.length, asked, security, security.others).failure;
    };
    const good = ping(first, 'secret', 'ann', 'a');
    assert.equal(answer(good, first), null);
    const steps = compared;
    assert.equal(steps, 5);
    // Recorded and replayed on another connection, which has another nonce.
    assert.equal(answer(good, challenge()), 'shared_key mismatch');
    for (const [user, password] of [
      ['ann', 'b'],
      ['bob', ''],
      ['eve', 'a'],
      ['', ''],
    ] as const) {
      assert.equal(answer(ping(first, 'secret', user, password), first), 'username/password mismatch');
      assert.equal(compared, steps, `${user}: as many comparisons whoever asks`);
    }
  } finally {
    crypto.timingSafeEqual = original;
    syncBuiltinESMExports();
  }
});

test('a configuration whose aliases would fill the memory is refused in one line', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-security-'));
  try {
    const file = join(directory, 'agent.yaml');
    const levels = 'abcdefghij'.split('');
    const text = levels.map((name, i) =>
      i === 0
        ? 'a: &a [x, x, x, x, x, x, x, x, x]'
        : `${name}: &${name} [${`*${levels[i - 1]}, `.repeat(9)}]`,
    );
    writeFileSync(file, text.join('\n'));
    assert.throws(
      () => loadConfig(file, agentConfig),
      (error) =>
        error instanceof ConfigError &&
        /^.*agent\.yaml: .*alias/i.test(error.message) &&
        !error.message.includes('\n'),
    );
    writeFileSync(file, '__proto__: { polluted: yes }\nstate_dir: /s\n');
    assert.throws(() => loadConfig(file, agentConfig), ConfigError);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a message that is being decompressed counts as memory until it is done', async () => {
  const work = Promise.withResolvers<void>();
  let buffered = 0;
  const owner: ConnectionDependencies = {
    maxMessageBytes: MIB,
    now: Date.now,
    security: null,
    held: false,
    take: () => work.promise,
    refused: (_, error) => assert.fail(error),
    mayBuffer: () => true,
    buffered: (by) => {
      buffered += by;
    },
    ackNotRead() {},
    reset() {},
    torn() {},
    closed() {},
  };
  const socket = new Duplex({ read() {}, write: (_bytes, _encoding, done) => done() });
  new Connection(socket as Socket, owner);
  const message = event('app', ack('x'.repeat(500)));
  socket.emit('data', message);
  assert.equal(buffered, message.length);
  work.resolve();
  await work.promise;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(buffered, 0);
  socket.destroy();
});
