/** KCL's lines arrive whole, however the pipe cuts them. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { wholeLines } from '../../consumer/protocol.ts';

test('lines come out as they went in', async () => {
  const line = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.replace(/\n/g, '')),
    fc.integer({ min: 1, max: 200_000 }).map((length) => 'x'.repeat(length)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 8 }),
      fc.integer({ min: 1, max: 70_000 }),
      async (lines, step) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        const input = new PassThrough();
        let told = 0;
        const output = wholeLines(input, (length) => {
          told += length;
        });
        const found: string[] = [];
        const done = new Promise((resolve) =>
          output.on('data', (text: string) => found.push(text)).on('end', resolve),
        );
        const size = bytes.length > 1000 ? Math.max(step, 500) : step;
        for (let at = 0; at < bytes.length; at += size) input.write(bytes.subarray(at, at + size));
        input.end();
        await done;
        assert.deepEqual(
          found,
          lines.map((text) => `${text}\n`),
        );
        assert.equal(told, bytes.length);
      },
    ),
  );
});
