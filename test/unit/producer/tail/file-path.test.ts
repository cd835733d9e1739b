/** Events may carry the path of the log that they are from. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import * as z from 'zod/mini';
import { tailOptions } from '../../../../producer/tail/options.ts';
import { sampleTail } from '../../../../producer/tail/sample.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

test('logs of one tag, a rotated file, lines that do not parse, and one that is cut: each has the path of its log', async (t) => {
  const folder = temporaryFolder(t);
  const logs = ['a', 'b'].map((name) => path.join(folder, `${name}.log`));
  for (const log of logs) fs.writeFileSync(log, `{"n":1}\nnot json ${path.basename(log)}\n`);
  const options = {
    path: path.join(folder, '*.log'),
    format: 'json',
    add: { file: `\${file_path}`, where: `at \${file_path}` },
    max_line_size: '1KiB',
    rotate_wait: '1ms',
  };
  const tail = new TailHarness(options);
  t.after(() => tail.crash());
  await tail.start();
  await tail.settle();
  fs.appendFileSync(logs[0]!, `{"n":"${'x'.repeat(2000)}"}\n`);
  fs.renameSync(logs[0]!, `${logs[0]}.1`);
  await tail.settle();
  const events = tail.events();
  assert.deepEqual(
    logs.map((log) => events.filter(({ file }) => file === log).length),
    [3, 2],
  );
  for (const { file, where } of events) assert.equal(where, `at ${String(file)}`);
  const sampled = sampleTail(z.parse(tailOptions, { ...tail.options, ...options }), 10).events;
  assert.deepEqual(
    sampled.map(({ json }) => (JSON.parse(json) as { file: string }).file),
    [logs[1], logs[1]],
  );
});
