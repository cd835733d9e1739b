import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Catalog } from '../../../archive/catalog.ts';
import { requireConditionalWrites } from '../../../archive/probe.ts';
import { readObject } from '../../../archive/reading.ts';
import { verifyArchive } from '../../../archive/verify/verify.ts';
import { TailraceError } from '../../../base/errors.ts';
import { openArchiver } from '../../support/archiver.ts';
import { ChunkSource } from '../../support/chunks.ts';
import { MemoryArchive } from '../../support/memory-archive.ts';

async function archiveOf(store: MemoryArchive): Promise<void> {
  const archiver = await openArchiver(store);
  const { bytes } = new ChunkSource({ name: 'a' }).next('t', 494_000, 2);
  await archiver.take([{ sequence: '1', arrival: 494_000 * 3_600_000, data: bytes }], false);
  await archiver.flush();
}

const VERIFY = { now: 494_001 * 3_600_000, pendingFor: 0, deep: true };

test('a store that obeys If-None-Match is accepted at each start, and verify passes its probe over', async () => {
  const archive = new MemoryArchive();
  await requireConditionalWrites(archive, '');
  await requireConditionalWrites(archive, '');
  await archiveOf(archive);
  assert.deepEqual((await verifyArchive(archive, '', VERIFY)).problems, []);
  assert.equal((await new Catalog(archive, '').next({})).length, 1);
});

test('a store that writes over what stands there is refused', async () => {
  const archive = new MemoryArchive();
  const careless = Object.assign(Object.create(archive) as MemoryArchive, {
    putIfAbsent: async () => 'created' as const,
  });
  await assert.rejects(requireConditionalWrites(careless, 'p/'), { code: 'CONDITIONAL_WRITES' });
});

test('a store that looks first and writes later is refused by its first probe: of writers at once, several win', async () => {
  const archive = new MemoryArchive();
  const racy = Object.assign(Object.create(archive) as MemoryArchive, {
    putIfAbsent: async (key: string, body: readonly Uint8Array[]) => {
      if (archive.objects.has(key)) return 'exists' as const;
      await new Promise(setImmediate);
      archive.objects.set(key, Buffer.concat(body));
      return 'created' as const;
    },
  });
  await assert.rejects(requireConditionalWrites(racy, ''), {
    code: 'CONDITIONAL_WRITES',
    message: /let 8 of 8 writers at once win/,
  });
});

test('an object in cold storage is named, and counted apart', async () => {
  const archive = new MemoryArchive();
  await archiveOf(archive);
  const [entry] = await new Catalog(archive, '').next({});
  const { get } = archive;
  archive.get = async (key) => {
    if (key === entry!.object.key) throw new TailraceError('OBJECT_COLD', 'restore it');
    return get.call(archive, key);
  };
  const report = await verifyArchive(archive, '', VERIFY);
  assert.deepEqual([report.ok, report.cold, report.problems], [true, 1, []]);
  const store = { get: (key: string) => archive.get(key), range: async () => null };
  const faults: string[] = [];
  for await (const block of readObject(store, entry!.object, null))
    if ('fault' in block) faults.push(block.fault);
  assert.deepEqual(faults, ['is in cold storage: restore it in S3, then read it']);
});
