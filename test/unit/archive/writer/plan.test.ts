/** What a commit names: each of its objects under a key of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseObjectName } from '../../../../archive/commit-keys.ts';
import { newestCommit } from '../../../../archive/commit-log.ts';
import { verifyArchive } from '../../../../archive/verify/verify.ts';
import { openArchiver } from '../../../support/archiver.ts';
import { ChunkSource } from '../../../support/chunks.ts';
import { MemoryArchive } from '../../../support/memory-archive.ts';

test('objects that a key template does not tell apart have keys of their own, and keep their events', async () => {
  for (const keyTemplate of ['{name}', '{tag}/{name}', '{dt}/{hour}/{name}']) {
    const store = new MemoryArchive();
    const archiver = await openArchiver(store, { keyTemplate });
    const source = new ChunkSource({ name: 'p' });
    const chunks = Array.from({ length: 48 }, (_, i) => source.next(`t${i % 4}`, 494_000 + (i >> 2), 1));
    await archiver.take(
      chunks.map(({ bytes: data }, i) => ({ sequence: `${1000 + i}`, arrival: 1, data })),
      false,
    );
    await archiver.flush();
    const log = { prefix: '', incarnation: '0'.repeat(18), shard: 'shardId-000000000000' };
    const { objects } = (await newestCommit(store, log))!;
    assert.equal(new Set(objects.map(({ key }) => key)).size, 48, keyTemplate);
    for (const { key, events, raw_bytes: rawBytes } of objects)
      assert.deepEqual(parseObjectName(key.slice(key.lastIndexOf('/') + 1))?.counts, { events, rawBytes });
    const report = await verifyArchive(store, '', { now: 1e6, pendingFor: 0, deep: true });
    assert.deepEqual([report.ok, report.events, report.problems], [true, 48, []], keyTemplate);
  }
});
