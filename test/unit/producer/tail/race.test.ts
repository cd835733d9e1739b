/** What happens to a log between any two looks at files: between listing and opening, opening and reading. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { betweenCalls } from '../../../support/between-calls.ts';
import { NumberedLog, temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

const KINDS: Readonly<Record<string, (log: NumberedLog) => void>> = {
  renamed(log) {
    log.write(2);
    log.rename(false);
    log.write(3);
  },
  'renamed twice'(log) {
    log.write(2);
    log.rename(false);
    log.write(3);
    log.rename(false);
    log.write(4);
  },
  'copied and truncated'(log) {
    log.write(2);
    log.copyTruncate();
    log.write(3);
  },
  'renamed and compressed'(log) {
    log.write(2);
    log.rename(false);
    log.compress(1);
    log.write(3);
  },
  'renamed into another folder'(log) {
    log.write(2);
    const old = path.join(path.dirname(log.file), 'old');
    fs.renameSync(log.file, path.join(old, 'anything'));
    log.write(3);
  },
  replaced(log) {
    const copy = `${log.file}~`;
    fs.copyFileSync(log.file, copy);
    fs.renameSync(copy, log.file);
    log.write(3);
  },
};

/** What a first start meets, at which no log is known. */
const FIRST = ['renamed', 'copied and truncated'];

for (const [kind, happen] of Object.entries(KINDS)) {
  for (const known of FIRST.includes(kind) ? [true, false] : [true]) {
    test(`${kind} at any moment of a start, ${known ? 'with lines unread' : 'the first one'}`, async (t) => {
      let calls: readonly string[] = [''];
      for (let before = 0; before < calls.length; before++) {
        const folder = temporaryFolder(t);
        fs.mkdirSync(path.join(folder, 'old'));
        const log = new NumberedLog(path.join(folder, 'a.log'));
        const tail = new TailHarness({
          path: [path.join(folder, '*.log'), path.join(folder, 'old', '*')],
          read_from_head: true,
          rotate_wait: '1ms',
        });
        log.write(5);
        if (known) {
          await tail.start();
          await tail.settle();
          await tail.crash();
          log.write(5);
        }
        calls = await betweenCalls(
          before,
          () => happen(log),
          async () => {
            await tail.start();
            await tail.settle();
          },
        );
        await tail.settle();
        await tail.stop();
        await tail.start();
        await tail.settle();
        await tail.crash();
        const history = tail.counters.total('tailrace_agent_tail_history_files_total') > 0;
        const what = `before call ${before} of ${calls.length}, ${calls[before]}`;
        assert.ok(!history || (!known && !calls.slice(0, before).includes('readdirSync')), what);
        try {
          // What was rotated away before a first start listed the folder is history.
          if (!history) log.assertOnce(tail.messages());
        } catch (error) {
          throw new Error(what, { cause: error });
        }
        for (const name of ['gone_files', 'lost_bytes', 'repeated_files'])
          assert.equal(tail.counters.total(`tailrace_agent_tail_${name}_total`), 0, `${name}, ${what}`);
        fs.rmSync(folder, { recursive: true });
      }
    });
  }
}
