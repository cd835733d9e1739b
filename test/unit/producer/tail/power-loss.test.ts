/** Logs after a power loss: what the agent read was not on the disk yet, and nothing of the rest is read twice. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

const LINES = Array.from({ length: 300 }, (_, i) => `line ${i} at ${1e9 + i}`);

/** A log that was read to its end when the power failed, and what the disk keeps of it. */
async function failed(
  t: TestContext,
  lose: (file: string, size: number) => void,
): Promise<{ file: string; tail: TailHarness }> {
  const file = path.join(temporaryFolder(t), 'a.log');
  const tail = new TailHarness({ path: file });
  t.after(() => tail.crash());
  fs.writeFileSync(file, `${LINES.join('\n')}\n`);
  await tail.start();
  await tail.settle();
  await tail.crash();
  const { size, mtime } = fs.statSync(file);
  lose(file, size);
  fs.utimesSync(file, mtime, mtime);
  tail.booted = Date.now() + 60_000;
  return { file, tail };
}

const cut = (file: string, size: number): void => fs.truncateSync(file, size - 500);

function overwrite(file: string, at: number, bytes: Buffer): void {
  const fd = fs.openSync(file, 'r+');
  fs.writeSync(fd, bytes, 0, bytes.length, at);
  fs.closeSync(fd);
}

const blank = (file: string, size: number): void => overwrite(file, size - 500, Buffer.alloc(500));

const count = (tail: TailHarness, what: string): number =>
  tail.counters.total(`tailrace_agent_tail_${what}_files_total`);

for (const [what, lose] of [
  ['is shorter', cut],
  ['ends in zeros', blank],
] as const) {
  test(`a log that ${what} than what was read of it goes on behind what is left`, async (t) => {
    const { file, tail } = await failed(t, lose);
    await tail.start();
    await tail.settle();
    fs.appendFileSync(file, 'new\n');
    await tail.settle();
    // And so it stays, whoever dies next.
    await tail.crash();
    await tail.start();
    fs.appendFileSync(file, 'more\n');
    await tail.settle();
    assert.deepEqual(tail.messages(), [...LINES, 'new', 'more']);
    assert.deepEqual([count(tail, 'cut'), count(tail, 'repeated')], [1, 0]);
  });
}

test('a log that was written to since the machine was booted, or on one that was not, is another one', async (t) => {
  for (const change of [
    (tail: TailHarness) => {
      tail.booted = Date.now() - 3_600_000;
    },
    (_: TailHarness, file: string) => fs.utimesSync(file, new Date(), Date.now() / 1000 + 120),
    (_: TailHarness, file: string) => overwrite(file, 0, Buffer.from('other')),
  ]) {
    const { file, tail } = await failed(t, cut);
    change(tail, file);
    await tail.start();
    await tail.settle();
    assert.ok(tail.messages().length > LINES.length);
    assert.equal(count(tail, 'cut'), 0);
    await tail.crash();
  }
});
