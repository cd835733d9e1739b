/** The live view: it fits the terminal, survives a resize, leaves nothing behind, and its lag is true. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { Lag } from '../../../local/lag.ts';
import { Painter, type Snapshot, viewLine, viewLines } from '../../../local/view.ts';

function snapshot(shards: number): Snapshot {
  const recent = Array.from({ length: 40 }, (_, i) => `13:56:55  GET  /products/${i}?event=4373  200  533 B`);
  return {
    elapsedMs: 3_725_000,
    made: 201.4,
    archived: 198.7,
    lagMs: 3100,
    phase: 'Ctrl-C stops it cleanly',
    console: 'http://127.0.0.1:41234/',
    demo: {
      made: 1_234_567,
      log: 1_000_000,
      forward: 234_567,
      unsure: 0,
      rotations: 12,
      recent,
      finished: false,
    },
    agent: {
      state: 'ready',
      reasons: [],
      sealed: 1_234_000,
      acknowledged: 1_233_000,
      records: 100_000,
      spoolBytes: 123_456_789,
      oldestMs: 10,
    },
    consumer: {
      phase: 'running',
      openShards: shards,
      restarts: 0,
      archived: 1_230_000,
      objects: 1234,
      bytes: 9_876_543_210,
      duplicates: 0,
      oldestMs: 5,
      shards: Array.from({ length: shards }, (_, i) => ({
        id: `shardId-00000000000${i}`,
        phase: i === 0 ? 'lost' : 'running',
        records: 123_456,
        archived: 1_234_567,
        pendingBytes: 123_456_789,
        behindMs: 250,
        trouble: null,
      })),
    },
  };
}

const ESC = '\x1b';
/** A control sequence (ECMA-48, section 5.4). */
const CONTROL = new RegExp(`${ESC}\\[[\\d;?]*[A-Za-z]`, 'g');

/** A terminal without a screen. */
class Terminal extends EventEmitter {
  columns = 80;
  rows = 24;
  text = '';

  write(text: string): boolean {
    this.text += text;
    return true;
  }

  /** The lines of the last picture. */
  get picture(): string[] {
    return this.text.split('\x1b[H').at(-1)!.replaceAll(CONTROL, '').split('\n').slice(0, -1);
  }
}

const painter = (terminal: Terminal, env: NodeJS.ProcessEnv = {}): Painter =>
  new Painter(terminal as unknown as NodeJS.WriteStream, env);

test('with four shards everything fits 80×24, events included', () => {
  const lines = viewLines(snapshot(4), '/home/someone/tailrace/data', 23);
  assert.equal(lines.length, 23);
  for (const line of lines) assert.ok(line.length < 80, line);
  assert.ok(lines.some((line) => line.includes('GET')));
  assert.match(lines.join('\n'), /not archived yet +4,567/);
  assert.match(lines.join('\n'), /console: http:\/\/127\.0\.0\.1:41234\//);
  assert.match(lines.join('\n'), /shardId-000000000000 released/, 'a lease that was given up');
});

test('any size of the terminal gets a picture of its size, and a resize paints at once', () => {
  const terminal = new Terminal();
  const view = painter(terminal);
  view.paint((rows) => viewLines(snapshot(8), 'data', rows));
  for (const [columns, rows] of [
    [80, 24],
    [40, 10],
    [200, 60],
    [20, 5],
  ] as const) {
    Object.assign(terminal, { columns, rows });
    terminal.emit('resize');
    assert.ok(terminal.picture.length < rows, `${terminal.picture.length} lines`);
    assert.ok(terminal.picture.every((line) => line.length < columns));
  }
  view.close();
  assert.equal(terminal.listenerCount('resize'), 0);
});

test('what is said while the picture is there is printed once it is gone, and the terminal is as it was', () => {
  const terminal = new Terminal();
  const view = painter(terminal);
  view.say('before');
  view.paint(() => ['picture']);
  view.say('meanwhile');
  assert.doesNotMatch(terminal.text, /meanwhile/);
  view.close();
  view.close();
  assert.ok(terminal.text.startsWith(`before\n${ESC}[?1049h`));
  assert.ok(terminal.text.endsWith(`${ESC}[?1049lmeanwhile\n`));
});

test('NO_COLOR leaves out every attribute', () => {
  for (const [env, bold] of [
    [{}, true],
    [{ NO_COLOR: '' }, true],
    [{ NO_COLOR: '1' }, false],
  ] as const) {
    const terminal = new Terminal();
    const view = painter(terminal, env);
    view.paint(() => ['title', 'rest']);
    view.close();
    assert.equal(terminal.text.includes(`${ESC}[1m`), bold, JSON.stringify(env));
  }
});

test('without a terminal a line says the same', () => {
  assert.equal(
    viewLine(snapshot(1)),
    '1:02:05 made 1234567 sent 1233000 archived 1230000 lag 3 s objects 1234',
  );
});

test('the lag is the age of the oldest event that is not archived yet', () => {
  const lag = new Lag();
  assert.equal(lag.update(0, 0, 0), 0);
  assert.equal(lag.update(1000, 10, 0), 0, 'just seen');
  assert.equal(lag.update(3000, 30, 0), 2000, 'true before anything is archived');
  assert.equal(lag.update(4000, 40, 10), 1000, 'the first ten are archived');
  assert.equal(lag.update(5000, 40, 40), 0);
  assert.equal(lag.update(9000, 40, 40), 0, 'idle');
});
