/** The directory of a run: where it is, and that nothing in it grows old enough to be cleaned up. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { keepFresh, runDirectory } from '../../../../consumer/kcl/run-directory.ts';

const DAY_MS = 86_400_000;

test('it is in the runtime directory of the service, and otherwise where temporary files go', (t) => {
  const runtime = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-test-'));
  t.after(() => fs.rmSync(runtime, { recursive: true }));
  assert.equal(path.dirname(runDirectory({ RUNTIME_DIRECTORY: `${runtime}:/elsewhere` })), runtime);
  const temporary = runDirectory({});
  t.after(() => fs.rmdirSync(temporary));
  assert.equal(path.dirname(temporary), os.tmpdir());
});

test('files, pipes and the directory itself are kept fresh; one that is gone does no harm', (t) => {
  const directory = runDirectory({});
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const files = ['relay.sh', 'shards'].map((name) => path.join(directory, name));
  fs.writeFileSync(files[0]!, '');
  assert.equal(spawnSync('mkfifo', [files[1]!]).status, 0);
  const old = new Date(Date.now() - 11 * DAY_MS);
  for (const file of [...files, directory]) fs.utimesSync(file, old, old);
  keepFresh(directory);
  for (const file of [...files, directory]) {
    const { mtimeMs, atimeMs } = fs.statSync(file);
    assert.ok(Math.min(mtimeMs, atimeMs) > Date.now() - DAY_MS, file);
  }
  fs.rmSync(directory, { recursive: true });
  keepFresh(directory);
});
