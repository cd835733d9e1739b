/** Where another agent has stopped, a first start goes on: nothing comes twice, and nothing is missing. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { crc64 } from '../../../../producer/predecessor/positions.ts';
import { NumberedLog, temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

type Agent = 'fluentd' | 'fluent-bit' | 'vector';
const AGENTS: readonly Agent[] = ['fluentd', 'fluent-bit', 'vector'];

/** Writes what an agent leaves behind that has read these files up to these bytes. */
function leave(agent: Agent, file: string, read: readonly { file: string; offset: number }[]): void {
  const inodeOf = (log: string): bigint => fs.statSync(log, { bigint: true }).ino;
  const hex = (n: bigint | number): string => n.toString(16).padStart(16, '0');
  if (agent === 'fluentd') {
    const lines = read.map((each) => `${each.file}\t${hex(each.offset)}\t${hex(inodeOf(each.file))}\n`);
    fs.writeFileSync(file, lines.join(''));
  } else if (agent === 'vector') {
    const checkpoints = read.map((each) => {
      const bytes = fs.readFileSync(each.file);
      const sum = crc64(bytes.subarray(0, bytes.indexOf(0x0a) + 1));
      return `{"fingerprint":{"first_lines_checksum":${sum}},"position":${each.offset},"modified":"2026-11-28T10:00:00Z"}`;
    });
    fs.writeFileSync(file, `{"version":"1","checkpoints":[${checkpoints.join(',')}]}`);
  } else {
    fs.rmSync(file, { force: true });
    const database = new DatabaseSync(file);
    database.exec(
      'PRAGMA journal_mode=WAL; CREATE TABLE in_tail_files (id INTEGER PRIMARY KEY, name TEXT NOT NULL, offset INTEGER, inode INTEGER, created INTEGER, rotated INTEGER DEFAULT 0)',
    );
    const insert = database.prepare('INSERT INTO in_tail_files (name, offset, inode) VALUES (?, ?, ?)');
    for (const each of read) insert.run(each.file, each.offset, inodeOf(each.file));
    database.close();
  }
}

interface SetUp {
  readonly folder: string;
  readonly log: NumberedLog;
  readonly tail: TailHarness;
  /** What it has read of the log so far. */
  readonly stop: () => void;
}

function setUp(t: TestContext, agent: Agent, options: Record<string, unknown> = {}): SetUp {
  const folder = temporaryFolder(t);
  const positions = path.join(fs.mkdtempSync(path.join(folder, 'old-')), 'positions');
  // Each line is another one, as those of a real log are: what is known by its first line is known then.
  const log = new NumberedLog(
    path.join(folder, 'access.log'),
    'access.log',
    (n) => `access.log ${n} ${'x'.repeat(n % 90)}`,
  );
  const tail = new TailHarness({
    path: log.file,
    rotate_wait: '1ms',
    take_over: { agent, file: positions },
    ...options,
  });
  t.after(() => tail.crash());
  const stop = (): void => leave(agent, positions, [{ file: log.file, offset: fs.statSync(log.file).size }]);
  return { folder, log, tail, stop };
}

/** Waits until a file that is made in a folder gets a later time than any so far. */
async function tick(folder: string): Promise<void> {
  const made = (): bigint => {
    const probe = path.join(fs.mkdtempSync(path.join(folder, 'probe-')), 'file');
    fs.writeFileSync(probe, '');
    return fs.statSync(probe, { bigint: true }).birthtimeNs / 1_000_000n;
  };
  const first = made();
  while (made() === first) await new Promise((resolve) => setImmediate(resolve));
}

/** The numbers of the lines that came, in order. */
const numbers = (tail: TailHarness): number[] =>
  tail
    .messages()
    .map((message) => Number(message.split(' ')[1]))
    .sort((a, b) => a - b);
const between = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

for (const agent of AGENTS) {
  for (const head of [true, false]) {
    test(`${agent}: goes on behind its position, read_from_head ${head}`, async (t) => {
      const { log, tail, stop } = setUp(t, agent, { read_from_head: head });
      log.write(20);
      stop();
      log.write(5);
      await tail.start();
      await tail.settle();
      log.write(3);
      await tail.settle();
      assert.deepEqual(numbers(tail), between(20, 28));
      // The positions are for the first start alone.
      await tail.crash();
      fs.writeFileSync((tail.options['take_over'] as { file: string }).file, 'nonsense');
      await tail.start();
      await tail.settle();
      assert.deepEqual(numbers(tail), between(20, 28));
    });
  }

  test(`${agent}: rotated meanwhile, twice: the rest of the one and all of the others`, async (t) => {
    const { folder, log, tail, stop } = setUp(t, agent, { read_from_head: false });
    log.write(7);
    log.rename(false);
    log.write(10);
    await tick(folder);
    stop();
    await tick(folder);
    log.write(5);
    log.rename();
    log.write(4);
    log.rename();
    log.write(3);
    await tail.start();
    await tail.settle();
    // The first seven were rotated before: the other agent has read them.
    assert.deepEqual(numbers(tail), between(17, 29));
  });

  test(`${agent}: copied and truncated meanwhile: the copy holds the rest`, async (t) => {
    const { folder, log, tail, stop } = setUp(t, agent);
    log.write(30);
    stop();
    await tick(folder);
    log.write(5);
    log.copyTruncate();
    log.write(2);
    await tail.start();
    await tail.settle();
    assert.deepEqual(numbers(tail), between(30, 37));
  });
}

for (const agent of ['fluentd', 'fluent-bit'] as const) {
  test(`${agent}: truncated meanwhile, and longer by now than it was`, async (t) => {
    const { folder, log, tail, stop } = setUp(t, agent);
    log.write(30);
    stop();
    const offset = fs.statSync(log.file).size;
    await tick(folder);
    log.write(5);
    log.copyTruncate();
    // A line ends where the position is, too: only the copy says that it is another file.
    fs.appendFileSync(log.file, `${'y'.repeat(offset - 1)}\nafter\n`);
    await tail.start();
    await tail.settle();
    const isNew = (message: string): boolean => !message.startsWith('access.log');
    assert.deepEqual(tail.messages().filter(isNew), ['y'.repeat(offset - 1), 'after']);
    assert.deepEqual(
      numbers(tail).filter((n) => n >= 0),
      between(30, 35),
    );
  });
}

test('compressed meanwhile: the rest is read from the compressed file', async (t) => {
  const { folder, log, tail, stop } = setUp(t, 'fluentd');
  log.write(30);
  stop();
  await tick(folder);
  log.write(5);
  log.rename();
  log.compress(1);
  log.write(2);
  await tail.start();
  await tail.settle();
  assert.deepEqual(numbers(tail), between(30, 37));
});

test('a file that the other agent has not seen is read from its start', async (t) => {
  const { folder, log, tail, stop } = setUp(t, 'fluentd', { path: undefined, read_from_head: false });
  tail.options['path'] = path.join(folder, '*.log');
  log.write(3);
  stop();
  fs.writeFileSync(path.join(folder, 'late.log'), 'late 0\nlate 1\n');
  await tail.start();
  await tail.settle();
  assert.deepEqual(tail.messages().sort(), ['late 0', 'late 1']);
});

test('a position inside a line is of another file: all of it is read, and that is logged', async (t) => {
  const { log, tail } = setUp(t, 'fluentd');
  log.write(20);
  const file = (tail.options['take_over'] as { file: string }).file;
  leave('fluentd', file, [{ file: log.file, offset: 25 }]);
  await tail.start();
  await tail.settle();
  assert.deepEqual(numbers(tail), between(0, 20));
  assert.ok(tail.logged.some(({ msg }) => String(msg).includes('no longer holds')));
});

test('files that the other agent no longer reads, and those of other inputs, are passed over', async (t) => {
  const { folder, log, tail } = setUp(t, 'fluentd');
  log.write(20);
  const { ino } = fs.statSync(log.file);
  const hex = (n: number): string => n.toString(16).padStart(16, '0');
  fs.writeFileSync(
    (tail.options['take_over'] as { file: string }).file,
    [
      `${log.file}\tffffffffffffffff\t${hex(ino)}`,
      `${log.file}\t${hex(fs.statSync(log.file).size)}\t${hex(ino)}`,
      `${folder}/other.txt\t${hex(17)}\t${hex(4)}`,
      '',
    ].join('\n'),
  );
  log.write(2);
  await tail.start();
  await tail.settle();
  assert.deepEqual(numbers(tail), between(20, 22));
  assert.ok(!JSON.stringify(tail.logged).includes('other.txt'));
});

test('no positions there: starts as read_from_head says, and says so', async (t) => {
  const { log, tail } = setUp(t, 'fluent-bit', { read_from_head: false });
  log.write(5);
  await tail.start();
  await tail.settle();
  log.write(2);
  await tail.settle();
  assert.deepEqual(numbers(tail), between(5, 7));
  assert.ok(tail.logged.some(({ msg }) => String(msg).includes('left no positions')));
});

test('positions that cannot be read end the start: nothing is guessed', async (t) => {
  for (const agent of AGENTS) {
    const { log, tail } = setUp(t, agent);
    log.write(5);
    fs.writeFileSync((tail.options['take_over'] as { file: string }).file, 'nonsense\n');
    await assert.rejects(tail.start(), { code: 'TAKE_OVER' });
  }
});

test('the checksum of a first line is that of ECMA-182', () => {
  assert.equal(crc64(Buffer.from('123456789')), 0x6c40df5f0b497347n);
});
