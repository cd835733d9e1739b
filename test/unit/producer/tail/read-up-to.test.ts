/** How far a tail input says that it has read. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

test('it has read up to the last look at all files only when nothing of them is left to read', async (context) => {
  const folder = temporaryFolder(context);
  const file = path.join(folder, 'access.log');
  fs.writeFileSync(file, 'one line\n'.repeat(100_000));
  const tail = new TailHarness({ path: file, read_from_head: true });
  const begin = Date.now();
  const input = await tail.start();
  assert.equal(input.readUpTo, 0, 'all of the file is still to be read');
  await input.drain();
  // A drain ends inside a look; what it has found is noted at its end.
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(input.readUpTo! >= begin - 1 && input.readUpTo! <= Date.now(), `${input.readUpTo}`);
  await tail.crash();
});
