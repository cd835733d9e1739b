import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { NumberedLog, temporaryFolder } from '../../../support/numbered-log.ts';
import { play, TailHarness } from '../../../support/tail-harness.ts';

async function read(
  t: TestContext,
  content: string | Buffer,
  options: Record<string, unknown> = {},
): Promise<TailHarness> {
  const file = path.join(temporaryFolder(t), 'a.log');
  fs.writeFileSync(file, content);
  const tail = new TailHarness({ path: file, ...options });
  t.after(() => tail.crash());
  await tail.start();
  await tail.settle();
  return tail;
}

test('CRLF, empty lines, a lone return inside a line', async (t) => {
  const tail = await read(t, 'a\r\n\r\n\nb\rc\r\n');
  assert.deepEqual(tail.messages(), ['a', '', '', 'b\rc']);
});

test('a last line without a newline is waited for', async (t) => {
  const file = path.join(temporaryFolder(t), 'a.log');
  fs.writeFileSync(file, 'one\ntw');
  const tail = new TailHarness({ path: file });
  t.after(() => tail.crash());
  await tail.start();
  await taken(tail, 1);
  assert.deepEqual(tail.messages(), ['one']);
  fs.appendFileSync(file, 'o\nthree\n');
  await tail.settle();
  assert.deepEqual(tail.messages(), ['one', 'two', 'three']);
});

test('a last line without a newline is taken when the file was rotated', async (t) => {
  const file = path.join(temporaryFolder(t), 'a.log');
  fs.writeFileSync(file, 'one\nend');
  const tail = new TailHarness({ path: file, rotate_wait: '1ms' });
  t.after(() => tail.crash());
  await tail.start();
  await taken(tail, 1);
  fs.renameSync(file, `${file}.1`);
  fs.writeFileSync(file, 'next\n');
  await taken(tail, 3);
  assert.deepEqual(tail.messages().sort(), ['end', 'next', 'one']);
});

test('a last line without a newline is taken by a flush, once it lies still', async (t) => {
  const tail = await read(t, 'one\nend');
  assert.deepEqual(tail.messages(), ['one', 'end']);
});

test('lines over the maximum are cut at a whole character and marked; what follows is a line of its own', async (t) => {
  const long = `${'x'.repeat(1023)}é${'y'.repeat(700_000)}`;
  const fits = 'z'.repeat(1024);
  const tail = await read(t, `a\n${long}\nb\n${fits}\r\n${long}`, { max_line_size: 1024 });
  const cut = { message: 'x'.repeat(1023), _truncated: true };
  assert.deepEqual(
    tail.lines().map((line) => JSON.parse(line)),
    [{ message: 'a' }, cut, { message: 'b' }, { message: fits }, cut],
  );
  assert.equal(tail.counters.total('tailrace_agent_tail_truncated_lines_total'), 2);
});

test('a restart in the middle of a line that was cut goes on behind it', async (t) => {
  const file = path.join(temporaryFolder(t), 'a.log');
  fs.writeFileSync(file, 'x'.repeat(5000));
  const tail = new TailHarness({ path: file, max_line_size: 1024 });
  t.after(() => tail.crash());
  await tail.start();
  await taken(tail, 1);
  await tail.crash();
  fs.appendFileSync(file, 'still the same line\nnext\n');
  await tail.start();
  await tail.settle();
  assert.deepEqual(tail.messages(), ['x'.repeat(1024), 'next']);
});

test('several lines, one event: a stack trace', async (t) => {
  const trace = 'ERROR boom\r\n  at a\r\n  at b';
  const tail = await read(t, `  stray\nINFO one\n${trace}\r\nINFO two\n  more`, {
    multiline: { start: '^[A-Z]+ ' },
  });
  assert.deepEqual(tail.messages(), ['  stray', 'INFO one', trace.replaceAll('\r', ''), 'INFO two\n  more']);
});

test('an event of several lines is taken whole after a restart, and by the interval', async (t) => {
  const file = path.join(temporaryFolder(t), 'a.log');
  fs.writeFileSync(file, 'INFO one\nERROR boom\n  at a\n');
  const tail = new TailHarness({ path: file, multiline: { start: '^[A-Z]+ ', flush_interval: '1h' } });
  t.after(() => tail.crash());
  await tail.start();
  await taken(tail, 1);
  await tail.crash();
  fs.appendFileSync(file, '  at b\nINFO two\n');
  tail.options.multiline = { start: '^[A-Z]+ ', flush_interval: '1ms' };
  await tail.start();
  await taken(tail, 3);
  assert.deepEqual(tail.messages(), ['INFO one', 'ERROR boom\n  at a\n  at b', 'INFO two']);
});

test('events of several lines over the maximum are cut, whatever lies in which read', async (t) => {
  const start = '^[A-Z]+ ';
  const long = `ERROR ${'x'.repeat(700_000)}`;
  const stack = `ERROR a\n${'  at b\n'.repeat(60_000)}`;
  const tail = await read(t, `INFO 1\n${long}\n  more\nINFO 2\n${stack}INFO 3\n${long}`, {
    multiline: { start },
  });
  const cut = (text: string) => text.slice(0, 256 * 1024);
  assert.deepEqual(tail.messages(), ['INFO 1', cut(long), 'INFO 2', cut(stack), 'INFO 3', cut(long)]);
  assert.equal(tail.counters.total('tailrace_agent_tail_truncated_lines_total'), 3);
});

test('a line that begins an event is not cut off with the event before it', async (t) => {
  const file = path.join(temporaryFolder(t), 'a.log');
  const first = `INFO ${'x'.repeat(900)}`;
  const second = `INFO ${'y'.repeat(900)}`;
  fs.writeFileSync(file, `${first}\n${second.slice(0, 500)}`);
  const tail = new TailHarness({ path: file, max_line_size: 1024, multiline: { start: '^INFO' } });
  t.after(() => tail.crash());
  await tail.start();
  await new Promise((resolve) => setImmediate(resolve));
  fs.appendFileSync(file, `${second.slice(500)}\n`);
  await tail.settle();
  assert.deepEqual(tail.messages(), [first, second]);
});

test('property: several lines, one event, whatever lies in which read and whenever the input dies', async (t) => {
  const line = fc.oneof(
    fc.constantFrom('INFO a', '  at b', '', 'x', 'INFO', `INFO ${'l'.repeat(1100)}`, 'INFO '.repeat(400)),
    fc.nat(1500).map((length) => ' '.repeat(length)),
  );
  const step = fc.oneof(
    { weight: 4, arbitrary: line.map((text) => `${text}\n`) },
    { weight: 2, arbitrary: line },
    { weight: 2, arbitrary: fc.constantFrom(null, undefined) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const file = path.join(temporaryFolder(t), 'a.log');
      fs.writeFileSync(file, '');
      const multiline = { start: '^INFO', flush_interval: '1h' };
      const tail = new TailHarness({ path: file, max_line_size: 1024, multiline });
      await tail.start();
      const text = await play(tail, file, steps);
      // The event before the last line is whole without a wait.
      fs.appendFileSync(file, '\nINFO end\nINFO\n');
      while (tail.messages().at(-1) !== 'INFO end') {
        await new Promise((resolve) => setImmediate(resolve));
        tail.cut();
      }
      await tail.crash();
      const expected = `${text}\nINFO end`.split(/\n(?=INFO)/);
      const events = tail.messages();
      assert.deepEqual(
        events.map((event) => event.slice(0, 1024)),
        expected.map((event) => event.slice(0, 1024)),
      );
    }),
    { numRuns: 60 },
  );
});

test('zeros that a writer leaves where it was truncated are not a line', async (t) => {
  const zeros = Buffer.alloc(600_000);
  const tail = await read(t, Buffer.concat([zeros, Buffer.from('one\ntwo\n')]));
  assert.deepEqual(tail.messages(), ['one', 'two']);
  // And after a restart in the middle of them.
  const file = path.join(temporaryFolder(t), 'b.log');
  fs.writeFileSync(file, zeros);
  const other = new TailHarness({ path: file });
  t.after(() => other.crash());
  await other.start();
  await other.settle();
  await other.crash();
  fs.appendFileSync(file, Buffer.concat([zeros, Buffer.from('one\n')]));
  await other.start();
  await other.settle();
  assert.deepEqual(other.messages(), ['one']);
});

test('read_from_head: false begins behind what is there at the first start, and misses nothing after it', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'a.log');
  fs.writeFileSync(file, 'old\nunfinished');
  const tail = new TailHarness({ path: path.join(folder, '*.log'), read_from_head: false });
  t.after(() => tail.crash());
  await tail.start();
  tail.cut();
  await tail.crash();
  fs.appendFileSync(file, ' line\nnew\n');
  fs.writeFileSync(path.join(folder, 'b.log'), 'other\n');
  await tail.start();
  await tail.settle();
  assert.deepEqual(tail.messages().sort(), ['new', 'other', 'unfinished line']);
});

test('globs, exclude_path and tags with a part of the name', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['a/x.log', 'b/y.log', 'b/c/z.log', 'b/no.txt', 'b/secret.log', 'b/.hidden.log']) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), `${name}\n`);
  }
  const tail = new TailHarness({
    path: [path.join(folder, '**/*.log'), path.join(folder, '{a,q}/?.log')],
    exclude_path: path.join(folder, '*/secret.log'),
    tag: `web.\${folder}.\${name}`,
  });
  t.after(() => tail.crash());
  await tail.start();
  await tail.settle();
  const found = tail.events().map(({ tag, message }) => `${tag} ${message}`);
  assert.deepEqual(found.sort(), ['web.a.x a/x.log', 'web.b.y b/y.log', 'web.c.z b/c/z.log']);
});

test('compressed files are not logs, whatever pattern they match', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['a.log', 'b.log.2.gz', 'c.zst', 'd.xz'])
    fs.writeFileSync(path.join(folder, name), 'one\n');
  const tail = new TailHarness({ path: path.join(folder, '*') });
  t.after(() => tail.crash());
  await tail.start();
  await tail.settle();
  assert.deepEqual(tail.messages(), ['one']);
});

test('files that come later are found', async (t) => {
  const folder = temporaryFolder(t);
  const tail = new TailHarness({ path: path.join(folder, '*.log'), refresh_interval: '10ms' });
  t.after(() => tail.crash());
  await tail.start();
  fs.writeFileSync(path.join(folder, 'a.log'), 'one\n');
  await taken(tail, 1);
  assert.deepEqual(tail.messages(), ['one']);
});

test('folders that come later are found', async (t) => {
  const folder = temporaryFolder(t);
  const tail = new TailHarness({ path: path.join(folder, 'pods/*/*.log'), refresh_interval: '10ms' });
  t.after(() => tail.crash());
  await tail.start();
  fs.mkdirSync(path.join(folder, 'pods', 'web'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'pods', 'web', 'a.log'), 'one\n');
  await taken(tail, 1);
  assert.deepEqual(tail.messages(), ['one']);
});

test('an idle file is read when it grows, and not when its input next looks', async (t) => {
  const folder = temporaryFolder(t);
  const log = new NumberedLog(path.join(folder, 'a.log'));
  log.write(1);
  const tail = new TailHarness({ path: log.file });
  t.after(() => tail.crash());
  // A clock that stands still: no time passes until the next look, and only the folder's watch can tell.
  tail.uptime = performance.now();
  await tail.start();
  await taken(tail, 1);
  tail.uptime += 5000;
  await tail.settle();
  log.write(1);
  await taken(tail, 2);
  log.assertOnce(tail.messages());
});

test('a new file is found while the clock is set back, and its last lines are read as soon as ever', async (t) => {
  const folder = temporaryFolder(t);
  const tail = new TailHarness({
    path: path.join(folder, '*.log'),
    refresh_interval: '20ms',
    rotate_wait: '20ms',
  });
  t.after(() => tail.crash());
  await tail.start();
  tail.clock = Date.now() - 7_200_000;
  const log = new NumberedLog(path.join(folder, 'a.log'));
  log.write(1);
  await taken(tail, 1);
  log.rename();
  fs.appendFileSync(`${log.file}.1`, 'no newline');
  await taken(tail, 2);
});

test('nothing is read while the input is paused', async (t) => {
  const folder = temporaryFolder(t);
  const log = new NumberedLog(path.join(folder, 'a.log'));
  const tail = new TailHarness({ path: log.file });
  t.after(() => tail.crash());
  const input = await tail.start();
  await tail.settle();
  input.pause();
  log.write(1000);
  const drained = input.drain();
  const first = await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, 300, 'paused'))]);
  assert.equal(first, 'paused');
  tail.cut();
  assert.deepEqual(tail.messages(), []);
  input.resume();
  await drained;
  tail.cut();
  log.assertOnce(tail.messages());
});

test('property: however a file grows, and whenever the input dies, its lines come once and in order', async (t) => {
  const piece = fc.oneof(
    fc.constantFrom('\n', '\r\n', 'x', 'é', '\r'),
    fc.string({ maxLength: 20 }),
    fc.nat(3000).map((length) => 'l'.repeat(length)),
  );
  const step = fc.oneof(
    { weight: 5, arbitrary: piece },
    { weight: 1, arbitrary: fc.constantFrom(null, undefined) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const file = path.join(temporaryFolder(t), 'a.log');
      fs.writeFileSync(file, '');
      const tail = new TailHarness({ path: file });
      await tail.start();
      const text = await play(tail, file, steps);
      fs.appendFileSync(file, '\nend\n');
      await tail.settle();
      await tail.crash();
      const expected = Buffer.from(`${text}\nend`)
        .toString()
        .split('\n')
        .map((line) => line.replace(/\r$/, ''));
      assert.deepEqual(tail.messages(), expected);
    }),
    { numRuns: 60 },
  );
});

/** Waits for events: cuts until there are as many. */
async function taken(tail: TailHarness, events: number): Promise<void> {
  for (;;) {
    tail.cut();
    if (tail.messages().length >= events) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
