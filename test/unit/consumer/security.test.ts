/** What strangers can bring before the consumer: requests of its HTTP server, and forged chunks on the stream. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import * as z from 'zod/mini';
import { encodeCommit, parseCommit } from '../../../archive/commit.ts';
import { ShardState } from '../../../archive/state.ts';
import type { LogContext } from '../../../archive/writer/context.ts';
import { ENCODER, ENCODERS } from '../../../archive/writer/encoders.ts';
import { planCommit } from '../../../archive/writer/plan.ts';
import { readRecord } from '../../../archive/writer/record.ts';
import { MAX_TAG_BYTES } from '../../../chunk/header.ts';
import { encodeChunk } from '../../../chunk/writer.ts';
import { consumerSchema } from '../../../consumer/config.ts';
import { Board } from '../../../consumer/status/board.ts';
import { serveBoard } from '../../../consumer/status/http.ts';

test('no request line ends the worker', async (context) => {
  const config = z.parse(consumerSchema, {
    stream: { name: 's', region: 'r' },
    archive: { bucket: 'b' },
  });
  const server = await serveBoard('127.0.0.1:0', new Board(config));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const ask = async (line: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    socket.end(`${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes;
    });
    await once(socket, 'close');
    return text.split('\r\n', 1)[0]!;
  };
  for (const target of ['//', '///', '//[', 'http://[', '/\\', '/%', '*', '?']) {
    assert.match(await ask(`GET ${target}`), /^HTTP\/1\.1 (404|400) /, target);
  }
  assert.match(await ask('GET /status?pretty'), / 200 /);
  assert.match(await ask('DELETE /status'), / 405 /);
});

const LOG: LogContext = {
  stream: 'weblogs',
  incarnation: '0'.repeat(18),
  shard: 'shardId-000000000000',
  range: ['0'.repeat(32), '7'.repeat(32)],
  parents: [],
  prefix: '',
  keyTemplate: 'logs/tag={tag}/dt={dt}/hour={hour}/{name}',
  forget: { horizon: 1e9, grace: 1e6 },
  snapshotEvery: 1,
  encoder: ENCODER,
  encoders: ENCODERS,
};

const hex = (digits: number) =>
  fc.oneof(
    fc.constantFrom('0'.repeat(digits), 'f'.repeat(digits)),
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits }),
  );
const number = fc.oneof(fc.constantFrom(0, 1, 2 ** 53 - 1), fc.nat());
const tag = fc.oneof(
  fc.constantFrom(
    '..',
    '.',
    '',
    '/',
    '../../_commits/x',
    '__proto__',
    'constructor',
    'foreign.weblogs',
    '\0',
  ),
  fc.string({ unit: 'binary', maxLength: MAX_TAG_BYTES / 4 }),
);

/** Chunks whose checksums are right and of which nothing else need be true. */
const forged = fc
  .record({
    lane: hex(32),
    sequence: number,
    producer: hex(32),
    epoch: hex(16),
    ordinal: number,
    floor: hex(16),
    previous: fc.option(fc.record({ epoch: hex(16), ordinal: number })),
    end: fc.boolean(),
    tag,
    hour: fc.oneof(fc.constantFrom(0, 2 ** 32 - 1), fc.nat()),
    firstTime: number,
    lastTime: number,
    events: fc.constantFrom(0, 1, 2 ** 32 - 1),
  })
  .chain((header) =>
    fc
      .constantFrom('gzip' as const, 'zstd' as const)
      .map((codec) => encodeChunk(Buffer.from('{}\n'), header, { codec, level: 1 })),
  );

test('no forged chunk stops a shard: whatever it claims, the commit with it can be written and read', () => {
  fc.assert(
    fc.property(fc.array(forged, { minLength: 1, maxLength: 8 }), (chunks) => {
      let state = new ShardState();
      for (let round = 0; round < 2; round++) {
        const items = chunks.map((data, i) =>
          readRecord({ sequence: `${100 * round + i + 1}`, arrival: 1_764_000_000_000, data }),
        );
        const { commit, bodies } = planCommit(LOG, { state, items, close: false, now: 1_764_000_000_000 });
        assert.deepEqual(parseCommit(encodeCommit(commit), 'key'), JSON.parse(`${encodeCommit(commit)}`));
        for (const { key } of commit.objects) {
          assert.ok(bodies.has(key));
          assert.match(key, /^logs\/tag=[\w.%~-]+\/dt=\d{4}-\d\d-\d\d\/hour=\d\d\/[\w.-]+$/);
          assert.doesNotMatch(key, /\/\.\.?\//);
          assert.ok(key.length <= 1024);
        }
        const next = new ShardState();
        next.apply(commit);
        state = next;
      }
    }),
  );
});
