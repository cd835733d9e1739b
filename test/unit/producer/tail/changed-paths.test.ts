/** Paths that the configuration takes out of an input, or gives back, between two runs. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../../support/agent-process.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

async function twoLogs(t: TestContext) {
  const folder = temporaryDirectory(t);
  const [a, b] = ['a.log', 'b.log'].map((name) => path.join(folder, name)) as [string, string];
  const tail = new TailHarness({ id: 'logs', path: [a, b], refresh_interval: '50ms', rotate_wait: '50ms' });
  let written = 0;
  const write = (): void => {
    written++;
    for (const log of [a, b]) fs.appendFileSync(log, `${path.basename(log)} ${written}\n`);
  };
  /** One run, in which two lines are written to each log. */
  const run = async (): Promise<void> => {
    await tail.start();
    for (let i = 0; i < 2; i++) {
      write();
      await tail.settle();
    }
    await tail.stop();
  };
  t.after(() => tail.crash());
  const of = (log: string): string[] => tail.messages().filter((message) => message.startsWith(log));
  const all = (log: string): string[] => Array.from({ length: written }, (_, i) => `${log} ${i + 1}`);
  return { folder, a, b, tail, run, of, all };
}

for (const [what, without] of [
  ['that is no longer named', (a: string) => ({ path: a })],
  ['that is excluded', (a: string, b: string) => ({ path: [a, b], exclude_path: b })],
] as const) {
  test(`a log ${what} is not read any more, and goes on where it was when it comes back`, async (t) => {
    const { a, b, tail, run, of, all } = await twoLogs(t);
    await run();
    Object.assign(tail.options, without(a, b));
    const before = of('b.log');
    await run();
    await run();
    assert.deepEqual(of('a.log'), all('a.log'));
    assert.deepEqual(of('b.log'), before);
    Object.assign(tail.options, { path: [a, b], exclude_path: path.join(path.dirname(a), 'x') });
    await run();
    assert.deepEqual(of('b.log'), all('b.log'));
  });
}

test('logs that were moved to another folder, and rotated there, are read on under their new path', async (t) => {
  const { folder, b, tail, run, of, all } = await twoLogs(t);
  await run();
  const moved = path.join(folder, 'moved', 'a.log');
  fs.mkdirSync(path.dirname(moved));
  fs.appendFileSync(path.join(folder, 'a.log'), 'a.log rest\n');
  fs.renameSync(path.join(folder, 'a.log'), `${moved}.1`);
  fs.writeFileSync(moved, 'a.log next\n');
  Object.assign(tail.options, { path: [moved, b] });
  await run();
  assert.deepEqual(of('a.log'), [...all('a.log').slice(0, 2), 'a.log rest', 'a.log next']);
});
