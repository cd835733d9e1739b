/** Ids of messages are kept for their time and in their number, in the cut that carries their events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChunkIds } from '../../../../producer/forward/chunk-ids.ts';
import { type Json, StateMap } from '../../../../producer/state.ts';

const LIMITS = { ttl: 1000, max: 5 };

function reopened(disk: ReadonlyMap<string, Json>): ChunkIds {
  return new ChunkIds(LIMITS, new StateMap(disk));
}

test('any history: recovered is what the last cut had, neither more nor less', () => {
  const step = fc.oneof(
    fc.nat({ max: 30 }).map((id) => ({ add: `id${id}` })),
    fc.constant({ cut: true }),
    fc.nat({ max: 700 }).map((wait) => ({ wait })),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const state = new StateMap();
      const ids = new ChunkIds(LIMITS, state);
      const disk = new Map<string, Json>();
      let now = 0;
      let durable: string[] = [];
      const known = (of: ChunkIds): string[] =>
        Array.from({ length: 31 }, (_, i) => `id${i}`).filter((id) => of.has(id));
      for (const step of steps) {
        if ('add' in step) ids.add(step.add, now);
        else if ('wait' in step) now += step.wait;
        else {
          ids.beforeCut(now);
          for (const [key, value] of Object.entries(state.takeChanges())) {
            if (value === null) disk.delete(key);
            else disk.set(key, value);
          }
          durable = known(ids);
        }
      }
      assert.deepEqual(known(reopened(disk)), durable);
    }),
    { numRuns: 500 },
  );
});

test('ids are forgotten after their time, and beyond their number the oldest', () => {
  const ids = new ChunkIds(LIMITS, new StateMap());
  ids.add('a', 0);
  ids.beforeCut(0);
  ids.add('b', 600);
  ids.beforeCut(600);
  ids.beforeCut(999);
  assert.ok(ids.has('a') && ids.has('b'));
  ids.beforeCut(1000);
  assert.ok(!ids.has('a') && ids.has('b'));
  for (const id of ['c', 'd', 'e', 'f']) ids.add(id, 1001);
  ids.beforeCut(1001);
  assert.equal(ids.size, 5);
  ids.add('g', 1002);
  ids.beforeCut(1002);
  assert.ok(!ids.has('b') && ids.has('g'));
});

test('the newest cut is remembered whole, however much it is', () => {
  const ids = new ChunkIds(LIMITS, new StateMap());
  for (let i = 0; i < 20; i++) ids.add(`id${i}`, 0);
  ids.beforeCut(0);
  assert.equal(ids.size, 20);
});

test('a name depends on the id, the tag and the events', () => {
  const name = (id: string, events: string, tag = 'app'): string =>
    ChunkIds.name(Buffer.from(id), tag, Buffer.from(events));
  assert.equal(name('1', 'x'), name('1', 'x'));
  assert.notEqual(name('1', 'x'), name('2', 'x'));
  assert.notEqual(name('1', 'x'), name('1', 'y'));
  assert.notEqual(name('1', 'x', 'app'), name('1', 'x', 'app2'));
  const long = 'z'.repeat(10_000);
  assert.notEqual(name('1', `${long}a`), name('1', `${long}b`));
  assert.notEqual(name('1', `a${long}`), name('1', `b${long}`));
});
