/** What an archiver of delivered batches does with the rest of a stream; the model has the schedules. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newestCommit, putCommit } from '../../../../archive/commit-log.ts';
import { DeliveredArchiver, type DeliveredOptions } from '../../../../archive/writer/delivered.ts';
import { ENCODER, ENCODERS } from '../../../../archive/writer/encoders.ts';
import { ChunkSource } from '../../../support/chunks.ts';
import { MemoryArchive } from '../../../support/memory-archive.ts';

const INCARNATION = '0'.repeat(18);
const HOUR = 494_000;

/** An archiver over shards whose records are given, each record a chunk. */
function archiverOf(store: MemoryArchive, shards: Record<string, Buffer[]>) {
  const options: DeliveredOptions = {
    store,
    stream: { family: '0'.repeat(10), shards: async () => [], holds: async () => false },
    reader: {
      open: (shard, from) => {
        let at = from === null ? 0 : 'at' in from ? Number(from.at) : Number(from.after) + 1;
        return {
          next: async (limit = 100) => {
            const data = (shards[shard] ?? []).slice(at, at + limit);
            const records = data.map((bytes, i) => ({ sequence: String(at + i), arrival: 1, data: bytes }));
            at += data.length;
            return { records, atTip: at >= (shards[shard]?.length ?? 0), ended: false };
          },
        };
      },
    },
    contextOf: async (shard) => {
      if (shard === 'gone') throw new Error('no longer in the stream');
      return {
        stream: 'weblogs',
        incarnation: INCARNATION,
        shard,
        range: ['0'.repeat(32), 'f'.repeat(32)],
        parents: [],
        prefix: '',
        keyTemplate: '{tag}/{name}',
        forget: { horizon: 1e12, grace: 1e12 },
        snapshotEvery: 64,
        encoder: ENCODER,
        encoders: ENCODERS,
      };
    },
    limits: { maxBytes: 1e9, maxAge: Number.POSITIVE_INFINITY },
    now: () => 1,
    uptime: () => 1,
    events: { received() {}, passedOver() {}, committed() {}, followed() {}, completed() {}, voided() {} },
  };
  return new DeliveredArchiver(options);
}

const logOf = (shard: string) => ({ prefix: '', incarnation: INCARNATION, shard });

test('a half-done commit is completed also where another shard cannot be', async () => {
  const whole = new MemoryArchive();
  const records = [new ChunkSource({ name: 'a' }).next('t', HOUR, 2).bytes];
  await archiverOf(whole, { s: records }).archive('s', [{ sequence: '0', arrival: 1, data: records[0]! }]);
  const commit = (await newestCommit(whole, logOf('s')))!;

  const store = new MemoryArchive();
  await putCommit(store, '', commit);
  const failed = await archiverOf(store, { s: records }).completeAll(['gone', 's']);
  assert.deepEqual([...failed.keys()], ['gone']);
  assert.deepEqual(store.objects.get(commit.objects[0]!.key), whole.objects.get(commit.objects[0]!.key));
});

test('a batch of repeats, an empty one and one that lies behind the log change nothing but the log', async () => {
  const store = new MemoryArchive();
  const source = new ChunkSource({ name: 'a' });
  const [first, second] = [source.next('t', HOUR, 2).bytes, source.next('t', HOUR, 2).bytes];
  const shards = { s: [first, second, first] };
  const record = (i: number) => ({ sequence: String(i), arrival: 1, data: shards.s[i]! });
  const archiver = archiverOf(store, shards);
  await archiver.archive('s', [record(0), record(1)]);
  const dataOf = () => [...store.objects.keys()].filter((key) => !key.startsWith('_commits/'));
  const before = dataOf();
  await archiver.archive('s', []);
  await archiver.archive('s', [record(0)]);
  assert.equal((await newestCommit(store, logOf('s')))!.number, 1);
  await archiver.archive('s', [record(1), record(2)]);
  const commit = (await newestCommit(store, logOf('s')))!;
  assert.deepEqual([commit.from, commit.to, commit.skipped.duplicates], ['2', '2', 1]);
  assert.deepEqual(dataOf(), before);
});

test('records between the log and the batch are read from the stream', async () => {
  const store = new MemoryArchive();
  const source = new ChunkSource({ name: 'a' });
  const records = Array.from({ length: 5 }, () => source.next('t', HOUR, 1).bytes);
  await archiverOf(store, { s: records }).archive('s', [{ sequence: '4', arrival: 1, data: records[4]! }]);
  const commit = (await newestCommit(store, logOf('s')))!;
  assert.deepEqual([commit.from, commit.to, commit.records], ['0', '4', 5]);
});
