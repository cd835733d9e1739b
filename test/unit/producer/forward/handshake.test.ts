/** The handshake: shared keys, users, networks; and the same server over TLS. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { decode } from '@msgpack/msgpack';
import { RawClient, type Server, startForward, until } from '../../../support/forward.ts';
import { array, int, map, str } from '../../../support/msgpack-values.ts';

const MESSAGE = array([
  str('app'),
  int(Math.floor(Date.now() / 1000)),
  map([[str('n'), int(1)]]),
  map([[str('chunk'), str('x')]]),
]);
const pem = (name: string): string => fileURLToPath(new URL(`../../../support/tls/${name}`, import.meta.url));

function sha512(...parts: (string | Buffer | Uint8Array)[]): string {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

interface Attempt {
  readonly key?: string;
  readonly username?: string;
  readonly password?: string;
  readonly salt?: Buffer;
}

/** Shakes hands as a client does; returns the PONG. */
async function shake(client: RawClient, attempt: Attempt): Promise<unknown[]> {
  const { key = 'secret', username = '', password = '', salt = Buffer.from([0xff, 0xfe, 0, 1]) } = attempt;
  const [name, helo] = decode((await client.read())!) as [
    string,
    { nonce: Uint8Array; auth: Uint8Array; keepalive: boolean },
  ];
  assert.equal(name, 'HELO');
  assert.equal(helo.nonce.length, 16);
  assert.equal(helo.keepalive, true);
  assert.ok(helo.auth instanceof Uint8Array);
  const digest = sha512(salt, 'client', helo.nonce, key);
  const userDigest = helo.auth.length === 0 ? '' : sha512(helo.auth, username, password);
  client.send(array([str('PING'), str('client'), str(salt), str(digest), str(username), str(userDigest)]));
  const pong = decode((await client.read())!) as unknown[];
  if (pong[1] === true) assert.equal(pong[4], sha512(salt, pong[3] as string, helo.nonce, key));
  return pong;
}

async function attempt(server: Server, how: Attempt): Promise<unknown[]> {
  const client = await RawClient.open(server.port);
  const pong = await shake(client, how);
  if (pong[1] === true) {
    client.send(MESSAGE);
    assert.ok(await client.read());
    client.end();
  } else {
    await client.closing();
  }
  return pong.slice(0, 3);
}

test('an empty shared key is one that the configuration says', async () => {
  await using server = await startForward({ security: { shared_key: '' } });
  assert.deepEqual(await attempt(server, { key: '' }), ['PONG', true, '']);
  assert.deepEqual(await attempt(server, { key: 'secret' }), ['PONG', false, 'shared_key mismatch']);
});

test('the shared key admits whoever has it', async () => {
  await using server = await startForward({
    security: { shared_key: 'secret', self_hostname: 'the-server' },
  });
  assert.deepEqual(await attempt(server, {}), ['PONG', true, '']);
  assert.deepEqual(await attempt(server, { key: 'guess' }), ['PONG', false, 'shared_key mismatch']);
  assert.equal(server.cuts.events.length, 1);
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total', { reason: 'auth' }), 1);
});

test('users are asked for their password', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-forward-'));
  try {
    writeFileSync(join(directory, 'password'), 'open sesame\n');
    const users = [
      { username: 'ann', password: 'hers' },
      { username: 'bob', password: { file: join(directory, 'password') } },
    ];
    await using server = await startForward({ security: { shared_key: 'secret', users } });
    assert.deepEqual(await attempt(server, { username: 'ann', password: 'hers' }), ['PONG', true, '']);
    assert.deepEqual(await attempt(server, { username: 'bob', password: 'open sesame' }), ['PONG', true, '']);
    const refused = ['PONG', false, 'username/password mismatch'];
    assert.deepEqual(await attempt(server, { username: 'ann', password: 'open sesame' }), refused);
    assert.deepEqual(await attempt(server, { username: 'eve', password: 'hers' }), refused);
    assert.deepEqual(await attempt(server, {}), refused);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('networks have keys of their own, and others may be shut out', async () => {
  const clients = [{ network: '127.0.0.0/8', shared_key: 'local' }];
  await using server = await startForward({ security: { shared_key: 'secret', clients } });
  assert.deepEqual(await attempt(server, { key: 'local' }), ['PONG', true, '']);
  assert.deepEqual(await attempt(server, { key: 'secret' }), ['PONG', false, 'shared_key mismatch']);
  await using closed = await startForward({
    security: {
      shared_key: 'secret',
      clients: [{ network: '10.1.2.3' }, { network: 'fd00::/8' }],
      allow_others: false,
    },
  });
  assert.deepEqual(await attempt(closed, {}), ['PONG', false, 'this address is not allowed']);
  await assert.rejects(
    startForward({ security: { shared_key: 'k', clients: [{ network: '10.0.0.0/99' }] } }),
    {
      code: 'CONFIG',
    },
  );
});

test('events before the handshake are refused', async () => {
  await using server = await startForward({ security: { shared_key: 'secret' } });
  const client = await RawClient.open(server.port);
  client.send(MESSAGE);
  await client.closing();
  server.cuts.cut();
  assert.deepEqual(server.cuts.events, []);
});

test('the server does not call itself as its clients on the same host do', async () => {
  await using server = await startForward({ security: { shared_key: 'secret' } });
  const client = await RawClient.open(server.port);
  const pong = await shake(client, {});
  assert.match(pong[3] as string, /^tailrace\./);
  client.end();
});

async function overTls(port: number, options: tls.ConnectionOptions): Promise<string> {
  const socket = tls.connect({ port, host: '127.0.0.1', ca: readFileSync(pem('ca.pem')), ...options });
  const client = new RawClient(socket);
  client.send(MESSAGE);
  const answer = await client.read();
  const name = answer === null ? 'refused' : String(socket.getPeerCertificate().subject?.CN);
  client.end();
  return name;
}

test('TLS, with and without certificates of clients', async () => {
  const files = { cert: pem('server.pem'), key: pem('server.key') };
  await using plain = await startForward({ tls: files });
  assert.equal(await overTls(plain.port, {}), 'server');
  // A client without TLS is closed, counted, and disturbs nobody.
  const wrong = await RawClient.open(plain.port);
  wrong.send(MESSAGE);
  await wrong.closing();
  await until(() => plain.cuts.count('tailrace_agent_forward_refused_total', { reason: 'tls' }) === 1);
  assert.equal(await overTls(plain.port, {}), 'server');

  await using mutual = await startForward({ tls: { ...files, ca: pem('ca.pem'), client_auth: true } });
  const withCertificate = (name: string): tls.ConnectionOptions => ({
    cert: readFileSync(pem(`${name}.pem`)),
    key: readFileSync(pem(`${name}.key`)),
  });
  assert.equal(await overTls(mutual.port, withCertificate('client')), 'server');
  assert.equal(await overTls(mutual.port, withCertificate('stranger')), 'refused');
  assert.equal(await overTls(mutual.port, {}), 'refused');
  assert.equal(mutual.cuts.events.length, 1);
});

test('a new certificate is taken without a restart, and a broken one is not', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-forward-'));
  const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  const install = (name: string): void => {
    copyFileSync(pem(`${name}.key`), files.key);
    copyFileSync(pem(`${name}.pem`), files.cert);
  };
  try {
    install('server');
    await using server = await startForward({ tls: { ...files, reload_interval: '10ms' } });
    assert.equal(await overTls(server.port, {}), 'server');
    const lines = server.cuts.logged.length;
    writeFileSync(files.cert, 'no certificate');
    await until(() => server.cuts.logged.length > lines);
    assert.match(server.cuts.logged.at(-1)!, /the old one is kept/);
    assert.equal(await overTls(server.port, {}), 'server');
    install('other');
    await until(() => server.cuts.logged.at(-1)!.includes('certificate reloaded'));
    assert.equal(await overTls(server.port, {}), 'other');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('files that are not a certificate are named at the start', async () => {
  await assert.rejects(startForward({ tls: { cert: pem('server.pem'), key: pem('other.key') } }), {
    code: 'FORWARD_TLS',
  });
  await assert.rejects(
    startForward({ tls: { cert: '/no/such.pem', key: pem('other.key') } }),
    /cannot read \/no\/such\.pem/,
  );
});
