/** The commit: what is written is read back, and what is not one is refused with its place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Commit,
  CommitCorruptError,
  commitHash,
  encodeCommit,
  parseCommit,
} from '../../../archive/commit.ts';

const hex = (digits: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`));
const count = fc.nat();
const sequence = fc.bigInt({ min: 0n, max: 2n ** 186n }).map(String);
const runs = fc.constantFrom('1', '1-904', '1-3,5,9-12', '7');
const runsByLane = fc.dictionary(hex(32), runs, { maxKeys: 3 });

const commits: fc.Arbitrary<Commit> = fc
  .record({
    version: fc.constantFrom(1 as const, 2 as const),
    hash: fc.constant(''),
    stream: fc.string(),
    incarnation: hex(18),
    shard: fc.constant('shardId-000000000007'),
    range: fc.tuple(hex(32), hex(32)),
    parents: fc.constantFrom([], ['shardId-000000000001']),
    number: fc.integer({ min: 1 }),
    encoder: count,
    from: fc.option(sequence),
    to: fc.option(sequence),
    arrival: fc.option(fc.tuple(count, count)),
    written: count,
    close: fc.boolean(),
    records: count,
    objects: fc.array(
      fc.record({
        key: fc.string(),
        tag: fc.string({ unit: 'grapheme' }),
        hour: count,
        codec: fc.constantFrom('gzip' as const, 'zstd' as const),
        bytes: count,
        sha256: hex(64),
        chunks: count,
        events: count,
        raw_bytes: count,
        foreign: count,
        runs: runsByLane,
        lane_events: fc.dictionary(hex(32), count, { maxKeys: 3 }),
      }),
      { maxLength: 3 },
    ),
    empty: runsByLane,
    lanes: fc.dictionary(hex(32), fc.tuple(hex(32), hex(16)), { maxKeys: 3 }),
    producers: fc.array(
      fc.record({
        producer: hex(32),
        epoch: hex(16),
        ordinal: count,
        floor: hex(16),
        previous: fc.option(fc.record({ epoch: hex(16), ordinal: count })),
        end: fc.boolean(),
      }),
      { maxLength: 2 },
    ),
    skipped: fc.record({ duplicates: count, bytes: count }),
    unproven: count,
    damaged: count,
    voided: fc.array(fc.record({ key: fc.string(), runs: runsByLane }), { maxLength: 2 }),
    kept: fc.dictionary(count.map(String), sequence, { maxKeys: 2 }),
    snapshot: fc.option(
      fc.record({
        lanes: fc.dictionary(hex(32), fc.tuple(hex(32), hex(16), runs, count), { maxKeys: 3 }),
        floors: fc.dictionary(hex(32), fc.tuple(hex(16), count), { maxKeys: 2 }),
      }),
    ),
    snapshot_at: count,
  })
  // As JSON gives objects: with the usual prototype, which fast-check leaves out now and then.
  .map((commit) => structuredClone(commit) as Commit)
  .map((commit) => ({ ...commit, hash: commitHash(commit) }));

test('a commit is read back as it was written', () => {
  fc.assert(
    fc.property(commits, (commit) => {
      assert.deepEqual(JSON.stringify(parseCommit(encodeCommit(commit), 'k')), JSON.stringify(commit));
    }),
  );
});

test('a changed commit is refused', () => {
  fc.assert(
    fc.property(commits, fc.nat(), fc.integer({ min: 1, max: 255 }), (commit, at, flip) => {
      const bytes = encodeCommit(commit);
      bytes[at % bytes.length]! ^= flip;
      let parsed: Commit;
      try {
        parsed = parseCommit(bytes, 'some/key.json');
      } catch (error) {
        assert.ok(error instanceof CommitCorruptError);
        assert.match(error.message, /^some\/key\.json: /);
        return;
      }
      // Only white space around the value, or the name of an object, says the same.
      const nameless = (one: Commit) => ({
        ...one,
        objects: one.objects.map((object) => ({ ...object, key: '' })),
      });
      assert.deepEqual(nameless(parsed), nameless(commit));
    }),
  );
});

test('the hash does not depend on the order of keys, and not on the names of objects', () => {
  fc.assert(
    fc.property(commits, (commit) => {
      const turned = Object.fromEntries(Object.entries(commit).reverse()) as unknown as Commit;
      const renamed = { ...turned, objects: turned.objects.map((object) => ({ ...object, key: 'other' })) };
      assert.equal(commitHash(renamed), commit.hash);
      assert.notEqual(commitHash({ ...commit, records: commit.records + 1 }), commit.hash);
    }),
  );
});

test('what a later release wrote is distinguished from damage', () => {
  assert.throws(() => parseCommit(Buffer.from('{"version":3}'), 'k'), /version 3: upgrade tailrace/);
  assert.throws(() => parseCommit(Buffer.from('{"version":1}'), 'k'), /^CommitCorruptError: k: hash: /);
  assert.throws(() => parseCommit(Buffer.from('{'), 'k'), /k: is not JSON/);
});
