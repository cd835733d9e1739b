/** The clients that people run send numbered events, which are compared one by one. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FluentClient } from '@fluent-org/logger';
import fluent from 'fluent-logger';
import { type Client, goClient, javaClient, pythonClient, runClient } from '../support/clients/setup.ts';
import { type Server, startForward, until } from '../support/forward.ts';

const COUNT = 400;
const pem = (name: string): string => fileURLToPath(new URL(`../support/tls/${name}`, import.meta.url));
const TLS = { cert: pem('server.pem'), key: pem('server.key') };
const SECURITY = { shared_key: 'secret', users: [{ username: 'ann', password: 'hers' }] };
const CREDENTIALS = { clientHostname: 'client', sharedKey: 'secret', username: 'ann', password: 'hers' };

/** Its types know of no end without a last event, its own documentation does. */
function end(client: unknown): void {
  (client as { end(): void }).end();
}

/** Waits until as many events have come as were sent, and compares each. */
async function expectEvents(server: Server, tag: string, fields: (n: number) => object): Promise<void> {
  await until(() => server.cuts.count('tailrace_agent_forward_events_total') >= COUNT);
  server.cuts.cut();
  const events = server.cuts.events.toSorted((a, b) => Number(a['n']) - Number(b['n']));
  assert.equal(events.length, COUNT);
  const earliest = Date.now() - 60_000;
  for (const [i, { time, ...rest }] of events.entries()) {
    assert.deepEqual(rest, { n: i + 1, ...fields(i + 1) });
    const at = Date.parse(time as string);
    assert.ok(at > earliest && at <= Date.now() + 1000, `time ${String(time)}`);
  }
  assert.deepEqual([...new Set(server.cuts.lines.map((line) => line.tag))], [tag]);
  assert.equal(server.cuts.count('tailrace_agent_forward_refused_total'), 0);
}

const text = (n: number): { text: string } => ({ text: `grün ${n}` });

test('npm fluent-logger', async (t) => {
  const modes = ['Message', 'PackedForward', 'CompressedPackedForward'] as const;
  const ways: [string, object, object][] = [
    ['plain', {}, {}],
    ['milliseconds', {}, { milliseconds: true }],
    ['with acks', {}, { requireAckResponse: true }],
    [
      'over TLS with acks',
      { tls: TLS },
      { requireAckResponse: true, tls: true, tlsOptions: { ca: readFileSync(pem('ca.pem')) } },
    ],
    ['with key and user', { security: SECURITY }, { requireAckResponse: true, security: CREDENTIALS }],
  ];
  for (const eventMode of modes) {
    for (const [name, options, clientOptions] of ways) {
      await t.test(`${eventMode}, ${name}`, async () => {
        await using server = await startForward(options);
        const quiet = { info: () => {}, error: () => {} };
        const client = fluent.createFluentSender('app', {
          host: '127.0.0.1',
          port: server.port,
          eventMode,
          internalLogger: quiet,
          ...clientOptions,
        } as Parameters<typeof fluent.createFluentSender>[1]);
        const failed = new Promise<never>((_, reject) => {
          (client as unknown as NodeJS.EventEmitter).on('error', reject);
        });
        const sent = Array.from({ length: COUNT }, (_, i) => {
          return new Promise<void>((resolve, reject) => {
            const done = (error?: unknown): void => (error ? reject(error) : resolve());
            client.emit('npm', { n: i + 1, ...text(i + 1) }, done as () => void);
          });
        });
        await Promise.race([Promise.all(sent), failed]);
        if ('requireAckResponse' in clientOptions) {
          // Every callback came with an ack, so every event is durable by now.
          assert.equal(server.cuts.events.length, COUNT);
        }
        await expectEvents(server, 'app.npm', text);
        end(client);
      });
    }
  }
});

test('npm fluent-logger over a unix socket', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-forward-'));
  try {
    await using server = await startForward({ listen: `unix:${join(directory, 'f.sock')}` });
    const client = fluent.createFluentSender('app', {
      path: server.path,
      requireAckResponse: true,
      timeout: 3,
    });
    for (let n = 1; n <= COUNT; n++) client.emit('npm', { n, ...text(n) });
    await expectEvents(server, 'app.npm', text);
    end(client);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('npm @fluent-org/logger', async (t) => {
  const modes = ['Message', 'Forward', 'PackedForward', 'CompressedPackedForward'] as const;
  const ways: [string, object, object][] = [
    ['plain', {}, {}],
    ['with acks within its 500 ms', {}, { ack: { ackTimeout: 500 } }],
    ['with EventTime', {}, { milliseconds: true }],
    ['with key and user', { security: SECURITY }, { ack: {}, security: CREDENTIALS }],
  ];
  for (const eventMode of modes) {
    for (const [name, options, clientOptions] of ways) {
      await t.test(`${eventMode}, ${name}`, async () => {
        await using server = await startForward(options);
        const client = new FluentClient('app', {
          eventMode,
          socket: { host: '127.0.0.1', port: server.port },
          flushInterval: 20,
          ...clientOptions,
        });
        const sent = Array.from({ length: COUNT }, (_, i) =>
          client.emit('org', { n: i + 1, ...text(i + 1) }),
        );
        await Promise.all(sent);
        await expectEvents(server, 'app.org', text);
        await client.disconnect();
      });
    }
  }
});

/** Runs a client of another language, or says why it cannot be. */
async function external(
  t: TestContext,
  client: Client,
  options: object,
  args: (server: Server) => (string | number)[],
  tag: string,
  fields: (n: number) => object,
): Promise<void> {
  if (client.skip !== undefined) return t.skip(client.skip);
  await using server = await startForward(options);
  await runClient(client, ...args(server));
  await expectEvents(server, tag, fields);
}

test('Python fluent-logger', async (t) => {
  const fields = (n: number): object => ({ ...text(n), list: [1, null, 2.5], bytes: 'base64:/w==' });
  await external(t, await pythonClient(), {}, ({ port }) => ['127.0.0.1', port, COUNT], 'app.python', fields);
});

test('Go fluent-logger-golang', async (t) => {
  const client = await goClient();
  for (const how of [[], ['ack'], ['json'], ['json', 'ack'], ['async', 'ack']]) {
    await t.test(`over TCP ${how.join(' ')}`, (inner) =>
      external(inner, client, {}, ({ port }) => ['tcp', `127.0.0.1:${port}`, COUNT, ...how], 'app.go', text),
    );
  }
  // Without acks it writes and closes without reading: what the server sends unasked would reset the connection.
  for (const how of [['ack'], []]) {
    await t.test(`over TLS ${how.join(' ')}`, (inner) =>
      external(
        inner,
        client,
        { tls: TLS },
        ({ port }) => ['tls', `127.0.0.1:${port}`, COUNT, ...how],
        'app.go',
        text,
      ),
    );
  }
  await t.test('over a unix socket', async (inner) => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-forward-'));
    try {
      const listen = `unix:${join(directory, 'f.sock')}`;
      await external(inner, client, { listen }, ({ path }) => ['unix', path, COUNT, 'ack'], 'app.go', text);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

test('Java Fluency', async (t) => {
  const client = await javaClient();
  for (const how of [[], ['ack']]) {
    await t.test(how[0] ?? 'plain', (inner) =>
      external(inner, client, {}, ({ port }) => [port, COUNT, ...how], 'app.java', text),
    );
  }
});
