/** Each event of an hour is a row once, whatever dies between any two steps, and whoever else is at it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactHour } from '../../../../archive/compact/compact-hour.ts';
import { readCompactions } from '../../../../archive/compact/compaction.ts';
import {
  CompactWorld,
  checkCompaction,
  HOUR,
  livesFor,
  untilKilled,
} from '../../../support/compact-model.ts';
import { generator } from '../../../support/random.ts';

/** More gates than a compaction passes. */
const ENOUGH = 36;

test('a compactor that is killed between any two steps is followed by one that ends its work', async () => {
  let killed = 0;
  for (let first = 0; first < ENOUGH; first++) {
    for (let second = 0; second < ENOUGH; second++) {
      const world = new CompactWorld(compactHour);
      world.add('a', 2);
      world.add('a', 1);
      world.add('b', 3);
      if (!(await untilKilled(world.work(livesFor(first))))) killed++;
      assert.equal(world.fault(false), null, `killed at ${first}`);
      world.add('a', 1);
      if (!(await untilKilled(world.work(livesFor(second))))) killed++;
      assert.equal(world.fault(false), null, `killed at ${first} and ${second}`);
      await world.work(livesFor(1000));
      assert.equal(world.fault(true), null, `killed at ${first} and ${second}`);
    }
  }
  assert.ok(killed > 500);
});

test('compactors that work at the same time, die and come back late leave each event once', async () => {
  for (let seed = 0; seed < 150; seed++)
    assert.equal(await checkCompaction(compactHour, generator(seed)), null, `seed ${seed}`);
});

test('an hour is one object for each tag, a late object one more, and nothing more is done', async () => {
  const world = new CompactWorld(compactHour);
  world.add('a', 2);
  world.add('a', 1);
  world.add('b', 1);
  const first = await world.work(livesFor(1000));
  assert.deepEqual(
    first.made.map(({ tag, rows, sources }) => [tag, rows, sources.length]),
    [
      ['a', 3, 2],
      ['b', 1, 1],
    ],
  );
  assert.equal((await world.work(livesFor(1000))).made.length, 0);
  world.add('a', 5);
  const late = await world.work(livesFor(1000));
  assert.deepEqual(
    late.made.map(({ rows }) => rows),
    [5],
  );
  const log = await readCompactions(world.archive, '', HOUR);
  assert.deepEqual(
    log.map(({ number, tables }) => [number, tables.length]),
    [
      [1, 2],
      [2, 1],
    ],
  );
});

test('a log that was changed or has a gap stops whoever reads it', async () => {
  const world = new CompactWorld(compactHour);
  world.add('a', 2);
  await world.work(livesFor(1000));
  const [key, bytes] = [...world.archive.objects].find(([name]) => name.startsWith('_compactions/'))!;
  world.archive.objects.set(key, Buffer.from(bytes.toString().replace('"rows":2', '"rows":3')));
  await assert.rejects(world.work(livesFor(1000)), /does not match its hash/);
  world.archive.objects.set(key, Buffer.from('{"version":2}'));
  await assert.rejects(world.work(livesFor(1000)), /upgrade tailrace/);
});
