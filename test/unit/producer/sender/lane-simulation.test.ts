import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { evenRanges, randomKey, rates, simulate, sum, table } from '../../../../bench/lanes-simulation.ts';
import { DEFAULT_LANE_LIMITS, Lanes } from '../../../../producer/sender/lanes.ts';
import { generator } from '../../../support/random.ts';

const SHARDS = evenRanges(4);
const shardOf = (lane: string): string => SHARDS.find(({ last }) => BigInt(`0x${lane}`) <= last)!.id;

function start(limits: Partial<typeof DEFAULT_LANE_LIMITS> = {}, seed = 7): Lanes {
  const random = generator(seed);
  return new Lanes({ ...DEFAULT_LANE_LIMITS, ...limits }, 0, () => randomKey(random));
}

/** Throttles every lane in use for longer than is patient. */
function throttleAll(lanes: Lanes, from: number, to: number): void {
  for (let now = from; now <= to; now += 500) {
    for (const { lane } of lanes.active) lanes.throttled(lane, now);
    lanes.next(now, () => 1);
  }
}

test('a run begins with one lane, or with as many as configured, each in a quarter of its own', () => {
  assert.equal(start().active.length, 1);
  for (let seed = 0; seed < 50; seed++) {
    const lanes = start({ initial: 4 }, seed).active.map(({ lane }) => shardOf(lane));
    assert.deepEqual(
      lanes.toSorted(),
      SHARDS.map(({ id }) => id),
    );
  }
});

test('chunks go round over the lanes that are not throttled', () => {
  const lanes = start({ initial: 4 });
  const [held] = lanes.active;
  lanes.throttled(held!.lane, 100);
  const chosen = Array.from({ length: 30 }, () => lanes.next(200, () => 0));
  const counts = Map.groupBy(chosen, (lane) => lane);
  assert.equal(counts.size, 3);
  assert.ok(!counts.has(held!.lane));
  for (const times of counts.values()) assert.equal(times.length, 10);
});

test('a lane that is throttled for long is joined by one inside the range of another shard', () => {
  const lanes = start();
  lanes.throttled(lanes.active[0]!.lane, 0);
  assert.equal(lanes.wantsShards, true);
  lanes.setShards(SHARDS);
  throttleAll(lanes, 0, 2500);
  assert.equal(lanes.active.length, 1, 'a moment of throttling is nothing');
  throttleAll(lanes, 3000, 30_000);
  const used = lanes.active.map(({ lane }) => shardOf(lane));
  assert.deepEqual(
    used.toSorted(),
    SHARDS.map(({ id }) => id),
    'one in each shard, and no more',
  );
});

test('without a list of shards another lane is placed by chance', () => {
  const lanes = start();
  throttleAll(lanes, 0, 3500);
  assert.equal(lanes.active.length, 2);
  assert.equal(lanes.wantsShards, true);
});

test('a lane is no longer throttled when all of it got through', () => {
  const lanes = start();
  const [{ lane } = { lane: '' }] = lanes.active;
  lanes.throttled(lane, 1000);
  lanes.accepted(lane, SHARDS[0]!.id, false, 1100);
  assert.equal(lanes.active[0]!.throttledSince, 1000, 'something still waits');
  lanes.accepted(lane, SHARDS[0]!.id, true, 1200);
  assert.equal(lanes.active[0]!.throttledSince, null);
});

test('lanes that joined are used no more when nothing throttled for long; the initial ones stay', () => {
  const lanes = start({ idleAfter: 10_000 });
  lanes.setShards(SHARDS);
  throttleAll(lanes, 0, 30_000);
  assert.equal(lanes.active.length, 4);
  for (let now = 30_000; now < 100_000; now += 500) {
    for (const { lane } of lanes.active) lanes.accepted(lane, shardOf(lane), true, now);
    lanes.next(now, () => 0);
  }
  assert.equal(lanes.active.length, 1);
});

test('a reshard is noticed from the answers, and of two lanes in one shard one is enough', () => {
  const lanes = start({ idleAfter: 1e9 });
  lanes.setShards(SHARDS);
  throttleAll(lanes, 0, 30_000);
  lanes.accepted(lanes.active[0]!.lane, 'shardId-merged', true, 31_000);
  assert.equal(lanes.wantsShards, true);
  const half = 1n << 127n;
  lanes.setShards([
    { id: 'shardId-low', first: 0n, last: half - 1n },
    { id: 'shardId-high', first: half, last: 2n * half - 1n },
  ]);
  assert.equal(lanes.wantsShards, false);
  assert.deepEqual(lanes.active.map(({ shard }) => shard).toSorted(), ['shardId-high', 'shardId-low']);
});

test('with one hot shard among four, 1 to 50 agents come near the capacity of the free ones', () => {
  for (const agents of [1, 5, 50]) {
    const outcome = simulate({
      agents,
      offered: 4e6,
      foreign: [950_000, 0, 0, 0],
      seconds: 60,
      seed: agents,
    });
    const each = rates(outcome, 30, 60);
    assert.ok(sum(each) > 2.85, `${agents} agents: ${each.map((rate) => rate.toFixed(2))} MB/s`);
    assert.ok(outcome.lanes <= agents * 4);
  }
});

test('the table of docs/sending.md is what the simulation says', () => {
  const docs = readFileSync(join(import.meta.dirname, '..', '..', '..', '..', 'docs', 'sending.md'), 'utf8');
  assert.ok(docs.includes(table()), 'run `node bench/lanes-simulation.ts` and put its table there');
});

test('agents that make less than the free shards take have no backlog, whatever shard is hot', () => {
  const outcome = simulate({ agents: 10, offered: 2.4e6, foreign: [950_000, 0, 0, 0], seconds: 120 });
  assert.ok(outcome.backlog < 10e6, `${outcome.backlog} bytes wait`);
  assert.ok(sum(rates(outcome, 60, 120)) > 2.3);
});

test('a stream that was recreated with other ranges under the same names is noticed from the answers', () => {
  const lanes = start();
  lanes.setShards(SHARDS);
  const [{ lane } = { lane: '' }] = lanes.active;
  lanes.accepted(lane, shardOf(lane), true, 1000);
  assert.equal(lanes.wantsShards, false);
  const other = SHARDS.find(({ id }) => id !== shardOf(lane))!.id;
  lanes.accepted(lane, other, true, 2000);
  assert.equal(lanes.wantsShards, true);
});
