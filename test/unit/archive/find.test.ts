/** Which objects of an archive are final: those of a newest commit only when all of its data is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finalObjects, findObjects } from '../../../archive/find.ts';
import { openArchiver } from '../../support/archiver.ts';
import { ChunkSource } from '../../support/chunks.ts';
import { DyingArchive, MemoryArchive } from '../../support/memory-archive.ts';

const HOUR = 494_000;

test('objects of a newest commit are left out while one of them lacks its data', async () => {
  for (const keyTemplate of ['logs/tag={tag}/dt={dt}/hour={hour}/{name}', 'logs/{shard}/{name}']) {
    const store = new MemoryArchive();
    const archiver = await openArchiver(store, { keyTemplate });
    const source = new ChunkSource({ name: 'p' });
    for (const batch of [1, 2]) {
      const records = ['a', 'b'].map((tag, i) => ({
        sequence: `${batch}${i}`,
        arrival: 1000,
        data: source.next(tag, HOUR, 3).bytes,
      }));
      await archiver.take(records, false);
      await archiver.flush();
    }
    const place = { store, prefix: '', keyTemplate };
    const find = async () =>
      finalObjects(place, await findObjects(place, { hours: [0, 1e9] }, null, undefined));
    const whole = await find();
    const numbers = whole.entries.map(({ number }) => number);
    assert.ok(numbers.length === 4 && whole.unfinished.length === 0, keyTemplate);
    const newest = whole.entries.filter(({ number }) => number === Math.max(...numbers));
    const data = store.objects.get(newest[0]!.object.key)!;
    store.objects.delete(newest[0]!.object.key);
    const lacking = await find();
    assert.deepEqual(
      lacking.entries,
      whole.entries.filter((entry) => !newest.includes(entry)),
    );
    // By its commits alone, an archive's newest commit is passed over by whoever reads them.
    const left = keyTemplate.includes('{tag}') ? [newest[1]] : [];
    assert.deepEqual(lacking.unfinished, left);
    store.objects.set(newest[0]!.object.key, data);
    assert.deepEqual(await find(), whole);
  }
});

test('an object that a later commit voids is not found', async () => {
  for (const keyTemplate of ['logs/tag={tag}/dt={dt}/hour={hour}/{name}', 'logs/tag={tag}/{name}']) {
    const store = new MemoryArchive();
    const source = new ChunkSource({ name: 'p' });
    const record = (sequence: string, tag: string) => ({
      sequence,
      arrival: 1000,
      data: source.next(tag, HOUR, 3).bytes,
    });
    const first = await openArchiver(store, { keyTemplate });
    await first.take([record('10', 'lost'), record('11', 'kept')], false);
    await first.flush();
    const place = { store, prefix: '', keyTemplate };
    const find = () => findObjects(place, { hours: [0, 1e9] }, null, undefined);
    const [before] = (await find()).filter(({ object }) => object.tag === 'lost');
    store.objects.delete(before!.object.key);
    // The stream has nothing of it any more: whoever comes next puts an empty object there, and voids it.
    const second = await openArchiver(store, { keyTemplate });
    await second.take([record('12', 'late')], false);
    await second.flush();
    assert.ok(store.objects.get(before!.object.key)!.length < 30, keyTemplate);
    const { entries, unfinished } = await finalObjects(place, await find());
    assert.deepEqual(entries.map(({ object }) => object.tag).sort(), ['kept', 'late'], keyTemplate);
    assert.deepEqual(unfinished, []);
  }
});

test('what an unfinished commit voids is void', async () => {
  for (const keyTemplate of ['logs/tag={tag}/dt={dt}/hour={hour}/{name}', 'logs/{shard}/{name}']) {
    const store = new DyingArchive();
    const source = new ChunkSource({ name: 'p' });
    const [lost, kept, next] = ['a', 'b', 'c'].map((tag, i) => ({
      sequence: `${1 + i}`,
      arrival: 1000,
      data: source.next(tag, HOUR, 1 + i).bytes,
    }));
    const first = await openArchiver(store, { keyTemplate });
    await first.take([lost!, kept!], false);
    await first.flush();
    const gone = [...store.objects.keys()].find((key) => key.startsWith('logs/') && key.includes('-1-'))!;
    store.objects.delete(gone);
    store.isDying = true;
    const second = await openArchiver(store, { keyTemplate });
    const dies = second.take([next!], true).then(() => second.flush());
    await assert.rejects(dies, /killed/);
    const place = { store, prefix: '', keyTemplate };
    const { entries } = await finalObjects(
      place,
      await findObjects(place, { hours: [0, 1e9] }, null, undefined),
    );
    assert.deepEqual(
      entries.map(({ object }) => object.tag),
      ['b'],
      keyTemplate,
    );
  }
});
