/** The keeper through weeks of traffic on a virtual clock: what it costs next to a perfect forecast, and what is throttled. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeeperPolicy } from '../../../../functions/scale/keeper.ts';
import { follow, ORDINARY, perfectForecast, yearOfTraffic } from '../../../simulation/traffic.ts';

const POLICY: KeeperPolicy = { minimum: 2, maximum: 1000, ceiling: null, retentionHours: 24, target: 0.92 };

test('ten weeks of days, nights, weekends, gaps and refused records: near the perfect forecast, hardly throttled', () => {
  for (const seed of [1, 2]) {
    const load = yearOfTraffic({ ...ORDINARY, days: 70, spikes: 0, seed });
    const ours = follow(load, POLICY, 8, seed);
    const perfect = perfectForecast(load, POLICY.minimum);
    const cost = ours.shardHours / perfect.shardHours;
    const throttled = ours.throttledSeconds / (load.length * 60);
    assert.ok(cost < 1.35, `seed ${seed}: ${cost} times the shard hours`);
    assert.ok(throttled < 0.001, `seed ${seed}: ${throttled} of the seconds are throttled`);
    assert.ok(ours.changes <= 70 * 10);
  }
});
