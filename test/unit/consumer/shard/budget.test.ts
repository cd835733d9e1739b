/** The memory of a worker's batches: the largest batch for each while all fit, an equal share for all when they do not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Budget } from '../../../../consumer/shard/budget.ts';

test('a batch may have max_bytes while all together fit, and an equal share when they do not', () => {
  const budget = new Budget({ max_bytes: 32, max_age: 5, memory: 64 });
  const holders = Array.from({ length: 8 }, () => ({ pendingBytes: 0 }));
  const limits = holders.map((holder) => budget.add(holder));
  assert.deepEqual([limits[0]!.maxBytes, limits[0]!.maxAge], [32, 5]);
  holders[0]!.pendingBytes = 31;
  holders[1]!.pendingBytes = 31;
  assert.equal(limits[0]!.maxBytes, 32);
  holders[2]!.pendingBytes = 2;
  // The two large ones commit with their next call, the small one goes on.
  assert.deepEqual(
    limits.map(({ maxBytes }) => maxBytes),
    Array(8).fill(8),
  );
  holders[0]!.pendingBytes = 0;
  assert.equal(limits[1]!.maxBytes, 32);
  holders[0]!.pendingBytes = 31;
  for (const holder of holders.slice(4)) budget.remove(holder);
  assert.equal(limits[1]!.maxBytes, 16);
  budget.restrict(20);
  assert.equal(limits[1]!.maxBytes, 5);
});
