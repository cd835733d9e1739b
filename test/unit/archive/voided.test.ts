/** Empty objects under voided names: listed when the next commit gives them up, and deleted without harm. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findObjects } from '../../../archive/find.ts';
import { verifyArchive } from '../../../archive/verify/verify.ts';
import { voidedObjects } from '../../../archive/voided.ts';
import { fence } from '../../../archive/voiding.ts';
import { openArchiver } from '../../support/archiver.ts';
import { ChunkSource } from '../../support/chunks.ts';
import { MemoryArchive } from '../../support/memory-archive.ts';

const HOUR = 494_000;
const ALL = { hours: [0, 1e9] as const };

for (const keyTemplate of ['logs/tag={tag}/dt={dt}/hour={hour}/{name}', 'logs/{shard}/{name}'])
  test(`voided objects by ${keyTemplate.includes('{tag}') ? 'keys' : 'commits'}`, async () => {
    const store = new MemoryArchive();
    const source = new ChunkSource({ name: 'p' });
    const record = (sequence: string, tag: string) => ({
      sequence,
      arrival: 1000,
      data: source.next(tag, HOUR, 3).bytes,
    });
    const place = { store, prefix: '', keyTemplate };
    const first = await openArchiver(store, { keyTemplate });
    await first.take([record('10', 'lost'), record('11', 'kept')], false);
    await first.flush();
    const [lost] = (await findObjects(place, ALL, null, undefined)).filter(
      ({ object }) => object.tag === 'lost',
    );
    store.objects.delete(lost!.object.key);
    await fence(store, lost!.object);
    const listed = () => voidedObjects(place, ALL, undefined);
    assert.deepEqual(await listed(), [], 'the log does not give it up yet');
    const second = await openArchiver(store, { keyTemplate });
    await second.take([record('12', 'late')], false);
    await second.flush();
    assert.deepEqual(await listed(), [{ key: lost!.object.key, tag: 'lost', hour: HOUR }]);
    for (const tag of [(name: string) => name === 'lost', (name: string) => name === 'kept'])
      assert.equal((await voidedObjects(place, { ...ALL, tag }, undefined)).length, tag('lost') ? 1 : 0);
    assert.deepEqual(await voidedObjects(place, { hours: [0, HOUR - 1] }, undefined), []);
    const verify = () => verifyArchive(store, '', { now: 1e9, pendingFor: 0, deep: true });
    const before = await verify();
    store.objects.delete(lost!.object.key);
    assert.deepEqual(await listed(), []);
    assert.deepEqual(await verify(), before);
    const third = await openArchiver(store, { keyTemplate });
    await third.take([record('13', 'later')], false);
    await third.flush();
    const tags = (await findObjects(place, ALL, null, undefined)).map(({ object }) => object.tag);
    assert.deepEqual(tags.sort(), ['kept', 'late', 'later']);
  });
