/** Files whose names mean something in a pattern, or that are not text. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { Glob } from '../../../../producer/tail/glob.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

test('a path names the file that is called so, whatever it matches as a pattern', async (t) => {
  for (const name of [
    'app[1].log',
    'app{a,b}.log',
    'a%d.log',
    '[old].log',
    'a[.log',
    'load100%.log',
    'a{1.log',
  ]) {
    const folder = temporaryFolder(t);
    fs.writeFileSync(path.join(folder, name), 'one\n');
    const tail = new TailHarness({ path: path.join(folder, name) });
    t.after(() => tail.crash());
    await tail.start();
    await tail.settle();
    assert.deepEqual(tail.messages(), ['one'], name);
    assert.ok(new Glob(path.join(folder, name)).matches(path.join(folder, name)), name);
  }
  assert.deepEqual(
    ['/l/app1.log', '/l/app[1].log', '/l/app2.log'].map((file) => new Glob('/l/app[1].log').matches(file)),
    [true, true, false],
  );
});

test('a name that is not UTF-8 is said once, and keeps hours open until it is another one', async (t) => {
  const folder = temporaryFolder(t);
  const name = Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.of(0xe9), Buffer.from('.log')]);
  fs.writeFileSync(name, 'one\n');
  const tail = new TailHarness({ path: path.join(folder, '*.log') });
  t.after(() => tail.crash());
  await tail.start();
  for (let time = 0; time < 3; time++) {
    await tail.settle();
    assert.equal(tail.counters.total('tailrace_agent_tail_refused_files_total'), 1);
    assert.equal(tail.input!.readUpTo, 0);
  }
  fs.renameSync(name, path.join(folder, 'caf\u00e9.log'));
  await tail.settle();
  assert.deepEqual(tail.messages(), ['one']);
  await new Promise((resolve) => setImmediate(resolve));
  assert.notEqual(tail.input!.readUpTo, 0);
});

test('a log that loses its last lines is read once more, and counted; one that begins otherwise is not', async (t) => {
  const file = path.join(temporaryFolder(t), 'a.log');
  const lines = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join('');
  const repeated = 'tailrace_agent_tail_repeated_files_total';
  fs.writeFileSync(file, lines(0, 500));
  const tail = new TailHarness({ path: file });
  t.after(() => tail.crash());
  await tail.start();
  await tail.settle();
  fs.truncateSync(file, lines(0, 300).length);
  await tail.settle();
  fs.appendFileSync(file, lines(500, 510));
  await tail.settle();
  assert.equal(tail.counters.total(repeated), 1);
  assert.equal(new Set(tail.messages()).size, 510);
  fs.writeFileSync(file, lines(1000, 1010));
  await tail.settle();
  assert.equal(tail.counters.total(repeated), 1);
  assert.equal(new Set(tail.messages()).size, 520);
});
