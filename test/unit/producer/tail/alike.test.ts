import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

/** What a program writes whenever it opens its log. */
const BANNER = 'Starting';
const LONG_BANNER = Array.from({ length: 40 }, (_, i) => `option ${i}: ${'='.repeat(40)}`).join('\n');

function setUp(t: TestContext): { file: string; tail: TailHarness } {
  const file = path.join(temporaryFolder(t), 'a.log');
  const tail = new TailHarness({ path: file, rotate_wait: '1ms' });
  t.after(() => tail.crash());
  return { file, tail };
}

/** Waits until the input has closed all files. */
async function closed(tail: TailHarness): Promise<void> {
  for (;;) {
    tail.cut();
    if (tail.unfinished === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Makes a file as it comes about in life: later than all others, and changed after it was made. */
function create(file: string, text: string): void {
  const folder = path.dirname(file);
  const now = (): bigint => {
    fs.writeFileSync(path.join(folder, 'clock'), 'x');
    return fs.statSync(path.join(folder, 'clock'), { bigint: true }).mtimeNs;
  };
  // A file system's clock stands still for some milliseconds.
  const wait = (): void => {
    for (const before = now(); now() === before; );
  };
  wait();
  fs.writeFileSync(file, '');
  wait();
  fs.appendFileSync(file, text);
}

const sorted = (...texts: string[]): string[] => texts.flatMap((text) => text.split('\n')).sort();

for (const [length, banner] of [
  ['short', BANNER],
  ['long', LONG_BANNER],
] as const) {
  test(`a ${length} banner: generations that came and went while the agent was down`, async (t) => {
    const { file, tail } = setUp(t);
    fs.writeFileSync(file, `${banner}\n${'A'.repeat(60)}\n`);
    await tail.start();
    await tail.settle();
    fs.renameSync(file, `${file}.1`);
    await tail.settle();
    await closed(tail);
    await tail.crash();
    fs.renameSync(`${file}.1`, `${file}.3`);
    create(`${file}.2`, `${banner}\n`);
    create(`${file}.1`, `${banner}\nB\n`);
    create(file, `${banner}\nC\n`);
    await tail.start();
    await tail.settle();
    await tail.stop();
    await tail.start();
    await tail.settle();
    const expected = sorted(banner, banner, banner, banner, 'A'.repeat(60), 'B', 'C');
    assert.deepEqual(tail.messages().sort(), expected);
  });

  test(`a ${length} banner: the rest of a copy, while the log begins as the copy does`, async (t) => {
    const { file, tail } = setUp(t);
    const body = 'x'.repeat(2000);
    fs.writeFileSync(file, `${banner}\n${body}\n`);
    const input = await tail.start();
    await tail.settle();
    input.pause();
    fs.appendFileSync(file, 'the rest\n');
    fs.copyFileSync(file, `${file}.1`);
    fs.truncateSync(file);
    fs.appendFileSync(file, `${banner}\n`);
    input.resume();
    await tail.settle();
    assert.deepEqual(tail.messages().sort(), sorted(banner, banner, body, 'the rest'));
  });
}

test('a long banner: of two compressed generations the one that was being read is recognized', async (t) => {
  const { file, tail } = setUp(t);
  const bodies = ['A'.repeat(900), 'B'.repeat(300)];
  const compress = (n: number): void => {
    fs.writeFileSync(`${file}.${n}.gz`, gzipSync(fs.readFileSync(`${file}.${n}`)));
    fs.unlinkSync(`${file}.${n}`);
  };
  create(file, `${LONG_BANNER}\n${bodies[0]}\n`);
  await tail.start();
  await tail.settle();
  fs.renameSync(file, `${file}.1`);
  await tail.settle();
  await closed(tail);
  fs.renameSync(`${file}.1`, `${file}.2`);
  compress(2);
  create(file, `${LONG_BANNER}\n${bodies[1]}\n`);
  await tail.settle();
  await tail.crash();
  fs.appendFileSync(file, 'the rest\n');
  fs.renameSync(file, `${file}.1`);
  compress(1);
  await tail.start();
  await tail.settle();
  assert.deepEqual(tail.messages().sort(), sorted(LONG_BANNER, LONG_BANNER, ...bodies, 'the rest'));
});

test('generations of which only the length differs', async (t) => {
  const { file, tail } = setUp(t);
  const line = `GET / ${'.'.repeat(58)}`;
  const lengths = [40, 60, 50];
  for (const length of lengths) {
    create(file, `${line}\n`.repeat(length));
    await tail.start();
    await tail.settle();
    for (let n = lengths.length; n > 0; n--)
      if (fs.existsSync(`${file}.${n}.gz`)) fs.renameSync(`${file}.${n}.gz`, `${file}.${n + 1}.gz`);
    fs.renameSync(file, `${file}.1`);
    await tail.settle();
    await closed(tail);
    fs.writeFileSync(`${file}.1.gz`, gzipSync(fs.readFileSync(`${file}.1`)));
    fs.unlinkSync(`${file}.1`);
    await tail.stop();
  }
  await tail.start();
  await tail.settle();
  assert.equal(tail.messages().length, 150);
});

test('a writer that does not append: all generations begin with zeros, and the rest of a copy is found', async (t) => {
  const { file, tail } = setUp(t);
  const writer = fs.openSync(file, 'w');
  t.after(() => fs.closeSync(writer));
  let written = 0;
  const write = (): void => void fs.writeSync(writer, `line ${written++} ${'.'.repeat(500)}\n`);
  const input = await tail.start();
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 5; i++) write();
    await tail.settle();
    input.pause();
    write();
    if (fs.existsSync(`${file}.1`)) fs.renameSync(`${file}.1`, `${file}.${round + 1}`);
    fs.copyFileSync(file, `${file}.1`);
    fs.ftruncateSync(writer, 0);
    write();
    input.resume();
    await tail.settle();
  }
  await tail.stop();
  await tail.start();
  await tail.settle();
  const numbers = tail.messages().map((message) => Number(message.split(' ')[1]));
  assert.deepEqual(
    numbers.sort((a, b) => a - b),
    Array.from({ length: written }, (_, i) => i),
  );
});

test('property: a program that begins each of its logs alike, rotated by rename at any time', async (t) => {
  const step = fc.constantFrom(
    ...(['write', 'write', 'rotate', 'rotate', 'compress', 'cut', 'turn', 'crash', 'wait'] as const),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(BANNER, LONG_BANNER),
      fc.array(step, { maxLength: 30 }),
      async (banner, steps) => {
        const { file, tail } = setUp(t);
        const expected = [banner];
        let line = 0;
        create(file, `${banner}\n`);
        await tail.start();
        tail.cut();
        for (const each of steps) {
          if (each === 'write') {
            const text = `line ${line++}`;
            fs.appendFileSync(file, `${text}\n`);
            expected.push(text);
          } else if (each === 'rotate') {
            // What has the very same content as another generation is taken for it.
            const text = `log ${line++}`;
            fs.appendFileSync(file, `${text}\n`);
            expected.push(text);
            for (let n = 9; n > 0; n--)
              for (const ending of ['', '.gz'])
                if (fs.existsSync(`${file}.${n}${ending}`))
                  fs.renameSync(`${file}.${n}${ending}`, `${file}.${n + 1}${ending}`);
            fs.renameSync(file, `${file}.1`);
            create(file, `${banner}\n`);
            expected.push(banner);
          } else if (each === 'compress' && banner === BANNER && fs.existsSync(`${file}.2`)) {
            const { atime, mtime } = fs.statSync(`${file}.2`);
            fs.writeFileSync(`${file}.2.gz`, gzipSync(fs.readFileSync(`${file}.2`)));
            fs.utimesSync(`${file}.2.gz`, atime, mtime);
            fs.unlinkSync(`${file}.2`);
          } else if (each === 'cut') tail.cut();
          else if (each === 'turn') await new Promise((resolve) => setImmediate(resolve));
          else if (each === 'wait') await tail.settle();
          else if (each === 'crash') {
            await tail.crash();
            await tail.start();
          }
        }
        await tail.settle();
        await tail.crash();
        assert.deepEqual(tail.messages().sort(), sorted(...expected));
      },
    ),
    { numRuns: 100 },
  );
});
