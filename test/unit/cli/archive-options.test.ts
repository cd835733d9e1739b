/** An archive is found where one is, under a folder of any name, and its absence is never an answer. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openArchive } from '../../../cli/archive-options.ts';
import { fillFolder } from '../../support/archive-folder.ts';

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('a copy of an archive is read from a folder whose name no bucket could have', async (t) => {
  const folder = join(temporary(t), 'My_Copy (2)');
  const archive = await fillFolder(folder, 'mine/', 494_000);
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

test('no archive is named: the message has the one that npm start has left here', async (t) => {
  const before = process.cwd();
  t.after(() => process.chdir(before));
  const folder = temporary(t);
  process.chdir(folder);
  await assert.rejects(openArchive({}), { code: 'CONFIG', message: /or --folder DIR$/ });
  mkdirSync(join(folder, 'data', 's3', 'logs'), { recursive: true });
  await assert.rejects(openArchive({}), { message: /, such as --folder data\/s3\/logs here$/ });
});
