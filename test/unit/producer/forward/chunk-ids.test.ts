/** Ids of messages are kept for their time and in their number, in the cut that carries their events. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
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
  const ids = new ChunkIds(LIMITS, new StateMap());
  const name = (id: string, events: string, tag = 'app'): string =>
    ids.name(Buffer.from(id), tag, Buffer.from(events));
  assert.equal(name('1', 'x'), name('1', 'x'));
  assert.notEqual(name('1', 'x'), name('2', 'x'));
  assert.notEqual(name('1', 'x'), name('1', 'y'));
  assert.notEqual(name('1', 'x', 'app'), name('1', 'x', 'app2'));
  const long = 'z'.repeat(10_000);
  assert.notEqual(name('1', `${long}a`), name('1', `${long}b`));
  assert.notEqual(name('1', `a${long}`), name('1', `b${long}`));
});

test('many cuts share a batch, of which each cut keeps what it carries', () => {
  const state = new StateMap();
  const ids = new ChunkIds({ ttl: 3_600_000, max: 100_000 }, state);
  const disk = new Map<string, Json>();
  let last: Json | undefined;
  for (let i = 0; i < 1000; i++) {
    ids.add(`id${i}`, i);
    ids.beforeCut(i);
    const changes = Object.entries(state.takeChanges());
    assert.equal(changes.length, 1, 'a cut writes one batch');
    // What an earlier cut took away must not change under it.
    if (i % 64 === 1) assert.deepEqual(last, { ids: [`id${i - 1}`], form: 2 });
    [, last] = changes[0]!;
    disk.set(...changes[0]!);
  }
  assert.equal(disk.size, Math.ceil(1000 / 64));
  const next = reopened(disk);
  for (let i = 0; i < 1000; i++) assert.ok(next.has(`id${i}`));
});

test('an id is kept for its time after it came, not after the first of its batch', () => {
  const ids = new ChunkIds({ ttl: 1000, max: 100_000 }, new StateMap());
  ids.add('a', 0);
  ids.add('b', 99);
  ids.beforeCut(1098);
  assert.ok(ids.has('b'));
  ids.beforeCut(1099);
  assert.ok(!ids.has('a') && !ids.has('b'));
});

test('ids of the release that left the tag out are recognized after an upgrade, until they are forgotten', () => {
  const [id, tag, events] = [Buffer.from('7'), 'app', Buffer.from('events')];
  const crc = crc32(events);
  const parts = Buffer.concat([id, Buffer.from(`/${events.length}/${crc}/${crc}`)]);
  const earlier = hash('sha256', parts, 'buffer').toString('base64', 0, 15);
  const ids = reopened(new Map([['ids/1', { ids: [earlier] }]]));
  assert.ok(ids.has(ids.name(id, tag, events)));
  assert.ok(!ids.has(ids.name(id, tag, Buffer.from('others'))));
  ids.beforeCut(1000);
  assert.ok(!ids.has(ids.name(id, tag, events)));
  assert.notEqual(ids.name(id, tag, events), earlier);
});
