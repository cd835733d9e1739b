/** An archive is found where one is, under a folder of any name, and its absence is never an answer. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openArchive } from '../../../cli/archive-options.ts';
import { openArchiver } from '../../support/archiver.ts';
import { ChunkSource } from '../../support/chunks.ts';
import { MemoryArchive } from '../../support/memory-archive.ts';

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('a copy of an archive is read from a folder whose name no bucket could have', async (t) => {
  const archive = new MemoryArchive();
  const archiver = await openArchiver(archive, { prefix: 'mine/' });
  const { bytes } = new ChunkSource({ name: 'agent' }).next('nginx.access', 494_000, 3);
  await archiver.take([{ sequence: '1', arrival: 1, data: bytes }], false);
  await archiver.flush();
  const folder = join(temporary(t), 'My_Copy (2)');
  for (const [key, body] of archive.objects) {
    mkdirSync(join(folder, dirname(key)), { recursive: true });
    writeFileSync(join(folder, key), body);
  }
  const { store } = await openArchive({ folder, prefix: 'mine/' });
  for (const [key, body] of archive.objects) assert.deepEqual(await store.get(key), body);
  store.close();
  await assert.rejects(openArchive({ folder }), { code: 'NO_ARCHIVE' });
  await assert.rejects(openArchive({ folder: dirname(folder), prefix: 'mine/' }), { code: 'NO_ARCHIVE' });
});

test('an empty folder and one that is not there are no archives', async (t) => {
  const folder = temporary(t);
  await assert.rejects(openArchive({ folder }), { code: 'NO_ARCHIVE', message: /wait for the first batch/ });
  await assert.rejects(openArchive({ folder: join(folder, 'x') }), { code: 'NO_ARCHIVE' });
});
