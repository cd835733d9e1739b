/** When a format is called wrong, and when right. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { Fit } from '../../../../producer/format/fit.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

test('a format is wrong when half of the lines and ten at least do not match, and right once enough do', () => {
  const fit = new Fit();
  assert.equal(fit.add(1000, 9, 0), null);
  assert.equal(fit.add(9, 9, 60_000), null);
  assert.equal(fit.add(1, 1, 60_001), 'wrong');
  assert.match(fit.reason!, /^10 of the last 10 lines do not match/);
  assert.equal(fit.add(5, 5, 60_002), null);
  assert.equal(fit.add(0, 0, 900_000), null);
  assert.ok(fit.reason !== null);
  assert.equal(fit.add(5, 0, 900_000), null);
  assert.equal(fit.add(5, 0, 900_001), 'right');
  assert.equal(fit.reason, null);
});

test('an input whose lines stop matching warns once, has a trouble, and comes right', async (t) => {
  const file = path.join(temporaryFolder(t), 'a.log');
  fs.writeFileSync(file, 'x\n'.repeat(20));
  const tail = new TailHarness({ path: file, format: 'json' });
  tail.uptime = 1;
  t.after(() => tail.crash());
  await tail.start();
  await tail.settle();
  const warned = () => tail.logged.filter(({ msg }) => msg === 'lines do not match the format').length;
  assert.match(tail.input!.trouble!, /20 of the last 20 lines/);
  assert.equal(warned(), 1);
  fs.appendFileSync(file, 'x\n');
  await tail.settle();
  assert.equal(warned(), 1);
  tail.uptime = 600_001;
  fs.appendFileSync(file, 'x\n');
  await tail.settle();
  assert.equal(warned(), 2);
  tail.uptime = 700_000;
  fs.appendFileSync(file, '{}\n'.repeat(20));
  await tail.settle();
  assert.equal(tail.input!.trouble, null);
});
