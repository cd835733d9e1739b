import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { readHeader } from '../../../../chunk/header.ts';
import { Spill } from '../../../../producer/flush/spill.ts';
import type { SpooledChunk } from '../../../../producer/spool/spool.ts';
import { silent } from '../../../support/agent-core.ts';
import { AWS_ENV } from '../../../support/agent-process.ts';
import { chunkOf } from '../../../support/chunk-arbitraries.ts';

Object.assign(process.env, AWS_ENV);

type Context = { after: (done: () => Promise<void>) => void };

/** A bucket that refuses or hangs as a test says, and keeps the keys that it took. */
async function setUp(context: Context, fate: (segment: number, tries: number) => number | 'hang' | 'page') {
  const taken: string[] = [];
  const tries = new Map<number, number>();
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const key = decodeURIComponent(new URL(request.url!, 'http://s3').pathname);
      assert.equal(request.headers['if-none-match'], '*');
      const segment = Number(/(\d{12})-/.exec(key)?.[1] ?? 0);
      tries.set(segment, (tries.get(segment) ?? 0) + 1);
      const status = fate(segment, tries.get(segment)!);
      if (status === 'hang') return;
      if (status === 'page') return response.writeHead(200).end('<html>Back in a minute.</html>');
      if (status === 200) taken.push(key);
      response.writeHead(status, { etag: '"e"' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const bytes = chunkOf('{"n":1}\n', { lane: '0a'.repeat(16), sequence: 1, ordinal: 1 });
  const chunks = [1, 2, 3, 4].map(
    (segment): SpooledChunk => ({ header: readHeader(bytes), segment, offset: 0, since: 0 }),
  );
  const spill = new Spill(
    { bucket: 'spill', prefix: 'spill/', region: 'us-east-1', endpoint },
    {
      producer: 'p',
      instance: () => 'i-1',
      read: async () => bytes,
      quarantined: async () => new Map([['000000000009-0.bin', async () => Buffer.from('damaged')]]),
      log: silent,
    },
  );
  return { spill, chunks, taken, tries };
}

test('an object that is always refused does not hold up the others, and is reported with its reason', {
  timeout: 20_000,
}, async (context) => {
  const { spill, chunks, taken } = await setUp(context, (segment) => (segment === 1 ? 403 : 200));
  const spilled = await spill.put(chunks, performance.now() + 2000);
  assert.equal(taken.length, 4);
  assert.deepEqual(
    { objects: spilled.objects, chunks: spilled.chunks, missing: spilled.missing },
    { objects: 4, chunks: 3, missing: 1 },
  );
  assert.equal(spilled.place, 's3://spill/spill/i-1/p/');
  assert.match(spilled.error!, /^s3:\/\/spill\/spill\/i-1\/p\/000000000001-[0-9a-f]{16}\.chunks: /);
});

test('an object that fails for a while is retried until it is there', {
  timeout: 20_000,
}, async (context) => {
  const { spill, chunks, taken, tries } = await setUp(context, (segment, n) =>
    segment === 2 && n < 3 ? (n === 1 ? 503 : 'page') : 200,
  );
  const spilled = await spill.put(chunks, performance.now() + 15_000);
  assert.equal(taken.length, 5);
  assert.deepEqual([spilled.chunks, spilled.missing, spilled.error], [4, 0, null]);
  assert.deepEqual(Object.fromEntries(tries), { 1: 1, 2: 3, 3: 1, 4: 1, 9: 1 });
});

test('one that is there already is there', async (context) => {
  const { spill, chunks } = await setUp(context, () => 412);
  const spilled = await spill.put(chunks, performance.now() + 10_000);
  assert.deepEqual([spilled.objects, spilled.chunks, spilled.missing, spilled.error], [5, 4, 0, null]);
});

test('an unresponsive bucket is abandoned at the deadline, and everything is reported missing', {
  timeout: 20_000,
}, async (context) => {
  const { spill, chunks } = await setUp(context, () => 'hang');
  const spilled = await spill.put(chunks, performance.now() + 300);
  assert.deepEqual([spilled.objects, spilled.chunks, spilled.missing], [0, 0, 4]);
  assert.ok(spilled.error !== null);
});
