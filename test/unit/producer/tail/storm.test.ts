import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { NumberedLog, temporaryFolder } from '../../../support/numbered-log.ts';
import { generator } from '../../../support/random.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

const FILES = 10;
const ROTATIONS = 40;
const EVERY_MS = 50;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

for (const crashes of [0, 10]) {
  test(`a rotation every 50 ms over ten files, ${crashes} crashes: each line once`, async (t) => {
    const folder = temporaryFolder(t);
    const logs = Array.from({ length: FILES }, (_, i) => new NumberedLog(path.join(folder, `app${i}.log`)));
    for (const log of logs) log.write(1);
    const tail = new TailHarness({
      path: path.join(folder, '*.log'),
      rotate_wait: '200ms',
      refresh_interval: '200ms',
    });
    t.after(() => tail.crash());
    const next = generator(20261123 + crashes);
    await tail.start();
    tail.cut();
    for (let round = 0; round < ROTATIONS; round++) {
      for (const log of logs) log.write(Math.floor(next() * 200));
      const log = logs[round % FILES]!;
      // Both ways, and at times both at once, with lines between and without.
      if (next() < 0.5) log.rename();
      else log.copyTruncate();
      log.write(Math.floor(next() * 50));
      if (next() < 0.2) log.rename();
      if (next() < 0.3) tail.cut();
      if (next() < crashes / ROTATIONS) {
        await tail.crash();
        if (next() < 0.5) {
          log.write(10);
          log.rename();
          if (fs.existsSync(`${log.file}.2`)) log.compress(2);
        }
        await tail.start();
      }
      await pause(EVERY_MS);
    }
    await tail.settle();
    const messages = tail.messages();
    for (const log of logs) log.assertOnce(messages);
  });
}

test('one file: 200 cycles of writing, rotating, dying between any two of them', async (t) => {
  for (let seed = 1; seed <= 4; seed++) {
    const log = new NumberedLog(path.join(temporaryFolder(t), 'a.log'));
    log.write(1);
    const tail = new TailHarness({ path: log.file, rotate_wait: '20ms' });
    const next = generator(seed);
    await tail.start();
    tail.cut();
    for (let i = 0; i < 200; i++) {
      const dice = next();
      if (dice < 0.4) log.write(Math.floor(next() * 30));
      else if (dice < 0.5) log.rename(next() < 0.8);
      else if (dice < 0.6 && fs.existsSync(log.file)) log.copyTruncate();
      else if (dice < 0.75) tail.cut();
      else if (dice < 0.85) await pause(next() * 8);
      else if (dice < 0.9) {
        await tail.crash();
        await tail.start();
      } else if (dice < 0.93 && fs.existsSync(`${log.file}.2`)) log.compress(2);
      else await new Promise((resolve) => setImmediate(resolve));
      if (!fs.existsSync(log.file)) log.write(1);
    }
    await tail.settle();
    await tail.crash();
    log.assertOnce(tail.messages());
  }
});
