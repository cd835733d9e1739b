/** When the archiver forgets a lane, and what it says of chunks whose lane it may have forgotten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommit } from '../../../archive/commit.ts';
import { ENCODER, ENCODERS } from '../../../archive/writer/encoders.ts';
import { ShardArchiver } from '../../../archive/writer/shard-archiver.ts';
import { ChunkSource, type MadeChunk } from '../../support/chunks.ts';
import { MemoryArchive } from '../../support/memory-archive.ts';

const HOUR = 494_000;
const START = HOUR * 3_600_000;
const DAY = 86_400_000;

/** A log that puts a snapshot into each commit. */
async function log() {
  const archive = new MemoryArchive();
  const archiver = new ShardArchiver(
    {
      stream: 'weblogs',
      incarnation: '0'.repeat(18),
      shard: 's',
      range: ['0'.repeat(32), '7'.padEnd(32, 'f')],
      parents: [],
      prefix: '',
      keyTemplate: '{tag}/{name}',
      forget: { horizon: 90 * DAY, grace: DAY },
      snapshotEvery: 1,
      encoder: ENCODER,
      encoders: ENCODERS,
    },
    archive,
    { family: '0'.repeat(10), shards: async () => [], holds: async () => false },
    {
      limits: { maxBytes: 1e9, maxAge: 1e9 },
      now: () => START,
      uptime: () => START,
      wait: async () => {},
      events: { received() {}, passedOver() {}, committed() {}, followed() {}, completed() {}, voided() {} },
    },
  );
  await archiver.initialize(null);
  let sequence = 1000;
  /** Archives a chunk that arrives so many days after the start. */
  return async ({ bytes }: MadeChunk, days: number) => {
    await archiver.take([{ sequence: `${sequence++}`, arrival: START + days * DAY, data: bytes }], false);
    await archiver.flush();
    const key = (await archive.first('_commits/'))!;
    const { unproven, skipped, snapshot } = parseCommit((await archive.get(key))!, key);
    return { unproven, skipped: skipped.duplicates, lanes: Object.keys(snapshot!.lanes).sort() };
  };
}

const lane = (digit: string): string => digit.repeat(32);

test('a lane is forgotten when it was idle for the horizon, and not before', async () => {
  const put = await log();
  const old = new ChunkSource({ name: 'a', lane: lane('1') });
  const other = new ChunkSource({ name: 'b', lane: lane('2') });
  const first = old.next('t', HOUR, 1);
  await put(first, 0);
  assert.deepEqual((await put(other.next('t', HOUR + 89 * 24, 1), 89)).lanes, [lane('1'), lane('2')]);
  assert.deepEqual(await put(first, 90), { unproven: 0, skipped: 1, lanes: [lane('1'), lane('2')] });
  assert.deepEqual((await put(other.next('t', HOUR + 91 * 24, 1), 91)).lanes, [lane('2')]);
  // What nobody can vouch for any more is archived, and counted.
  assert.deepEqual(await put(first, 92), { unproven: 1, skipped: 0, lanes: [lane('1'), lane('2')] });
});

test('a lane that its producer has done with is forgotten after a day', async () => {
  const put = await log();
  const before = new ChunkSource({ name: 'a', epoch: 1, lane: lane('1') });
  const after = new ChunkSource({ name: 'a', epoch: 2, lane: lane('2') });
  const stays = new ChunkSource({ name: 'a', epoch: 3, floor: 2, lane: lane('3') });
  const chunk = before.next('t', HOUR, 1);
  await put(chunk, 0);
  assert.deepEqual((await put(after.next('t', HOUR, 1), 0.5)).lanes, [lane('1'), lane('2')]);
  assert.deepEqual((await put(stays.next('t', HOUR, 1), 1.1)).lanes, [lane('2'), lane('3')]);
  assert.deepEqual(
    (await put(stays.next('t', HOUR, 1), 80)).lanes,
    [lane('2'), lane('3')],
    'held by the floor',
  );
  assert.equal((await put(chunk, 80)).unproven, 1);
});

test("a chunk in a shard that is not its lane's is unproven, and so is one older than the horizon", async () => {
  const put = await log();
  assert.equal(
    (await put(new ChunkSource({ name: 'a', lane: lane('8') }).next('t', HOUR, 1), 0)).unproven,
    1,
  );
  assert.equal(
    (await put(new ChunkSource({ name: 'b', lane: lane('3') }).next('t', HOUR, 1), 91)).unproven,
    1,
  );
  assert.equal(
    (await put(new ChunkSource({ name: 'c', lane: lane('4') }).next('t', HOUR, 1), 89)).unproven,
    0,
  );
});
