/** How far a tail input says that it has read. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
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

test('lines that wait for the rest of their event are not read yet, however often the files are looked at', async (context) => {
  const file = path.join(temporaryFolder(context), 'app.log');
  fs.writeFileSync(file, 'at one\n');
  const multiline = { start: '^at', flush_interval: '60s' };
  const tail = new TailHarness({ path: file, read_from_head: true, refresh_interval: '10ms', multiline });
  context.after(() => tail.crash());
  tail.uptime = 1_000_000;
  tail.clock = 1_800_000_000_000;
  const input = await tail.start();
  /** Lets time pass, and the input look at everything and read. */
  const after = async (milliseconds: number): Promise<number> => {
    tail.uptime! += milliseconds;
    tail.clock! += milliseconds;
    await setTimeout(300);
    return input.readUpTo! - 1_800_000_000_000;
  };
  assert.equal(await after(20_000), -1_800_000_000_000, 'the first event is still open');
  fs.appendFileSync(file, 'at two\n');
  const first = await after(20_000);
  assert.ok(first >= 0 && first <= 20_000, `the first one was given, the second is open: ${first}`);
  assert.equal(await after(20_000), first);
  assert.equal(await after(60_000), 120_000, 'nobody waits for more of the second one any longer');
  fs.appendFileSync(file, 'at thr');
  assert.equal(await after(80_000), 120_000);
  assert.equal(await after(80_000), 280_000, 'a line without its end is not waited for');
});
