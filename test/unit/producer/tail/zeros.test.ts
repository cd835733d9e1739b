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
