/** The keeper's decision: what is known and what is not, growth, refusals, hot shards, shrinking, and every limit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Grid } from '../../../../functions/scale/forecast.ts';
import {
  type KeeperPolicy,
  type Minute,
  type Plan,
  planShards,
  type Traffic,
} from '../../../../functions/scale/keeper.ts';
import { SHARD_BYTES, stepsTo } from '../../../../functions/scale/rules.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = Date.parse('2026-11-24T12:00:00Z');
const POLICY: KeeperPolicy = {
  minimum: 2,
  maximum: 64,
  ceiling: null,
  retentionHours: 168,
  target: 0.9,
};

/** A minute that fills so many shards, so many minutes ago. */
const minute = (ago: number, shards: number, refused = 0): Minute => ({
  at: NOW - ago * MINUTE,
  bytes: shards * 60 * SHARD_BYTES,
  records: shards * 60 * 100,
  refused,
});
const steady = (shards: number, minutes = 60): Minute[] =>
  Array.from({ length: minutes }, (_, i) => minute(minutes + 1 - i, shards));
/** Two weeks in which each five minutes filled as many shards. */
const weeks = (shards: (at: number) => number): Grid => {
  const period = 5 * MINUTE;
  const start = NOW - 15 * 24 * HOUR;
  const values = Array.from({ length: (NOW - start) / period }, (_, i) => shards(start + i * period));
  return { start, period, values };
};
const UNKNOWN = weeks(() => Number.NaN);
const plan = (
  open: number,
  traffic: Partial<Traffic>,
  changes: readonly number[] = [],
  policy: Partial<KeeperPolicy> = {},
  { settled = true, lastSplit = 0 } = {},
): Plan =>
  planShards(
    { minutes: [], past: UNKNOWN, ...traffic },
    { open, settled },
    { counts: changes, lastSplit },
    { ...POLICY, ...policy },
    NOW,
  );
const shardsOf = (made: Plan): number | string => (made.kind === 'scale' ? made.shards : made.kind);

test('without data nothing is done: none at all, old data, a gap of an hour', () => {
  assert.equal(plan(32, {}).kind, 'hold');
  assert.match(plan(32, { minutes: [minute(30, 1)] }).reason, /no recent traffic/);
  const gap = [...steady(1).slice(0, 10), minute(2, 1)];
  assert.match(plan(32, { minutes: gap, past: weeks(() => 1) }).reason, /too few minutes/);
});

test('traffic counts for six minutes: then it is too old to grow by', () => {
  const until = (ago: number): Minute[] => steady(30).filter(({ at }) => at <= NOW - ago * MINUTE);
  assert.equal(shardsOf(plan(4, { minutes: until(6) })), 8);
  assert.match(plan(4, { minutes: until(7) }).reason, /no recent traffic/);
});

test('a load that rises by a third within three minutes is taken for a spike: the stream doubles', () => {
  const rise = (from: number, to: number): Minute[] => [
    ...steady(from).slice(0, -3),
    minute(3, from),
    minute(2, (from + to) / 2),
    minute(1, to),
  ];
  // 17 shards are needed at 90 % use; a spike does not stop there.
  assert.equal(shardsOf(plan(12, { minutes: rise(11, 14.9) })), 24);
  assert.equal(shardsOf(plan(12, { minutes: rise(14, 14.9) })), 17);
});

test('while a change is under way nothing is done', () => {
  assert.match(plan(4, { minutes: steady(9) }, [], {}, { settled: false }).reason, /under way/);
});

test('grows on the last minutes, at most to double', () => {
  assert.equal(shardsOf(plan(4, { minutes: steady(5) })), 6);
  assert.equal(shardsOf(plan(4, { minutes: steady(30) })), 8);
  const records = steady(0).map((one) => ({ ...one, records: 60 * 4100 }));
  assert.equal(shardsOf(plan(4, { minutes: records })), 5);
});

test('one refused record changes nothing; many grow the stream once, until there are new ones since', () => {
  const few = [...steady(3), minute(1, 3, 1)];
  assert.equal(plan(8, { minutes: few }).kind, 'hold');
  const refusing = [...steady(3), ...[5, 4, 3, 2].map((ago) => minute(ago, 3, 4000))];
  assert.equal(shardsOf(plan(8, { minutes: refusing })), 10);
  // The change was made two minutes ago: what was refused before it says nothing of it.
  assert.equal(plan(10, { minutes: refusing }, [NOW - 2 * MINUTE]).kind, 'hold');
  // A change needs two minutes to take effect: refusals within them are not news, those after it are.
  assert.equal(plan(10, { minutes: refusing }, [NOW - 5 * MINUTE]).kind, 'scale');
  assert.equal(plan(10, { minutes: refusing }, [NOW - 5 * MINUTE + 1]).kind, 'hold');
  const one = [...steady(3), minute(2, 3, 4000)];
  assert.equal(plan(8, { minutes: one }).kind, 'hold', 'a single minute');
  // A hundredth of a minute's 18,000 records is left to the senders' retries.
  const part = (records: number) => [...steady(3), ...[5, 4, 3, 2].map((ago) => minute(ago, 3, records))];
  assert.equal(plan(8, { minutes: part(180) }).kind, 'hold');
  assert.equal(shardsOf(plan(8, { minutes: part(190) })), 10);
});

test('a split answers what was refused before it, as a change of the count does', () => {
  const refusing = [...steady(3), ...[5, 4, 3, 2].map((ago) => minute(ago, 3, 4000))];
  const hottest = { shard: 'shardId-7', share: 0.4, width: 1 / 8 };
  const after = (minutes: number): Plan =>
    plan(8, { minutes: refusing, hottest }, [], {}, { lastSplit: NOW - minutes * MINUTE });
  assert.equal(after(2).kind, 'hold');
  assert.equal(after(60).kind, 'split');
  // Nor is a shard taken away shortly after it.
  const idle = { minutes: steady(1), past: weeks(() => 1) };
  assert.match(plan(32, idle, [], {}, { lastSplit: NOW - 10 * MINUTE }).reason, /less than 20 minutes/);
});

test('a hot shard is split by its own traffic', () => {
  const refusing = [...steady(3), ...[5, 4, 3, 2].map((ago) => minute(ago, 3, 4000))];
  const hottest = { shard: 'shardId-7', share: 0.4, width: 1 / 8 };
  const made = plan(8, { minutes: refusing, hottest });
  assert.equal(made.kind === 'split' && made.shard, 'shardId-7');
  for (const limit of [{ maximum: 8 }, { ceiling: 8 * 26 }]) {
    const held = plan(8, { minutes: refusing, hottest }, [], limit);
    assert.deepEqual([held.kind, held.limited], ['hold', true], 'a hot shard does not exceed a limit');
  }
  // One that takes its share is not hot.
  assert.equal(
    shardsOf(plan(8, { minutes: refusing, hottest: { shard: 's', share: 0.13, width: 1 / 8 } })),
    10,
  );
});

test('refusals of a load that does not fit are answered by what it needs, not by a quarter more', () => {
  const refusing = (load: number) => [5, 4, 3, 2].map((ago) => minute(ago, load, 4000));
  // 11.7 shards' load with what was refused of it: 13 at 90 % use, where a quarter more is 10.
  assert.equal(shardsOf(plan(8, { minutes: [...steady(11), ...refusing(11)] })), 13);
  // 7.1 shards' load needs the 8 that are there: the average just fits.
  assert.match(plan(8, { minutes: [...steady(6.4), ...refusing(6.4)] }).reason, /although the average fits/);
});

test('one hot key is split three times below an even range, and then named instead of splitting on to the maximum', () => {
  const refusing = [...steady(0.9), ...[5, 4, 3, 2].map((ago) => minute(ago, 0.9, 4000))];
  let [open, width] = [4, 1 / 4];
  let made: Plan;
  for (;;) {
    made = plan(open, { minutes: refusing, hottest: { shard: 'shardId-9', share: 0.9, width } });
    if (made.kind !== 'split') break;
    open += 1;
    width /= 2;
  }
  assert.deepEqual([made.kind, made.limited, open], ['hold', true, 9]);
  assert.match(
    made.reason,
    /shardId-9 takes 90 % of the traffic in a range so small that it is one hash key/,
  );
});

test('refusals where no shard is measured stop at four times what the traffic needs', () => {
  const refusing = [...steady(0.9), ...[5, 4, 3, 2].map((ago) => minute(ago, 0.9, 4000))];
  assert.equal(shardsOf(plan(7, { minutes: refusing })), 9);
  const made = plan(8, { minutes: refusing });
  assert.deepEqual([made.kind, made.limited], ['hold', true]);
  assert.match(
    made.reason,
    /8 shards are open where the traffic would fit into 2, and shards are not measured/,
  );
});

test('the count is not lowered where the range of a busy one would be joined and fill one', () => {
  const idle = { minutes: steady(1.3), past: weeks(() => 1.3) };
  const busiest = (share: number, width: number) => ({ hottest: { shard: 'shardId-4', share, width } });
  assert.equal(shardsOf(plan(9, idle)), 5);
  // In a fifth of the keys it would meet a tenth of the others' load: 0.65 + 0.17 * 0.35 of 1.3 shards is under 0.93.
  assert.match(
    plan(9, { ...idle, ...busiest(0.65, 1 / 32) }).reason,
    /busy shardId-4 would fill one: 9 stay/,
  );
  assert.equal(shardsOf(plan(9, { ...idle, ...busiest(0.6, 1 / 32) })), 5);
  // A wide one is divided.
  assert.equal(shardsOf(plan(9, { ...idle, ...busiest(0.9, 1 / 2) })), 5);
});

test('shrinks by at most half where the coming day needs less, and not where it is not known', () => {
  const idle = { minutes: steady(1), past: weeks(() => 1) };
  assert.equal(shardsOf(plan(32, idle)), 16);
  assert.equal(plan(32, { minutes: steady(1) }).kind, 'hold');
  assert.equal(plan(32, idle, [NOW - 10 * MINUTE]).kind, 'hold', 'too soon after a change');
});

test('does not shrink at noon with the last change, for what the afternoon needs', () => {
  const past = weeks((at) => (new Date(at).getUTCHours() >= 13 && new Date(at).getUTCHours() < 20 ? 14 : 7));
  const used = Array.from({ length: 7 }, (_, i) => NOW - (i + 1) * HOUR);
  assert.equal(plan(16, { minutes: steady(7), past }, used).kind, 'hold');
  // With more of them an hour of eight shards is worth two changes.
  assert.equal(shardsOf(plan(16, { minutes: steady(7), past })), 8);
});

test('a spike last week is not a forecast', () => {
  const spike = NOW - 7 * 24 * HOUR;
  const past = weeks((at) => (at >= spike && at < spike + HOUR ? 40 : 4));
  assert.equal(plan(5, { minutes: steady(4), past }).kind, 'hold');
});

test('three changes of the day are kept for growth; then a limit is named', () => {
  const used = (n: number): number[] => Array.from({ length: n }, (_, i) => NOW - (i + 1) * HOUR);
  const idle = { minutes: steady(7), past: weeks(() => 7) };
  assert.equal(shardsOf(plan(14, idle, used(6))), 8);
  assert.equal(plan(14, idle, used(7)).kind, 'hold');
  // None where twice of what is needed is there: that is room for a spike.
  assert.equal(shardsOf(plan(16, idle, used(9))), 8);
  const busy = { minutes: steady(30) };
  assert.equal(shardsOf(plan(14, busy, used(9))), 28);
  const none = plan(14, busy, used(10));
  assert.deepEqual([none.kind, none.kind === 'split' && none.shard, none.limited], ['split', null, true]);
  assert.match(none.reason, /10 of 10 changes in 24 hours are used: one is split/);
  assert.equal(plan(14, busy, used(10), { maximum: 14 }).kind, 'hold');
  assert.equal(shardsOf(plan(14, busy, [...used(9), NOW - 25 * HOUR])), 28, 'a day ago');
});

test('where no change is left for what a spike has left behind, shards are merged one by one', () => {
  const used = Array.from({ length: 10 }, (_, i) => NOW - (i + 1) * HOUR);
  const idle = { minutes: steady(7), past: weeks(() => 7) };
  // Eight are needed: a merged one of 17 has at most what fills it, of 16 it might have more.
  assert.equal(plan(17, idle, used).kind, 'merge');
  assert.equal(plan(16, idle, used).kind, 'hold');
  assert.equal(plan(17, idle, [...used, NOW - 10 * MINUTE]).kind, 'hold', 'too soon after a change');
  assert.equal(plan(17, { minutes: steady(7) }, used).kind, 'hold', 'nothing is known of the coming hours');
  const past = weeks((at) => (new Date(at).getUTCHours() === 14 ? 14 : 7));
  assert.equal(plan(17, { minutes: steady(7), past }, used).kind, 'hold', 'needed in two hours');
  // It goes on in each pass, also outside of the quarter hours.
  const later = NOW + 5 * MINUTE;
  const minutes = steady(7).map((one) => ({ ...one, at: one.at + 5 * MINUTE }));
  const counts = used;
  const made = planShards(
    { ...idle, minutes },
    { open: 40, settled: true },
    { counts, lastSplit: 0 },
    POLICY,
    later,
  );
  assert.equal(made.kind, 'merge');
});

test('shards are not merged while twice what the busiest takes would fill one: its halves would fill up as well', () => {
  const used = Array.from({ length: 10 }, (_, i) => NOW - (i + 1) * HOUR);
  const idle = { minutes: steady(1.3), past: weeks(() => 1.3) };
  const busiest = (share: number) => ({
    hottest: { shard: 'shardId-000000000004', share, width: 1 / 9 },
  });
  assert.equal(plan(9, { ...idle, ...busiest(0.36) }, used).kind, 'hold');
  assert.equal(plan(9, { ...idle, ...busiest(0.34) }, used).kind, 'merge');
});

test('minimum, maximum and cost ceiling hold, and the one that holds is named', () => {
  const busy = { minutes: steady(30) };
  assert.equal(shardsOf(plan(20, busy, [], { maximum: 24 })), 24);
  const most = plan(24, busy, [], { maximum: 24 });
  assert.ok(most.limited);
  assert.match(most.reason, /maximum \(maxShards\) is 24/);
  // 24 shards with a week of retention are 613 dollars.
  const dear = plan(24, busy, [], { ceiling: 614 });
  assert.match(dear.reason, /ceiling of \$614 a month is 24/);
  const idle = { minutes: steady(0.1), past: weeks(() => 0.1) };
  assert.equal(shardsOf(plan(8, idle, [], { minimum: 6 })), 6);
});

test('a maximum of less than half of the open shards is reached in several changes', () => {
  const idle = { minutes: steady(1), past: weeks(() => 1) };
  assert.equal(shardsOf(plan(300, idle)), 150);
  assert.equal(shardsOf(plan(101, idle, [], { maximum: 8 })), 51);
  assert.equal(shardsOf(plan(15, idle, [], { minimum: 8, maximum: 8 })), 8);
});

test('whatever comes: within the rules of the service and the policy, and never a change without data', () => {
  const traffic = fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: 70 }).map((ago) => NOW - ago * MINUTE),
      bytes: fc.double({ min: 0, max: 1e11, noNaN: true }),
      records: fc.nat({ max: 10_000_000 }),
      refused: fc.oneof(fc.constant(0), fc.nat({ max: 1_000_000 })),
    }),
    { maxLength: 70 },
  );
  const changes = fc.array(
    fc.integer({ min: 0, max: 30 * 60 }).map((ago) => NOW - ago * MINUTE),
    {
      maxLength: 14,
    },
  );
  fc.assert(
    fc.property(traffic, changes, fc.integer({ min: 1, max: 300 }), (minutes, made, open) => {
      const sorted = minutes.toSorted((a, b) => a.at - b.at);
      const result = planShards(
        { minutes: sorted, past: weeks(() => 3) },
        { open, settled: true },
        { counts: made, lastSplit: 0 },
        POLICY,
        NOW,
      );
      if (result.kind !== 'scale') return;
      assert.ok(sorted.some(({ at }) => at >= NOW - 9 * MINUTE));
      assert.ok(result.shards <= open * 2 && result.shards >= Math.ceil(open / 2) && result.shards !== open);
      assert.ok(result.shards <= Math.max(POLICY.maximum, Math.ceil(open / 2)));
      assert.ok(made.filter((at) => at > NOW - 24 * HOUR).length < 10);
    }),
  );
});

test('steps keep the rules of one change', () => {
  assert.deepEqual(stepsTo(2, 8), [4, 8]);
  assert.deepEqual(stepsTo(8, 3), [4, 3]);
  assert.deepEqual(stepsTo(3, 20), [6, 12, 20]);
  assert.deepEqual(stepsTo(5, 5), []);
  assert.deepEqual(stepsTo(5, 1), [3, 2, 1]);
  for (const [open, target] of [
    [0, 4],
    [1, 0],
    [2, Number.NaN],
    [2, 2.5],
  ] as const) {
    assert.throws(() => stepsTo(open, target), RangeError, `${open} to ${target}`);
  }
});
