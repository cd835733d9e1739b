/** KCL's lines arrive whole, however the pipe cuts them, and stdout has nothing else. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import kcl from 'aws-kcl';
import fc from 'fast-check';
import { LineSlots } from '../../../../consumer/shard/line-slots.ts';
import { untilBroken, wholeLines } from '../../../../consumer/shard/protocol.ts';

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
        const output = wholeLines(input, new LineSlots(1), String, (length) => {
          told += length;
        });
        const found: string[] = [];
        const done = (async () => {
          for await (const text of output) found.push(text);
        })();
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

const nothing = (_: unknown, done: () => void): void => done();
const IDLE = {
  initialize: nothing,
  processRecords: nothing,
  leaseLost: nothing,
  shardEnded: nothing,
  shutdownRequested: nothing,
};

test('a pipe that breaks, or brings what is not the protocol, ends its own shard and not the process', async () => {
  const breaks: [string, (input: PassThrough) => void, RegExp][] = [
    ['in a line', (input) => input.write('{"action":"ini', () => input.destroy()), /Premature close/],
    ['between lines', (input) => input.destroy(), /Premature close/],
    ['by an error', (input) => input.destroy(new Error('EIO')), /EIO/],
    ['not JSON', (input) => input.write('\n\nnot json\n'), /JSON/],
  ];
  for (const [name, cause, expected] of breaks) {
    const input = new PassThrough();
    input.on('error', () => {});
    const broken = Promise.withResolvers<unknown>();
    const lines = untilBroken(
      wholeLines(input, new LineSlots(1), String, () => {}),
      (error) => broken.resolve(error),
    );
    const source = Readable.from(lines, { highWaterMark: 1 });
    kcl(IDLE, source, new PassThrough(), process.stderr).run();
    cause(input);
    assert.match(String(await broken.promise), expected, name);
    // Nothing is thrown where nobody could catch it.
    if (!source.closed) await once(source, 'close');
  }
});

test('what is printed goes to stderr, and only the protocol to stdout', () => {
  const code = `
    import { takeStdout } from ${JSON.stringify(new URL('../../../../consumer/shard/protocol.ts', import.meta.url).href)};
    console.log('before');
    const output = takeStdout();
    console.log('a stray line');
    console.info('another');
    process.stdout.write('and a third\\n');
    let all = true;
    for (let i = 0; i < 3; i++) all &&= output.write('x'.repeat(1 << 20) + '\\n');
    console.error('never false: ' + all);
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    maxBuffer: 1 << 24,
  });
  assert.equal(stdout, `before\n${`${'x'.repeat(1 << 20)}\n`.repeat(3)}`);
  assert.equal(stderr, 'a stray line\nanother\nand a third\nnever false: true\n');
});
