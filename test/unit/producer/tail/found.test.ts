/** A log is known by its content, whatever it is called and wherever it lies. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { NumberedLog, temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

/** What people's rotation calls the file before `access.log`. */
const NAMES = [
  'access.log.1',
  'access.log-20261123',
  'access-20261123.log',
  'access.log.old',
  'access.log.2026.11.23',
  'access.log.20261123T210407',
  'access__2026-11-23_21-04-07.log',
  'access.log.2026-11',
  'access.log.23-11-2026',
  'access_2026_11_23.log',
  '20261123-access.log',
  'access-1.log',
  'access.log2026-11-23',
  'access.log.2026-11-23T21:04:07Z',
  'access.log.bk',
  'access.log~',
  'access.log.23Nov2026',
  'access.log.@40000000674a1b2c',
  'old_access',
  'yesterday',
  'ACCESS.SAV',
  '#access.log#',
];

interface SetUp {
  readonly folder: string;
  readonly log: NumberedLog;
  readonly tail: TailHarness;
}

function setUp(t: TestContext, pattern: string, options: Record<string, unknown> = {}): SetUp {
  const folder = temporaryFolder(t);
  const log = new NumberedLog(path.join(folder, 'access.log'));
  const tail = new TailHarness({ path: path.join(folder, pattern), rotate_wait: '1ms', ...options });
  t.after(() => tail.crash());
  return { folder, log, tail };
}

const total = (tail: TailHarness, name: string): number =>
  tail.counters.total(`tailrace_agent_tail_${name}_total`);

/** Gives a file another inode, as an editor, rsync or a restored backup does. */
function replace(file: string): void {
  const temporary = path.join(path.dirname(file), '.replacing');
  fs.copyFileSync(file, temporary);
  const { ino } = fs.statSync(file);
  fs.renameSync(temporary, file);
  assert.notEqual(fs.statSync(file).ino, ino);
}

for (const pattern of ['*', 'access.log']) {
  for (const down of [false, true]) {
    test(`renamed to whatever name, path: ${pattern}, agent ${down ? 'down' : 'up'}`, async (t) => {
      for (const name of NAMES) {
        const { folder, log, tail } = setUp(t, pattern);
        log.write(20);
        await tail.start();
        await tail.settle();
        if (down) await tail.crash();
        log.write(5);
        fs.renameSync(log.file, path.join(folder, name));
        log.write(10);
        if (down) await tail.start();
        await tail.settle();
        // And once more, with nothing that was noted in memory.
        await tail.crash();
        await tail.start();
        await tail.settle();
        log.assertOnce(tail.messages());
        assert.equal(total(tail, 'gone_files'), 0, name);
        await tail.crash();
      }
    });
  }
}

test('copied and truncated under whatever name, with lines that were not read yet', async (t) => {
  for (const name of NAMES) {
    for (const pattern of ['*', 'access.log']) {
      const { folder, log, tail } = setUp(t, pattern);
      log.write(20);
      const input = await tail.start();
      await tail.settle();
      input.pause();
      log.write(5);
      fs.copyFileSync(log.file, path.join(folder, name));
      fs.truncateSync(log.file);
      log.write(3);
      input.resume();
      await tail.settle();
      await tail.crash();
      await tail.start();
      await tail.settle();
      log.assertOnce(tail.messages());
      assert.equal(total(tail, 'lost_bytes'), 0);
      await tail.crash();
    }
  }
});

test('compressed under whatever name before its end was read', async (t) => {
  for (const name of NAMES) {
    const { folder, log, tail } = setUp(t, '*');
    log.write(20);
    await tail.start();
    await tail.settle();
    await tail.crash();
    log.write(50);
    fs.writeFileSync(path.join(folder, `${name}.gz`), gzipSync(fs.readFileSync(log.file)));
    fs.unlinkSync(log.file);
    log.write(3);
    await tail.start();
    await tail.settle();
    await tail.stop();
    await tail.start();
    await tail.settle();
    log.assertOnce(tail.messages());
    await tail.crash();
  }
});

test('moved into a folder that a pattern covers too, while the agent is up and down', async (t) => {
  for (const down of [false, true]) {
    const folder = temporaryFolder(t);
    const log = new NumberedLog(path.join(folder, 'access.log'));
    const tail = new TailHarness({ path: [path.join(folder, '*'), path.join(folder, 'old/*')] });
    t.after(() => tail.crash());
    fs.mkdirSync(path.join(folder, 'old'));
    log.write(20);
    await tail.start();
    await tail.settle();
    if (down) await tail.crash();
    log.write(5);
    fs.renameSync(log.file, path.join(folder, 'old', 'whatever'));
    log.write(5);
    if (down) await tail.start();
    await tail.settle();
    log.assertOnce(tail.messages());
    assert.equal(total(tail, 'gone_files'), 0);
  }
});

test('a link and its target, two hard links, and the link moves on', async (t) => {
  for (const link of [fs.symlinkSync, fs.linkSync]) {
    for (const down of [false, true]) {
      const folder = temporaryFolder(t);
      const current = path.join(folder, 'current.log');
      const tail = new TailHarness({ path: path.join(folder, '*.log'), rotate_wait: '1ms' });
      t.after(() => tail.crash());
      const days = [1, 2, 3].map((day) => new NumberedLog(path.join(folder, `day-${day}.log`)));
      for (const day of days) {
        day.write(5);
        fs.rmSync(current, { force: true });
        link(day.file, current);
        if (!tail.input) await tail.start();
        await tail.settle();
        day.write(5);
        await tail.settle();
        if (down) await tail.crash();
      }
      if (!tail.input) await tail.start();
      await tail.settle();
      for (const day of days) day.assertOnce(tail.messages());
    }
  }
});

test('a volume that comes back with another device number', async (t) => {
  const { log, tail } = setUp(t, '*');
  const other = new NumberedLog(`${log.file}.other`, 'other');
  log.write(20);
  other.write(200);
  await tail.start();
  await tail.settle();
  await tail.crash();
  tail.remount();
  log.write(5);
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
  other.assertOnce(tail.messages());
  assert.equal(total(tail, 'gone_files'), 0);
});

test('a live log that gets another inode goes on where it was', async (t) => {
  for (const lines of [3, 20, 500]) {
    for (const down of [false, true]) {
      const { log, tail } = setUp(t, 'access.log');
      log.write(lines);
      await tail.start();
      await tail.settle();
      if (down) await tail.crash();
      replace(log.file);
      if (down) await tail.start();
      log.write(5);
      await tail.settle();
      replace(log.file);
      log.write(5);
      await tail.settle();
      log.assertOnce(tail.messages());
      assert.equal(total(tail, 'gone_files'), 0);
    }
  }
});

test('first start: what a pattern names is read, whatever the names look like', async (t) => {
  const folder = temporaryFolder(t);
  const tail = new TailHarness({ path: path.join(folder, '*.log'), tag: `\${file}` });
  t.after(() => tail.crash());
  const names = ['app.log', 'app.8080.log', 'app.8081.log', 'app-20261123.log'];
  const logs = names.map((name) => new NumberedLog(path.join(folder, name), name));
  for (const log of logs) log.write(5);
  await tail.start();
  await tail.settle();
  const late = new NumberedLog(path.join(folder, 'app.8082.log'), 'late');
  late.write(5);
  for (const log of logs) log.write(5);
  await tail.settle();
  for (const log of [...logs, late]) log.assertOnce(tail.messages());
  assert.deepEqual(new Set(tail.events().map(({ tag }) => tag)), new Set([...names, 'app.8082.log']));
  assert.equal(total(tail, 'history_files'), 0);
});

test('first start: what lies next to a log is history, named and counted, and what follows it is not', async (t) => {
  const { folder, log, tail } = setUp(t, 'access.log');
  const old = new NumberedLog(path.join(folder, 'access.log.1'), 'old');
  old.write(5);
  log.write(5);
  await tail.start();
  await tail.settle();
  assert.equal(total(tail, 'history_files'), 1);
  assert.ok(tail.logged.some(({ file, msg }) => file === old.file && /history/.test(String(msg))));
  assert.equal(tail.messages().length, 5);
  // A server that still writes to the file it had open.
  fs.appendFileSync(old.file, 'late\n');
  await tail.settle();
  assert.deepEqual(tail.messages().slice(5), ['late']);
});

test('another log next to a followed one is not read, however alike its name', async (t) => {
  const { folder, log, tail } = setUp(t, 'access.log');
  const others = ['access-1.log', 'access.8080.log', 'access_ssl.log'].map(
    (name) => new NumberedLog(path.join(folder, name)),
  );
  log.write(5);
  for (const other of others) other.write(5);
  await tail.start();
  await tail.settle();
  for (const down of [false, true]) {
    if (down) await tail.crash();
    for (const other of others) other.write(5);
    log.write(5);
    if (down) await tail.start();
    await tail.settle();
  }
  log.assertOnce(tail.messages());
  assert.equal(tail.messages().length, log.written);
});

test('a copy that becomes a log of its own, and two logs that begin alike', async (t) => {
  const { folder, log, tail } = setUp(t, '*');
  log.write(20);
  await tail.start();
  await tail.settle();
  const copy = path.join(folder, 'copy');
  fs.copyFileSync(log.file, copy);
  await tail.settle();
  log.assertOnce(tail.messages());
  assert.equal(total(tail, 'copies'), 1);
  fs.appendFileSync(copy, 'mine\n');
  await tail.settle();
  // Which way it errs: nothing is lost, and it is counted that lines may be repeated.
  assert.equal(tail.messages().filter((message) => message === 'mine').length, 1);
  assert.equal(total(tail, 'repeated_files'), 1);
});

test('a log that is deleted and restarts with the same line: which way it errs is counted', async (t) => {
  const { log, tail } = setUp(t, 'access.log');
  fs.writeFileSync(log.file, 'banner\n');
  await tail.start();
  await tail.settle();
  await tail.crash();
  fs.writeFileSync(`${log.file}.new`, 'banner\nnext\n');
  fs.renameSync(`${log.file}.new`, log.file);
  await tail.start();
  await tail.settle();
  assert.deepEqual(tail.messages(), ['banner', 'next']);
  assert.equal(total(tail, 'alike_files'), 1);
});
