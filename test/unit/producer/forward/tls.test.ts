/** TLS clients that ask for no acks lose nothing: no session tickets that they would leave unread; resets are counted. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { createTlsServer } from '../../../../producer/forward/tls.ts';
import { RawClient, type Server, startForward, until } from '../../../support/forward.ts';
import { array, int, map, str } from '../../../support/msgpack-values.ts';

const pem = (name: string): string => fileURLToPath(new URL(`../../../support/tls/${name}`, import.meta.url));
const ID = map([[str('chunk'), str('id')]]);
const AT = int(Math.floor(Date.now() / 1000));

function message(n: number, options?: Buffer): Buffer {
  const record = map([[str('n'), int(n)]]);
  return array(options ? [str('app'), AT, record, options] : [str('app'), AT, record]);
}

/** The tickets that a client has received by the time of an ack, and how its session began. */
async function ticketsOf(
  { port }: Server,
  maxVersion: tls.SecureVersion,
  session?: Buffer,
): Promise<{ tickets: number; protocol: string | null; reused: boolean; last: Buffer | undefined }> {
  const ca = readFileSync(pem('ca.pem'));
  const options = session ? { session } : {};
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    ca,
    checkServerIdentity: () => undefined,
    maxVersion,
    ...options,
  });
  let tickets = 0;
  socket.on('session', () => tickets++);
  const client = new RawClient(socket);
  client.send(message(1, ID));
  await client.read();
  const answer = {
    tickets,
    protocol: socket.getProtocol(),
    reused: socket.isSessionReused(),
    last: socket.getSession(),
  };
  client.end();
  return answer;
}

test('no session tickets, of the first certificate and of the next', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-forward-'));
  const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  const install = (name: string): void => {
    copyFileSync(pem(`${name}.key`), files.key);
    copyFileSync(pem(`${name}.pem`), files.cert);
  };
  try {
    install('server');
    await using server = await startForward({ tls: { ...files, reload_interval: '10ms' } });
    const first = await ticketsOf(server, 'TLSv1.3');
    assert.deepEqual([first.tickets, first.protocol], [0, 'TLSv1.3']);
    const older = await ticketsOf(server, 'TLSv1.2');
    assert.equal(older.protocol, 'TLSv1.2');
    assert.equal((await ticketsOf(server, 'TLSv1.2', older.last)).reused, false);
    install('other');
    await until(() => server.cuts.logged.some((line) => line.includes('certificate reloaded')));
    assert.equal((await ticketsOf(server, 'TLSv1.3')).tickets, 0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('the least version holds for the next certificate as well', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-forward-'));
  const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  const install = (name: string): void => {
    copyFileSync(pem(`${name}.key`), files.key);
    copyFileSync(pem(`${name}.pem`), files.cert);
  };
  try {
    install('server');
    const secure = { ...files, min_version: 'TLSv1.3', reload_interval: '10ms' };
    await using server = await startForward({ tls: secure });
    const refused = (): Promise<boolean> => {
      const socket = tls.connect({ port: server.port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
      return new Promise((resolve) => {
        socket.on('error', () => resolve(true));
        socket.on('secureConnect', () => {
          socket.destroy();
          resolve(false);
        });
      });
    };
    assert.ok(await refused());
    install('other');
    await until(() => server.cuts.logged.some((line) => line.includes('certificate reloaded')));
    assert.ok(await refused());
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('where the tickets of the server itself cannot be turned off, it offers TLS 1.2 alone and says so', () => {
  const stored = '_sharedCreds';
  const given: tls.SecureContextOptions[] = [];
  const { setSecureContext } = tls.Server.prototype;
  // A Node that keeps its context elsewhere.
  Object.defineProperty(tls.Server.prototype, stored, { configurable: true, get: () => undefined, set() {} });
  tls.Server.prototype.setSecureContext = function (options) {
    given.push(options);
    setSecureContext.call(this, options);
  };
  try {
    const options = {
      cert: pem('server.pem'),
      key: pem('server.key'),
      client_auth: false,
      reload_interval: 1e6,
    };
    for (const [min_version, maxVersion] of [
      ['TLSv1.2', 'TLSv1.2'],
      ['TLSv1.3', undefined],
    ] as const) {
      const warned: string[] = [];
      const log = pino({}, { write: (line: string) => warned.push(line) });
      const side = createTlsServer(
        { ...options, min_version },
        {},
        1000,
        () => {},
        () => {},
        log,
      );
      side.stop();
      assert.match(warned.join(), /cannot turn off session tickets/);
      assert.equal(given.at(-1)!.maxVersion, maxVersion);
      assert.equal(given.at(-1)!.minVersion, min_version);
    }
  } finally {
    Reflect.deleteProperty(tls.Server.prototype, stored);
    tls.Server.prototype.setSecureContext = setSecureContext;
  }
});

test('a reset of a client that asks for no acks is counted and logged; with acks, or before a byte, it costs nothing', async () => {
  await using server = await startForward();
  const resets = (): number => server.cuts.count('tailrace_agent_forward_resets_total');
  const events = (): number => server.cuts.count('tailrace_agent_forward_events_total');

  const silent = await RawClient.open(server.port);
  silent.socket.resetAndDestroy();
  const careful = await RawClient.open(server.port);
  careful.send(message(1, ID));
  await careful.read();
  careful.socket.resetAndDestroy();
  const orderly = await RawClient.open(server.port);
  orderly.send(message(2));
  orderly.socket.end();
  await until(() => events() === 2 && server.input.connections === 0);
  assert.equal(resets(), 0);

  const trusting = await RawClient.open(server.port);
  trusting.send(message(3));
  await until(() => events() === 3);
  trusting.socket.resetAndDestroy();
  await until(() => resets() === 1);
  const line = JSON.parse(server.cuts.logged.at(-1)!) as { msg: string; code: string; remote: string };
  assert.match(line.msg, /may not have arrived/);
  assert.equal(line.code, 'ECONNRESET');
  assert.match(line.remote, /^127\.0\.0\.1:\d+$/);
  assert.equal(server.cuts.logged.length, 1);
});
