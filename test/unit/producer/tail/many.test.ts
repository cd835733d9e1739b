/** Many logs of one folder that something happens to at once: what it costs grows with their number, not with its square. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { betweenCalls } from '../../../support/between-calls.ts';
import { NumberedLog, temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

const KINDS: Readonly<Record<string, (file: string, index: number) => void>> = {
  deleted: (file) => fs.rmSync(file),
  'deleted, each second of them,': (file, index) => {
    if (index % 2 === 0) fs.rmSync(file);
  },
  'moved where nobody looks': (file) =>
    fs.renameSync(file, path.join(path.dirname(file), 'away', path.basename(file))),
  'truncated without a copy': (file) => fs.truncateSync(file),
  'truncated, each second of them,': (file, index) => {
    if (index % 2 === 0) fs.truncateSync(file);
  },
  'half copied, a few bytes of each,': (file) =>
    fs.writeFileSync(`${file}.1`, fs.readFileSync(file).subarray(0, 2)),
};

/** @returns how often the file system was asked after it happened to so many logs, none of which was read to its end */
async function callsFor(
  t: TestContext,
  logs: number,
  happen: (file: string, index: number) => void,
): Promise<number> {
  const folder = temporaryFolder(t);
  fs.mkdirSync(path.join(folder, 'away'));
  const all = Array.from({ length: logs }, (_, i) => new NumberedLog(path.join(folder, `app${i}.log`)));
  const tail = new TailHarness({ path: path.join(folder, '*.log'), read_from_head: true });
  for (const log of all) log.write(5);
  await tail.start();
  await tail.settle();
  await tail.crash();
  all.forEach((log, index) => {
    log.write(5);
    happen(log.file, index);
  });
  const calls = await betweenCalls(
    -1,
    () => {},
    async () => {
      await tail.start();
      await tail.settle();
    },
  );
  await tail.crash();
  return calls.length;
}

for (const [kind, happen] of Object.entries(KINDS))
  test(`many logs ${kind} at once`, async (t) => {
    const few = await callsFor(t, 20, happen);
    const many = await callsFor(t, 80, happen);
    assert.ok(many < 5 * few, `${few} calls for 20 logs, ${many} for 80`);
  });
