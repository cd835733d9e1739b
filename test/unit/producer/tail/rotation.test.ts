import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { NumberedLog, temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

function setUp(
  t: TestContext,
  options: Record<string, unknown> = {},
): { log: NumberedLog; tail: TailHarness; folder: string } {
  const folder = temporaryFolder(t);
  const log = new NumberedLog(path.join(folder, 'a.log'));
  const tail = new TailHarness({ path: log.file, rotate_wait: '100ms', ...options });
  t.after(() => tail.crash());
  return { log, tail, folder };
}

test('rename and create: the rest of the old file and all of the new one', async (t) => {
  const { log, tail } = setUp(t);
  log.write(10);
  await tail.start();
  await tail.settle();
  log.write(5);
  log.rename();
  log.write(5);
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('a writer that keeps its file open writes to the renamed file for a while', async (t) => {
  const { log, tail } = setUp(t, { rotate_wait: '10m' });
  log.write(3);
  await tail.start();
  await tail.settle();
  log.rename();
  await tail.settle();
  const late = new NumberedLog(`${log.file}.1`, 'late');
  late.write(4);
  log.write(4);
  await tail.settle();
  log.assertOnce(tail.messages());
  late.assertOnce(tail.messages());
});

test('a renamed file that grows after it was closed is resumed', async (t) => {
  const { log, tail } = setUp(t, { rotate_wait: '1ms' });
  log.write(3);
  await tail.start();
  log.rename();
  await tail.settle();
  await closed(tail, 1);
  const late = new NumberedLog(`${log.file}.1`, 'late');
  late.write(4);
  // Its folder did not change: a second start looks at everything.
  await tail.stop();
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
  late.assertOnce(tail.messages());
});

test('copytruncate: the file restarts, its copy is not read twice', async (t) => {
  const { log, tail } = setUp(t);
  log.write(10);
  await tail.start();
  await tail.settle();
  log.copyTruncate();
  log.write(3);
  await tail.settle();
  log.copyTruncate();
  log.write(3);
  await tail.settle();
  await tail.stop();
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
  assert.equal(tail.counters.total('tailrace_agent_tail_truncations_total'), 2);
});

test('copytruncate before the end was read: the rest comes from the copy', async (t) => {
  const { log, tail } = setUp(t);
  log.write(10);
  await tail.start();
  await tail.settle();
  log.write(7);
  log.copyTruncate();
  log.write(100);
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('copytruncate before the end was read, and its copy compressed at once', async (t) => {
  for (const way of ['gz', 'zst'] as const) {
    const { log, tail } = setUp(t);
    log.write(10);
    const input = await tail.start();
    await tail.settle();
    input.pause();
    log.write(1000);
    log.copyTruncate();
    const plain = fs.readFileSync(`${log.file}.1`);
    fs.unlinkSync(`${log.file}.1`);
    fs.writeFileSync(`${log.file}.1.${way}`, way === 'gz' ? gzipSync(plain) : zstdCompressSync(plain));
    log.write(3);
    input.resume();
    await tail.settle();
    await tail.stop();
    await tail.start();
    await tail.settle();
    log.assertOnce(tail.messages());
  }
});

test('a file next to a log that is not compressed though its name says so is counted, once', async (t) => {
  const { log, tail } = setUp(t);
  log.write(10);
  await tail.start();
  await tail.settle();
  fs.writeFileSync(`${log.file}.1.gz`, 'this is not a gzip file');
  fs.writeFileSync(`${log.file}.2.zst`, 'this is not a zstd file');
  await tail.settle();
  await tail.settle();
  log.assertOnce(tail.messages());
  assert.equal(tail.counters.total('tailrace_agent_tail_damaged_files_total'), 2);
});

test('a file truncated and grown beyond the old position is not mistaken for the old one', async (t) => {
  const { log, tail } = setUp(t);
  log.write(5);
  await tail.start();
  await tail.settle();
  log.copyTruncate();
  log.write(5000);
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('a truncation without a copy is counted where it lost something', async (t) => {
  const { log, tail } = setUp(t);
  log.write(5);
  await tail.start();
  await tail.settle();
  fs.truncateSync(log.file, 0);
  log.written = 0;
  fs.appendFileSync(log.file, 'x\n');
  await tail.settle();
  assert.equal(tail.messages().at(-1), 'x');
  assert.equal(tail.counters.total('tailrace_agent_tail_lost_bytes_total'), 0);
});

test('what a file had before a truncation that came while nothing was read is counted as lost', async (t) => {
  const { log, tail } = setUp(t);
  log.write(5);
  const input = await tail.start();
  await tail.settle();
  input.pause();
  const read = fs.statSync(log.file).size;
  log.write(1000);
  const drained = input.drain();
  const unread = fs.statSync(log.file).size - read;
  fs.truncateSync(log.file, 0);
  fs.appendFileSync(log.file, 'x\n');
  // A second call looks once more.
  void input.drain();
  input.resume();
  await drained;
  tail.cut();
  assert.equal(tail.messages().at(-1), 'x');
  assert.equal(tail.counters.total('tailrace_agent_tail_lost_bytes_total'), unread);
});

test('a flush looks for rotated files even where the clock of their folder stands still', async (t) => {
  const { log, tail, folder } = setUp(t);
  log.write(5);
  await tail.start();
  const { atime, mtime } = fs.statSync(folder);
  const stop = () => fs.utimesSync(folder, atime, mtime);
  stop();
  await tail.settle();
  const other = new NumberedLog(`${log.file}.1`, 'other');
  other.write(3);
  stop();
  await tail.settle();
  other.assertOnce(tail.messages());
});

test('several rotations between two looks', async (t) => {
  const { log, tail } = setUp(t);
  log.write(10);
  await tail.start();
  await tail.settle();
  for (let i = 0; i < 5; i++) {
    log.write(7);
    log.rename();
  }
  log.write(2);
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('down: three rotations, one of them compressed', async (t) => {
  const { log, tail } = setUp(t);
  log.write(10);
  await tail.start();
  await tail.settle();
  await tail.crash();
  for (let i = 0; i < 3; i++) {
    log.write(2000);
    log.rename();
  }
  log.compress(3);
  log.write(2);
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
  // And none of it once more.
  log.rename();
  log.compress(2);
  log.compress(3);
  await tail.stop();
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('down: the followed file was compressed before its end was read', async (t) => {
  for (const way of ['gz', 'zst'] as const) {
    const { log, tail } = setUp(t);
    log.write(40_000);
    await tail.start();
    await tail.settle();
    await tail.crash();
    log.write(40_000);
    log.rename();
    const plain = fs.readFileSync(`${log.file}.1`);
    fs.unlinkSync(`${log.file}.1`);
    fs.writeFileSync(`${log.file}.1.${way}`, way === 'gz' ? gzipSync(plain) : zstdCompressSync(plain));
    log.write(3);
    await tail.start();
    await tail.settle();
    log.assertOnce(tail.messages());
  }
});

test('down: copytruncate, with and without a rest in the copy', async (t) => {
  const { log, tail } = setUp(t);
  log.write(10);
  await tail.start();
  await tail.settle();
  await tail.crash();
  log.write(3);
  log.copyTruncate();
  log.write(4);
  await tail.start();
  await tail.settle();
  await tail.crash();
  log.copyTruncate();
  log.write(1000);
  log.copyTruncate();
  log.compress(2);
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('down: the file was deleted and another one has its inode', async (t) => {
  const { log, tail } = setUp(t);
  log.write(1000);
  await tail.start();
  await tail.settle();
  const { ino } = fs.statSync(log.file);
  await tail.crash();
  // The same inode with other content, as a file system reuses it.
  fs.truncateSync(log.file, 0);
  const other = new NumberedLog(log.file, 'other');
  other.write(2000);
  assert.equal(fs.statSync(log.file).ino, ino);
  await tail.start();
  await tail.settle();
  other.assertOnce(tail.messages());
  assert.equal(tail.counters.total('tailrace_agent_tail_gone_files_total'), 1);
});

test('files that were rotated before the first start are history', async (t) => {
  const { log, tail } = setUp(t);
  const old = new NumberedLog(log.file, 'old');
  old.write(10);
  old.rename();
  old.write(10);
  old.rename();
  old.compress(2);
  log.write(4);
  await tail.start();
  await tail.settle();
  log.rename();
  log.write(4);
  await tail.stop();
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
  assert.equal(tail.messages().length, log.written);
});

test('deleted and recreated', async (t) => {
  const { log, tail } = setUp(t);
  log.write(4);
  await tail.start();
  await tail.settle();
  log.write(4);
  fs.unlinkSync(log.file);
  log.write(4);
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('a symbolic link that is pointed at the next file', async (t) => {
  const { folder } = setUp(t);
  const link = path.join(folder, 'current');
  const days = [1, 2, 3].map((day) => new NumberedLog(path.join(folder, `day-${day}`)));
  const tail = new TailHarness({ path: link, rotate_wait: '1ms' });
  t.after(() => tail.crash());
  days[0]!.write(5);
  fs.symlinkSync('day-1', link);
  await tail.start();
  for (const day of days.slice(1)) {
    await tail.settle();
    day.write(5);
    fs.unlinkSync(link);
    fs.symlinkSync(path.basename(day.file), link);
  }
  await tail.settle();
  for (const day of days) day.assertOnce(tail.messages());
});

test('down: a symbolic link that is pointed at the next file, or is gone', async (t) => {
  const { folder } = setUp(t);
  const link = path.join(folder, 'current');
  const days = [1, 2].map((day) => new NumberedLog(path.join(folder, `day-${day}`)));
  const tail = new TailHarness({ path: link, rotate_wait: '1ms' });
  t.after(() => tail.crash());
  for (const day of days) {
    day.write(5);
    fs.rmSync(link, { force: true });
    fs.symlinkSync(path.basename(day.file), link);
    await tail.start();
    await tail.settle();
    await tail.crash();
    day.write(5);
  }
  fs.unlinkSync(link);
  await tail.start();
  await tail.settle();
  for (const day of days) day.assertOnce(tail.messages());
  assert.equal(tail.counters.total('tailrace_agent_tail_gone_files_total'), 0);
});

test('down: a container ended, its link is gone and its file was rotated', async (t) => {
  const { folder } = setUp(t);
  fs.mkdirSync(path.join(folder, 'pods'));
  const log = new NumberedLog(path.join(folder, 'pods', '0.log'));
  const link = path.join(folder, 'web-1.log');
  log.write(5);
  fs.symlinkSync(log.file, link);
  const tail = new TailHarness({ path: path.join(folder, '*.log'), tag: `k8s.\${name}` });
  t.after(() => tail.crash());
  await tail.start();
  await tail.settle();
  await tail.crash();
  log.write(5);
  fs.renameSync(log.file, `${log.file}.20261123-120000`);
  log.write(5);
  fs.unlinkSync(link);
  await tail.start();
  await tail.settle();
  assert.deepEqual(new Set(tail.events().map(({ tag }) => tag)), new Set(['k8s.web-1']));
  assert.equal(tail.messages().length, new Set(tail.messages()).size);
  // What the second file holds belongs to a link that the agent never saw.
  assert.equal(tail.messages().length, 10);
});

test('a link that points back, a rotation that is undone: a file that was closed goes on where it was left', async (t) => {
  const { folder } = setUp(t);
  const link = path.join(folder, 'current');
  const colours = ['blue', 'green'].map((name) => new NumberedLog(path.join(folder, name)));
  const tail = new TailHarness({ path: link, rotate_wait: '1ms' });
  t.after(() => tail.crash());
  for (const log of colours) log.write(5);
  fs.symlinkSync('blue', link);
  await tail.start();
  for (const turn of [0, 1, 0, 1, 0]) {
    const log = colours[turn]!;
    fs.unlinkSync(link);
    fs.symlinkSync(path.basename(log.file), link);
    await tail.settle();
    await closed(tail, 1);
    log.write(2);
    await tail.settle();
    if (turn === 1) {
      await tail.crash();
      await tail.start();
    }
  }
  for (const log of colours) log.assertOnce(tail.messages());
});

test('containers: a link to a file that is rotated where it lies', async (t) => {
  const { folder } = setUp(t);
  fs.mkdirSync(path.join(folder, 'pods'));
  fs.mkdirSync(path.join(folder, 'containers'));
  const log = new NumberedLog(path.join(folder, 'pods', '0.log'));
  fs.writeFileSync(log.file, '');
  fs.symlinkSync(log.file, path.join(folder, 'containers', 'web.log'));
  const tail = new TailHarness({ path: path.join(folder, 'containers', '*.log'), tag: `k8s.\${name}` });
  t.after(() => tail.crash());
  log.write(5);
  await tail.start();
  await tail.settle();
  await tail.crash();
  for (let i = 0; i < 2; i++) {
    log.write(5);
    fs.renameSync(log.file, `${log.file}.2026112${i}-120000`);
  }
  log.write(5);
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
  assert.deepEqual([...new Set(tail.events().map(({ tag }) => tag))], ['k8s.web']);
});

test('dates in the middle of a name: generations of a log that is there, logs of their own where it is not', async (t) => {
  const { folder } = setUp(t);
  const log = new NumberedLog(path.join(folder, 'app.log'));
  const daily = new NumberedLog(path.join(folder, 'daily-20261123.log'));
  const tail = new TailHarness({ path: path.join(folder, '*.log') });
  t.after(() => tail.crash());
  log.write(5);
  daily.write(5);
  await tail.start();
  await tail.settle();
  log.write(5);
  fs.renameSync(log.file, path.join(folder, 'app-20261122.log'));
  log.write(5);
  daily.write(5);
  const next = new NumberedLog(path.join(folder, 'daily-20261124.log'));
  next.write(5);
  await tail.settle();
  for (const each of [log, daily, next]) each.assertOnce(tail.messages());
});

test('a rotated file that was read is known for as long as it is there', async (t) => {
  const { log, tail } = setUp(t, { rotate_wait: '1ms' });
  tail.uptime = performance.now();
  log.write(10);
  await tail.start();
  await tail.settle();
  log.rename();
  log.write(10);
  await tail.settle();
  for (let hour = 0; hour < 5; hour++) {
    tail.uptime += 3_600_000;
    await tail.settle();
  }
  await closed(tail, 1);
  await tail.stop();
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('a compressed generation stays known when its inode is given to the next file', async (t) => {
  const { log, tail } = setUp(t, { rotate_wait: '1ms' });
  log.write(1000);
  await tail.start();
  await tail.settle();
  const { ino } = fs.statSync(log.file);
  for (let i = 0; i < 3; i++) {
    log.rename(false);
    await tail.settle();
    await closed(tail, 0);
    // The old file's inode under the log's name, as a file system reuses it.
    fs.writeFileSync(`${log.file}.1.gz`, gzipSync(fs.readFileSync(`${log.file}.1`)));
    fs.truncateSync(`${log.file}.1`);
    fs.renameSync(`${log.file}.1`, log.file);
    log.write(1000);
    assert.equal(fs.statSync(log.file).ino, ino);
    await tail.settle();
  }
  await tail.stop();
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('a copy that was read on after a truncation is known by its end alone', async (t) => {
  const { log, tail } = setUp(t, { rotate_wait: '1ms' });
  // More than a fingerprint covers.
  log.write(200);
  await tail.start();
  await tail.settle();
  log.write(100);
  log.copyTruncate();
  log.write(10);
  await tail.settle();
  await closed(tail, 1);
  // Its position at the truncation would have it reread from there, should its end ever be forgotten.
  const ledger = [...tail.state].filter(([key]) => key.startsWith('gen ')).map(([, value]) => value);
  const generations = ledger.map((generation) => String((generation as unknown[])[4]));
  assert.deepEqual(generations, [...new Set(generations)]);
  log.assertOnce(tail.messages());
});

test('a clock set back and corrected makes no hour of a moment: what was read stays known', async (t) => {
  const { folder, log, tail } = setUp(t, { rotate_wait: '1ms' });
  log.write(100);
  await tail.start();
  await tail.settle();
  log.rename();
  log.write(10);
  await tail.settle();
  await closed(tail, 1);
  // Out of sight for a moment, first by a clock that is two hours behind.
  const aside = path.join(folder, 'aside');
  fs.renameSync(`${log.file}.1`, aside);
  tail.clock = Date.now() - 7_200_000;
  await tail.settle();
  tail.clock = null;
  fs.writeFileSync(path.join(folder, 'another'), '');
  await tail.settle();
  // A copy, so that only what it holds tells what it is.
  fs.copyFileSync(aside, `${log.file}.1`);
  await tail.settle();
  log.assertOnce(tail.messages());
});

// A file from long before is history; after a clock that was wrong nothing can be distinguished from news.
for (const [which, ahead, history] of [
  ['right', 0, 0],
  ['two hours ahead', 7_200_000, 3],
] as const) {
  test(`a log that came and was rotated while the agent was down, whose clock had been ${which}`, async (t) => {
    const { folder } = setUp(t);
    const tail = new TailHarness({ path: path.join(folder, '*.log') });
    t.after(() => tail.crash());
    tail.clock = Date.now() + ahead;
    await tail.start();
    await tail.settle();
    await tail.crash();
    tail.clock = null;
    const log = new NumberedLog(path.join(folder, 'new.log'));
    log.write(10);
    log.rename();
    log.write(10);
    const old = new NumberedLog(path.join(folder, 'new.log.9'), 'old');
    old.write(3);
    fs.utimesSync(old.file, 1000, 1000);
    await tail.start();
    await tail.settle();
    log.assertOnce(tail.messages());
    assert.equal(tail.messages().length, log.written + history);
  });
}

test('a clock set back tells the state of the hour that it says now', async (t) => {
  const { folder } = setUp(t);
  const tail = new TailHarness({ path: path.join(folder, '*.log') });
  t.after(() => tail.crash());
  tail.clock = Date.now() + 7_200_000;
  await tail.start();
  await tail.settle();
  tail.clock = Date.now();
  await tail.settle();
  assert.equal(tail.state.get('started'), tail.clock);
});

/** Waits until the input has closed all but `open` files. */
async function closed(tail: TailHarness, open: number): Promise<void> {
  for (;;) {
    tail.cut();
    if (tail.unfinished <= open) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
