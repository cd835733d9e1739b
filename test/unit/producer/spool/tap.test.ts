/** `tailrace tap` from outside: only what is new, whole records alone, tags and rates as asked for. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Taps } from '../../../../cli/taps.ts';
import { recordHeader } from '../../../../producer/spool/record.ts';
import { SpoolTap, type Tapped } from '../../../../producer/spool/tap.ts';
import { ChunkSource } from '../../../support/chunks.ts';

const everything = (): boolean => true;
const idsOf = (tapped: readonly Tapped[]): string[] =>
  tapped.flatMap(({ ndjson }) =>
    ndjson
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { id: string }).id),
  );

function setUp(context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'tap-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const source = new ChunkSource({ name: 'a' });
  const record = (tag: string, events: number) => {
    const { bytes, ids } = source.next(tag, 495_000, events);
    return { bytes: Buffer.concat([recordHeader('chunk', bytes), bytes]), ids };
  };
  return { folder, record, segment: (n: number) => join(folder, `${String(n).padStart(12, '0')}.seg`) };
}

test('only what comes after the first call is shown, over all segments', (context) => {
  const { folder, record, segment } = setUp(context);
  const [old, one, two] = [record('x', 2), record('x', 2), record('y', 1)];
  writeFileSync(segment(1), old.bytes);
  const tap = new SpoolTap(folder);
  assert.deepEqual(tap.poll(everything), []);
  appendFileSync(segment(1), one.bytes);
  writeFileSync(segment(2), two.bytes);
  assert.deepEqual(idsOf(tap.poll(everything)), [...one.ids, ...two.ids]);
  assert.deepEqual(tap.poll(everything), []);
  rmSync(segment(1));
  assert.deepEqual(tap.poll(everything), []);
  assert.deepEqual(idsOf(new SpoolTap(folder, true).poll(everything)), two.ids, 'from the start');
});

test('a record that is being written is shown once it is whole, however it is cut', (context) => {
  const { folder, record, segment } = setUp(context);
  const { bytes, ids } = record('x', 3);
  for (const at of [1, 3, 15, 16, 40, bytes.length - 1]) {
    writeFileSync(segment(1), '');
    const tap = new SpoolTap(folder, true);
    appendFileSync(segment(1), bytes.subarray(0, at));
    assert.deepEqual(tap.poll(everything), [], `after ${at} bytes`);
    appendFileSync(segment(1), bytes.subarray(at));
    assert.deepEqual(idsOf(tap.poll(everything)), ids, `after ${at} bytes`);
  }
});

test('tags are passed over without inflating them', (context) => {
  const { folder, record, segment } = setUp(context);
  const [x, y] = [record('nginx.access', 1), record('app', 1)];
  writeFileSync(segment(1), Buffer.concat([x.bytes, y.bytes]));
  const taps = new Taps({ tag: 'nginx.*', limit: 10 });
  assert.deepEqual(idsOf(new SpoolTap(folder, true).poll((tag) => taps.wants(tag))), x.ids);
  assert.equal(taps.wants('nginxXaccess'), false);
});

test('no more than the limit is shown in a second, and the rest is counted', () => {
  const taps = new Taps({ grep: 'k', limit: 2 });
  const chunks = [{ tag: 'x', ndjson: Buffer.from('k1\nother\nk2\nk3\nk4\n') }];
  const shown = (now: number): string[] => [...taps.select(chunks, now)].map(({ line }) => line);
  assert.deepEqual(shown(0), ['k1', 'k2']);
  assert.equal(taps.takeHidden(), 2);
  assert.deepEqual(shown(999), []);
  assert.deepEqual(shown(1000), ['k1', 'k2']);
  assert.equal(taps.takeHidden(), 6);
});
