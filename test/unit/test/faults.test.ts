/** The fault harness's own parts: an oracle that sees what is wrong, and a schedule that a seed decides. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { ArchiveReader } from '../../../archive/verify/verify.ts';
import { eventId, Oracle } from '../../faults/oracle.ts';
import { planFaults, TARGETS } from '../../faults/schedule.ts';

/** An archive of these objects, by key. */
function archiveOf(objects: Readonly<Record<string, Buffer>>): ArchiveReader {
  return {
    async *list() {
      for (const [key, bytes] of Object.entries(objects)) yield { key, bytes: bytes.length };
    },
    get: async (key: string) => objects[key] ?? null,
  } as unknown as ArchiveReader;
}

const lines = (source: string, ...numbers: number[]): string =>
  numbers.map((n) => `{"id":"${eventId(source, n)}"}\n`).join('');

test('the oracle tells lost, repeated, invented and destroyed events from each other', async () => {
  const oracle = new Oracle();
  await oracle.read(
    archiveOf({
      'logs/a.ndjson.gz': Buffer.concat([gzipSync(lines('log', 0, 1)), gzipSync(lines('log', 1, 7))]),
      'logs/b.ndjson.zst': Buffer.concat([
        zstdCompressSync(Buffer.from(lines('forward', 0))),
        zstdCompressSync(Buffer.from(lines('stranger', 5))),
      ]),
      '_commits/c.json': Buffer.from('{}'),
    }),
  );
  const promised = new Map([
    ['log', 5],
    ['forward', 1],
  ]);
  const { examples, ...verdict } = oracle.compare(promised, new Set([eventId('log', 3)]));
  assert.deepEqual(verdict, {
    promised: 6,
    archived: 5,
    lost: 2,
    repeated: 1,
    invented: 2,
    destroyed: 1,
    kept: 0,
  });
  assert.deepEqual(examples, [
    'repeated: @log:1@',
    'lost: @log:2@',
    'lost: @log:4@',
    'invented: @log:7@',
    'invented: @stranger:5@',
  ]);
});

test('the oracle wants each chunk of a liar once, as the bytes that it has, and what follows it whole', async () => {
  const kept = (...all: string[]): string => all.map((base64) => `${JSON.stringify({ base64 })}\n`).join('');
  const oracle = new Oracle();
  await oracle.read(
    archiveOf({
      'logs/a.ndjson.gz': gzipSync(kept('H4sI', 'H4sJ', 'H4sJ') + lines('log', 0)),
      'logs/b.ndjson.gz': gzipSync(lines('log', 1)),
    }),
  );
  const { examples, ...verdict } = oracle.compare(
    new Map([['log', 2]]),
    new Set(),
    new Set(['H4sI', 'H4sJ', 'H4sK']),
  );
  assert.deepEqual(verdict, {
    promised: 2,
    archived: 2,
    lost: 1,
    repeated: 1,
    invented: 0,
    destroyed: 0,
    kept: 2,
  });
  assert.deepEqual(examples, ['kept 2 times: H4sJ', 'not kept: H4sK']);
});

test('an archived line without an id, or with two, is not one of our events', async () => {
  const bytes = gzipSync('{"id":"none"}\n');
  await assert.rejects(new Oracle().read(archiveOf({ 'logs/a.ndjson.gz': bytes })), /1 lines, but 0 ids/);
});

test('the same seed gives the same faults, another one others; all targets have their share in an hour', () => {
  const text = (seed: number): string => JSON.stringify([...planFaults(seed, 60)]);
  assert.equal(text(7), text(7));
  assert.notEqual(text(7), text(8));
  const plan = planFaults(7, 60);
  for (const target of TARGETS) {
    const faults = plan.get(target)!;
    assert.ok(faults.length > 20, `${target}: ${faults.length}`);
    assert.deepEqual(
      faults.map(({ at }) => at),
      faults.map(({ at }) => at).sort((a, b) => a - b),
    );
    assert.ok(faults.at(-1)!.at < 3_600_000);
  }
});
