/** Zeros in the middle of a log, and events of several lines: an event is one line of the archive. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

function setUp(t: TestContext, options: Record<string, unknown> = {}): { file: string; tail: TailHarness } {
  const file = path.join(temporaryFolder(t), 'a.log');
  const tail = new TailHarness({ path: file, ...options });
  t.after(() => tail.crash());
  return { file, tail };
}

for (const zeros of [1, 15, 16, 4000, 300 * 1024, 1024 * 1024]) {
  test(`${zeros} zeros after a line: the next line comes, and they are counted`, async (t) => {
    const { file, tail } = setUp(t);
    fs.writeFileSync(file, `before\n${'\0'.repeat(zeros)}after\nlast\n`);
    await tail.start();
    await tail.settle();
    assert.deepEqual(tail.messages(), ['before', 'after', 'last']);
    assert.equal(tail.counters.total('tailrace_agent_tail_zero_bytes_total'), zeros);
  });
}

test('zeros inside a line: many end it, few belong to it', async (t) => {
  const { file, tail } = setUp(t);
  fs.writeFileSync(file, `cut of${'\0'.repeat(5000)}next\na\0b\n`);
  await tail.start();
  await tail.settle();
  assert.deepEqual(tail.messages(), ['cut of', 'next', 'a\0b']);
});

test('zeros that come bit by bit, with an agent that dies between', async (t) => {
  const { file, tail } = setUp(t);
  fs.writeFileSync(file, 'before\n');
  await tail.start();
  for (let i = 0; i < 6; i++) {
    fs.appendFileSync(file, '\0'.repeat(50 * 1024));
    await tail.settle();
    await tail.crash();
    await tail.start();
  }
  fs.appendFileSync(file, 'after\n');
  await tail.settle();
  assert.deepEqual(tail.messages(), ['before', 'after']);
});

test('pretty-printed JSON: one line an event, and counted', async (t) => {
  const { file, tail } = setUp(t, { format: 'json', multiline: { start: '^\\{' } });
  const objects = [{ a: 1, b: { c: ['x', 'y'] } }, { d: 'two' }];
  fs.writeFileSync(file, objects.map((object) => `${JSON.stringify(object, null, 2)}\n`).join(''));
  await tail.start();
  await tail.settle();
  assert.equal(tail.lines().length, 2);
  assert.deepEqual(
    tail.lines().map((line) => JSON.parse(line)),
    objects,
  );
  assert.equal(tail.counters.total('tailrace_agent_inner_newlines_total'), 2);
});

/** Writes into a file that has its full size from the start, and whose times stay: as one that is mapped into memory. */
function reserve(file: string, size: number): (text: string | Buffer) => void {
  const fd = fs.openSync(file, 'w+');
  fs.ftruncateSync(fd, size);
  fs.futimesSync(fd, 1_700_000_000, 1_700_000_000);
  let at = 0;
  return (text) => {
    at += fs.writeSync(fd, Buffer.from(text), 0, Buffer.byteLength(text), at);
    fs.futimesSync(fd, 1_700_000_000, 1_700_000_000);
  };
}

for (const size of [100, 64 * 1024, 256 * 1024, 3 * 1024 * 1024]) {
  test(`space of ${size} bytes that its writer has yet to fill: nothing is there yet`, async (t) => {
    const { file, tail } = setUp(t);
    const write = reserve(file, size);
    await tail.start();
    await tail.settle();
    const expected: string[] = [];
    for (let i = 0; i < 8; i++) {
      write(`line ${i}\n`);
      expected.push(`line ${i}`);
      await tail.settle();
      assert.deepEqual(tail.messages(), expected);
      if (i % 2 === 0) continue;
      await tail.crash();
      await tail.start();
    }
    assert.equal(tail.counters.total('tailrace_agent_tail_zero_bytes_total'), 0);
    // Its writer ends, and gives back what it did not need.
    fs.truncateSync(file, expected.join('\n').length + 1);
    fs.appendFileSync(file, 'last\n');
    await tail.settle();
    assert.deepEqual(tail.messages(), [...expected, 'last']);
    for (const counter of ['truncations', 'lost_bytes', 'repeated_files'])
      assert.equal(tail.counters.total(`tailrace_agent_tail_${counter}_total`), 0, counter);
  });
}

test('reserved space: lines in half of it, beyond one read, and the next file by its name', async (t) => {
  const { file, tail } = setUp(t, { rotate_wait: '1ms' });
  const write = reserve(file, 2 * 1024 * 1024);
  const lines = Array.from({ length: 40_000 }, (_, i) => `line ${i} ${'x'.repeat(i % 40)}`);
  await tail.start();
  for (let from = 0; from < lines.length; from += 9_000) {
    for (const line of lines.slice(from, from + 9_000)) write(`${line}\n`);
    await tail.settle();
  }
  fs.renameSync(file, `${file}.1`);
  const writeNext = reserve(file, 1024 * 1024);
  writeNext('next\n');
  await tail.settle();
  assert.equal(tail.messages().length, lines.length + 1);
  await tail.crash();
  await tail.start();
  writeNext('more\n');
  await tail.settle();
  assert.deepEqual(tail.messages(), [...lines, 'next', 'more']);
});

test('UTF-16 in reserved space', async (t) => {
  const { file, tail } = setUp(t, { encoding: 'utf-16le' });
  const write = reserve(file, 600 * 1024);
  write(Buffer.from('one\n', 'utf16le'));
  await tail.start();
  await tail.settle();
  write(Buffer.from('Ā\ntwo\n', 'utf16le'));
  await tail.settle();
  assert.deepEqual(tail.messages(), ['one', 'Ā', 'two']);
});

for (const restarted of [false, true]) {
  test(`first blocks that were given back to the file system (fallocate -p)${restarted ? ' while the agent was down' : ''}`, async (t) => {
    const { file, tail } = setUp(t);
    const lines = Array.from({ length: 2000 }, (_, i) => `line ${i}`);
    fs.writeFileSync(file, `${lines.join('\n')}\n`);
    await tail.start();
    await tail.settle();
    if (restarted) await tail.crash();
    const fd = fs.openSync(file, 'r+');
    fs.writeSync(fd, Buffer.alloc(8192), 0, 8192, 0);
    fs.closeSync(fd);
    if (restarted) await tail.start();
    fs.appendFileSync(file, 'last\n');
    await tail.settle();
    assert.deepEqual(tail.messages(), [...lines, 'last']);
  });
}
