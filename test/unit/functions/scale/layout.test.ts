/** Even layouts by splits and merges, from whatever layout there is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { changesText, parseChanges } from '../../../../functions/scale/change-log.ts';
import {
  after,
  HASH_KEYS,
  middleOf,
  nextEvenStep,
  type OpenShard,
  openShards,
  type Reshard,
  shareOf,
  stepsToEven,
} from '../../../../functions/scale/layout.ts';
import { hottestOf } from '../../../../functions/scale/traffic.ts';

const layout = (...starts: bigint[]): OpenShard[] =>
  starts.map((first, i) => ({ id: `s${i}`, first, last: (starts[i + 1] ?? HASH_KEYS) - 1n }));

test('open shards are those without an end, in the order of their keys', () => {
  const shard = (ShardId: string, StartingHashKey: string, end?: string) => ({
    ShardId,
    HashKeyRange: { StartingHashKey, EndingHashKey: '99' },
    SequenceNumberRange: { StartingSequenceNumber: '1', EndingSequenceNumber: end },
  });
  const open = openShards([shard('b', '50'), shard('closed', '0', '7'), shard('a', '0')]);
  assert.deepEqual(
    open.map(({ id }) => id),
    ['a', 'b'],
  );
});

test('a share and a middle', () => {
  const [half, , last] = layout(0n, HASH_KEYS / 2n, (HASH_KEYS / 4n) * 3n);
  assert.equal(shareOf(half!), 0.5);
  assert.equal(shareOf(last!), 0.25);
  assert.equal(middleOf(half!), HASH_KEYS / 4n);
});

test('an even layout needs no step; an uneven one splits first and merges then', () => {
  assert.deepEqual(stepsToEven(layout(0n, HASH_KEYS / 2n), 2), []);
  const steps = stepsToEven(layout(0n, HASH_KEYS / 4n), 2);
  assert.deepEqual(
    steps.map(({ kind }) => kind),
    ['split', 'merge'],
  );
});

test('from any layout to any count: even in the end, gapless at each step, and wherever it is interrupted', () => {
  const starts = fc.uniqueArray(fc.bigInt({ min: 1n, max: HASH_KEYS - 1n }), { maxLength: 12 });
  fc.assert(
    fc.property(starts, fc.integer({ min: 1, max: 12 }), (cuts, count) => {
      let shards = layout(0n, ...cuts.toSorted((a, b) => (a < b ? -1 : 1)));
      let left = stepsToEven(shards, count).length;
      for (let step = nextEvenStep(shards, count); step; step = nextEvenStep(shards, count)) {
        shards = after(shards, step);
        assert.equal(stepsToEven(shards, count).length, --left);
        assert.equal(shards[0]!.first, 0n);
        shards.forEach(({ last }, i) => void assert.equal(last, (shards[i + 1]?.first ?? HASH_KEYS) - 1n));
      }
      assert.equal(shards.length, count);
      for (const shard of shards) assert.ok(Math.abs(shareOf(shard) - 1 / count) < 1e-5);
    }),
  );
});

test('changes are read back from a tag, whatever else is in it', () => {
  assert.deepEqual(parseChanges(''), { counts: [], lastSplit: 0 });
  assert.deepEqual(parseChanges('1764000000 x 1764003600 12 s17 s1764003000'), {
    counts: [1_764_000_000_000, 1_764_003_600_000],
    lastSplit: 1_764_003_000_000,
  });
});

test('a tag has room for all changes that are kept', () => {
  const counts = Array.from({ length: 40 }, (_, i) => 1_764_000_000_000 + i * 1000);
  const text = changesText({ counts, lastSplit: 1_764_003_000_999 });
  assert.ok(text.length <= 256, `${text.length}`);
  assert.deepEqual(parseChanges(text), { counts: counts.slice(-20), lastSplit: 1_764_003_000_000 });
  assert.equal(changesText({ counts: [], lastSplit: 0 }), '');
});

test('all steps at once are those found one by one, even 10,000 shards of them', () => {
  const starts = fc.uniqueArray(fc.bigInt({ min: 1n, max: HASH_KEYS - 1n }), { maxLength: 12 });
  fc.assert(
    fc.property(starts, fc.integer({ min: 1, max: 12 }), (cuts, count) => {
      let shards = layout(0n, ...cuts.toSorted((a, b) => (a < b ? -1 : 1)));
      const found: Reshard[] = [];
      for (let step = nextEvenStep(shards, count); step; step = nextEvenStep(shards, count)) {
        found.push(step);
        shards = after(shards, step);
      }
      const all = stepsToEven(layout(0n, ...cuts.toSorted((a, b) => (a < b ? -1 : 1))), count);
      assert.deepEqual(all, found);
    }),
  );
  const many = stepsToEven(layout(0n, HASH_KEYS / 3n), 10_000);
  assert.equal(many.length, 10_000 - 1 + 1);
});

test('the hottest shard by bytes or records', () => {
  const rate = (bytes: number, records = 0, refused = 0) => ({ bytes, records, refused });
  assert.equal(hottestOf(new Map([['a', rate(0)]])), undefined);
  const rates = new Map([
    ['a', rate(1024 * 512)],
    ['b', rate(10, 1200, 300)],
  ]);
  assert.deepEqual(hottestOf(rates), { shard: 'b', share: 0.75 });
  // What a shard refuses is part of its load, in bytes as in records: 1 MiB/s taken of four.
  const full = new Map([
    ['a', rate(1024 * 1024, 4, 12)],
    ['b', rate(1024 * 1024, 4)],
    ['c', rate(10, 100, 900)],
  ]);
  assert.deepEqual(hottestOf(full), { shard: 'a', share: 4 / 6 });
});
