import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import * as z from 'zod/mini';
import { tailOptions } from '../../../../producer/tail/options.ts';
import { sampleTail } from '../../../../producer/tail/sample.ts';
import { NumberedLog, temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

const REFUSED = 'tailrace_agent_tail_refused_files_total';
const NOBODY = 65534;

function follow(t: TestContext, file: string, options: Record<string, unknown> = {}): TailHarness {
  const tail = new TailHarness({ path: file, rotate_wait: '1ms', ...options });
  t.after(() => tail.crash());
  return tail;
}

/** Does something without the rights of root, for which nothing is forbidden. */
async function unprivileged(work: () => Promise<void>): Promise<void> {
  const root = process.geteuid?.() === 0;
  if (root) process.seteuid?.(NOBODY);
  try {
    await work();
  } finally {
    if (root) process.seteuid?.(0);
  }
}

function said(tail: TailHarness): unknown[] {
  return tail.logged.flatMap(({ level, code }) => (level === 50 ? [code] : []));
}

test('a file that may not be read is said once, and read from its first byte once it may', async (t) => {
  const folder = temporaryFolder(t);
  fs.chmodSync(folder, 0o755);
  const log = new NumberedLog(path.join(folder, 'a.log'));
  log.write(5);
  fs.chmodSync(log.file, 0);
  const tail = follow(t, path.join(folder, '*.log'));
  await unprivileged(async () => {
    await tail.start();
    await tail.settle();
    await tail.settle();
  });
  assert.deepEqual(tail.messages(), []);
  assert.deepEqual(said(tail), ['EACCES']);
  assert.equal(tail.counters.total(REFUSED), 1);
  fs.chmodSync(log.file, 0o644);
  await unprivileged(() => tail.settle());
  log.assertOnce(tail.messages());
});

test('a file that may not be read after a restart, and then may, goes on where it was left', async (t) => {
  const folder = temporaryFolder(t);
  fs.chmodSync(folder, 0o755);
  const log = new NumberedLog(path.join(folder, 'a.log'));
  log.write(5);
  const tail = follow(t, log.file);
  await tail.start();
  await tail.settle();
  await tail.crash();
  log.write(5);
  fs.chmodSync(log.file, 0);
  await unprivileged(async () => {
    await tail.start();
    await tail.settle();
    await tail.crash();
    await tail.start();
    await tail.settle();
  });
  assert.equal(tail.counters.total('tailrace_agent_tail_gone_files_total'), 0);
  fs.chmodSync(log.file, 0o644);
  await unprivileged(() => tail.settle());
  log.assertOnce(tail.messages());
});

test('the files of a disk that is mounted only after the start go on where they were left', async (t) => {
  const folder = temporaryFolder(t);
  const disk = path.join(folder, 'disk');
  fs.mkdirSync(disk);
  const log = new NumberedLog(path.join(disk, 'a.log'));
  log.write(5);
  const tail = follow(t, path.join(disk, '*.log'));
  await tail.start();
  await tail.settle();
  await tail.crash();
  log.write(5);
  fs.renameSync(disk, `${disk}.away`);
  await tail.start();
  await tail.settle();
  assert.equal(tail.counters.total('tailrace_agent_tail_gone_files_total'), 1);
  await tail.crash();
  await tail.start();
  fs.renameSync(`${disk}.away`, disk);
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('a folder that may not be read is said by the input and by its sample', async (t) => {
  const folder = temporaryFolder(t);
  fs.chmodSync(folder, 0o755);
  const inner = path.join(folder, 'private');
  fs.mkdirSync(inner, { mode: 0 });
  const pattern = path.join(inner, '*.log');
  const tail = follow(t, pattern);
  await unprivileged(async () => {
    await tail.start();
    await tail.settle();
    const options = z.parse(tailOptions, { type: 'tail', path: pattern, tag: 't', format: 'none' });
    assert.deepEqual(sampleTail(options).refused, [{ folder: inner, code: 'EACCES' }]);
  });
  assert.deepEqual(said(tail), ['EACCES']);
  fs.chmodSync(inner, 0o755);
  const log = new NumberedLog(path.join(inner, 'a.log'));
  log.write(3);
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('a path that cannot be followed for a while: its file is neither taken for rotated nor reread', async (t) => {
  const folder = temporaryFolder(t);
  fs.mkdirSync(path.join(folder, 'real'));
  const link = path.join(folder, 'link');
  const log = new NumberedLog(path.join(folder, 'real', 'a.log'));
  log.write(5);
  fs.symlinkSync('real', link);
  const tail = follow(t, path.join(link, 'a.log'));
  await tail.start();
  await tail.settle();
  fs.unlinkSync(link);
  fs.symlinkSync('link', link);
  log.write(5);
  await tail.settle();
  assert.deepEqual(said(tail), ['ELOOP']);
  assert.equal(tail.counters.total('tailrace_agent_tail_rotations_total'), 0);
  fs.unlinkSync(link);
  fs.symlinkSync('real', link);
  log.write(5);
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('one rotated file that cannot be looked at hides none of the others', async (t) => {
  const log = new NumberedLog(path.join(temporaryFolder(t), 'a.log'));
  log.write(5);
  const tail = follow(t, log.file);
  await tail.start();
  await tail.settle();
  log.write(5);
  log.rename();
  log.write(5);
  log.rename();
  fs.symlinkSync('a.log.3', `${log.file}.3`);
  await tail.settle();
  log.assertOnce(tail.messages());
  assert.deepEqual(said(tail), ['ELOOP']);
});

test('a named pipe, a folder, and a file that fails to be read hold nobody up', {
  skip: process.platform !== 'linux' && 'wants /proc',
}, async (t) => {
  const folder = temporaryFolder(t);
  const pipe = path.join(folder, 'pipe');
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  const log = new NumberedLog(path.join(folder, 'a.log'));
  log.write(5);
  const tail = follow(t, log.file, { path: [pipe, folder, '/proc/self/mem', log.file] });
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
  assert.deepEqual(said(tail), ['not a file', 'not a file', 'EIO']);
});

test('a folder that may not be read is retried with each refresh, though nothing else changes', async (t) => {
  const folder = temporaryFolder(t);
  fs.chmodSync(folder, 0o755);
  const [open, closed] = ['open', 'closed'].map((name) => path.join(folder, name)) as [string, string];
  for (const each of [open, closed]) {
    fs.mkdirSync(each);
    fs.writeFileSync(path.join(each, 'a.log'), `${path.basename(each)}\n`);
    // A folder that changed of late would be relisted anyway.
    fs.utimesSync(each, new Date(0), new Date(0));
  }
  fs.chmodSync(closed, 0);
  const patterns = [open, closed].map((each) => path.join(each, '*.log'));
  const tail = new TailHarness({ path: patterns, read_from_head: true, refresh_interval: '20ms' });
  t.after(() => tail.crash());
  await unprivileged(async () => {
    await tail.start();
    await setTimeout(100);
  });
  fs.chmodSync(closed, 0o755);
  await unprivileged(async () => {
    for (let i = 0; i < 250 && tail.messages().length < 2; i++) {
      await setTimeout(20);
      tail.cut();
    }
  });
  assert.deepEqual(tail.messages(), ['open', 'closed']);
  assert.equal(tail.counters.total(REFUSED), 1);
});

/** What a refresh and a sweep know, after a while in which nothing happens. */
async function readUpTo(tail: TailHarness): Promise<number> {
  await tail.settle();
  await new Promise((resolve) => setImmediate(resolve));
  return tail.input!.readUpTo!;
}

test('it has not read up to now while a folder, a name or a file is refused; a binary file hides nothing', async (t) => {
  const cases: readonly (readonly [
    what: string,
    set: (folder: string) => void,
    mend: (folder: string) => void,
  ])[] = [
    ['a folder that may not be listed', (at) => fs.chmodSync(at, 0), (at) => fs.chmodSync(at, 0o755)],
    [
      'a file that may not be opened',
      (at) => fs.chmodSync(path.join(at, 'a.log'), 0),
      (at) => fs.chmodSync(path.join(at, 'a.log'), 0o644),
    ],
    [
      'a name that leads through a folder that may not be entered',
      (at) => {
        fs.mkdirSync(path.join(at, 'inner'), { mode: 0 });
        fs.symlinkSync('inner/b.log', path.join(at, 'b.log'));
      },
      (at) => fs.chmodSync(path.join(at, 'inner'), 0o755),
    ],
  ];
  for (const [what, set, mend] of cases) {
    const folder = temporaryFolder(t);
    fs.chmodSync(folder, 0o755);
    const within = path.join(folder, 'within');
    fs.mkdirSync(within);
    fs.writeFileSync(path.join(within, 'a.log'), 'one\n');
    fs.writeFileSync(path.join(within, 'c.log'), Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]));
    set(within);
    const tail = follow(t, path.join(folder, '*', '*.log'), { read_from_head: true });
    await unprivileged(async () => {
      await tail.start();
      assert.equal(await readUpTo(tail), 0, what);
    });
    mend(within);
    await unprivileged(async () => assert.notEqual(await readUpTo(tail), 0, `${what}: no longer`));
    assert.deepEqual(tail.messages(), ['one']);
    await tail.crash();
  }
});

test('a log at a path that is given is read in a folder that may be entered and not listed', async (t) => {
  const folder = temporaryFolder(t);
  const log = new NumberedLog(path.join(folder, 'a.log'));
  log.write(5);
  fs.chmodSync(folder, 0o711);
  const tail = follow(t, log.file);
  await unprivileged(async () => {
    await tail.start();
    await tail.settle();
  });
  log.write(5);
  await unprivileged(async () => assert.notEqual(await readUpTo(tail), 0));
  log.assertOnce(tail.messages());
  assert.deepEqual(said(tail), ['EACCES']);
});

test('what is refused once more is said once more', async (t) => {
  const folder = temporaryFolder(t);
  fs.chmodSync(folder, 0o755);
  const inner = path.join(folder, 'inner');
  fs.mkdirSync(inner);
  const tail = follow(t, path.join(inner, '*.log'));
  await tail.start();
  for (let time = 1; time <= 2; time++) {
    fs.chmodSync(inner, 0);
    fs.utimesSync(inner, time, time);
    await unprivileged(() => tail.settle());
    fs.chmodSync(inner, 0o755);
    await unprivileged(() => tail.settle());
    assert.equal(tail.counters.total(REFUSED), time);
  }
});

test('a log in a folder that is refused after a restart is not gone', async (t) => {
  const folder = temporaryFolder(t);
  fs.chmodSync(folder, 0o755);
  const inner = path.join(folder, 'inner');
  fs.mkdirSync(inner);
  const log = new NumberedLog(path.join(inner, 'a.log'));
  log.write(5);
  const tail = follow(t, path.join(inner, '*.log'));
  await tail.start();
  await tail.settle();
  await tail.crash();
  log.write(5);
  fs.chmodSync(inner, 0);
  await unprivileged(async () => {
    await tail.start();
    assert.equal(await readUpTo(tail), 0);
  });
  assert.equal(tail.counters.total('tailrace_agent_tail_gone_files_total'), 0);
  fs.chmodSync(inner, 0o755);
  await unprivileged(() => tail.settle());
  log.assertOnce(tail.messages());
});

test('a flush is not done while the system cannot show what a folder holds', async (t) => {
  const folder = temporaryFolder(t);
  const log = new NumberedLog(path.join(folder, 'a.log'));
  const tail = follow(t, path.join(folder, '*.log'));
  await tail.start();
  let calls = 0;
  const failing = t.mock.method(fs, 'readdirSync', () => {
    calls++;
    throw Object.assign(new Error('EMFILE: too many open files, scandir'), {
      code: 'EMFILE',
      syscall: 'scandir',
    });
  });
  syncBuiltinESMExports();
  t.after(syncBuiltinESMExports);
  log.write(5);
  const settled = tail.settle().then(() => 'settled');
  while (calls < 8) assert.equal(await Promise.race([settled, setTimeout(10)]), undefined);
  failing.mock.restore();
  syncBuiltinESMExports();
  await settled;
  log.assertOnce(tail.messages());
});
