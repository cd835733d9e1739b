/** The state that versions up to 0.1 wrote is read after an upgrade: no line is lost, and none comes twice. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { TailraceError } from '../../../../base/errors.ts';
import type { Json } from '../../../../producer/state.ts';
import { fingerprint } from '../../../../producer/tail/fingerprint.ts';
import { NumberedLog, temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

test('open and closed generations of an earlier version', async (t) => {
  const folder = temporaryFolder(t);
  const log = new NumberedLog(path.join(folder, 'a.log'));
  // Two generations that were read to their ends, one of them compressed since; and one that is open.
  log.write(300);
  const first = fs.readFileSync(log.file);
  log.rename(false);
  log.write(30);
  const second = fs.readFileSync(log.file);
  const closed = fs.statSync(log.file, { bigint: true });
  log.rename(false);
  fs.writeFileSync(`${log.file}.2.gz`, gzipSync(first));
  fs.unlinkSync(`${log.file}.2`);
  log.write(20);
  const open = fs.statSync(log.file, { bigint: true });
  const third = fs.readFileSync(log.file);
  const marks = (bytes: Buffer): { head: [number, string]; check: [number, string] } => {
    const head = fingerprint(bytes);
    const check = fingerprint(bytes.subarray(-64));
    return { head: [head.bytes, head.hash], check: [check.bytes, check.hash] };
  };
  const entry = (bytes: Buffer, key: string, born: string): Json => {
    const { head, check } = marks(bytes);
    return [...head, bytes.length, ...check, 0, key, born];
  };
  const state: Record<string, Json> = {
    started: Date.now(),
    [`log ${log.file}`]: [
      entry(first, '', ''),
      entry(second, `${closed.dev}:${closed.ino}`, String(closed.birthtimeNs)),
    ],
    [`file ${open.dev}:${open.ino}`]: {
      path: log.file,
      offset: third.length,
      fingerprint: marks(third).head,
      check: marks(third).check,
      born: String(open.birthtimeNs),
    },
  };
  const tail = new TailHarness({ path: log.file, rotate_wait: '1ms' });
  t.after(() => tail.crash());
  tail.load(state);
  log.write(5);
  log.rename();
  log.write(5);
  await tail.start();
  await tail.settle();
  await tail.crash();
  await tail.start();
  await tail.settle();
  const numbers = tail.messages().map((message) => Number(message.split(' ')[1]));
  assert.deepEqual(
    numbers.sort((a, b) => a - b),
    Array.from({ length: 10 }, (_, i) => 350 + i),
  );
  assert.equal(tail.counters.total('tailrace_agent_tail_gone_files_total'), 0);
  const left = [...tail.state.keys()].filter((key) => !key.startsWith('gen ') && key !== 'started');
  assert.deepEqual(left, []);
});

test('a state that is not what a release wrote is refused by name, not skipped', async (t) => {
  const folder = temporaryFolder(t);
  const log = new NumberedLog(path.join(folder, 'a.log'));
  const tail = new TailHarness({ path: log.file });
  log.write(3);
  await tail.start();
  await tail.settle();
  await tail.stop();
  const sound = Object.fromEntries(tail.state);
  const [key, value] = Object.entries(sound).find(([name]) => name.startsWith('gen '))!;
  const fields = value as readonly Json[];
  const damaged: Record<string, Json>[] = [
    { started: 'yesterday' },
    { [key]: 'text' },
    { [key]: fields.slice(0, 5) },
    { [key]: fields.with(2, -1) },
    { [key]: fields.with(2, 1.5) },
    { [key]: fields.with(4, 7) },
    { 'gen x': value },
    { 'file 1:2': { path: 'a' } },
    { 'log a': [[1, 2, 3]] },
    { 'log a': 'text' },
  ];
  for (const change of damaged) {
    const [name] = Object.keys(change);
    const next = new TailHarness({ path: log.file });
    next.load({ ...sound, ...change });
    await assert.rejects(next.start(), (error: TailraceError) => {
      assert.equal(error.code, 'STATE_INVALID');
      assert.ok(error.message.includes(name!), error.message);
      return true;
    });
  }
});
