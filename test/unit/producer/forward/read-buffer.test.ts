/** The buffer of a connection keeps what is worked on where it is, and gives back what a large message took. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReadBuffer } from '../../../../producer/forward/read-buffer.ts';

const read = (bytes: number, fill: number): Buffer => Buffer.alloc(bytes, fill);

test('bytes that are worked on stay as they are, whatever is read meanwhile', () => {
  for (const [first, second] of [
    [10, 20],
    [40_000, 30_000],
    [60_000, 10],
  ] as const) {
    const buffer = new ReadBuffer();
    buffer.add(read(first, 1), false, 0);
    buffer.add(read(second, 1), false, 0);
    const { bytes, at, end } = buffer;
    const message = bytes.subarray(at, end);
    const before = Buffer.from(message);
    buffer.at = end;
    for (const [size, fill] of [
      [5, 2],
      [60_000, 3],
      [70_000, 4],
    ] as const) {
      buffer.add(read(size, fill), true, 0);
      assert.deepEqual(message, before);
    }
    const rest = buffer.bytes.subarray(buffer.at, buffer.end);
    assert.deepEqual(rest, Buffer.concat([read(5, 2), read(60_000, 3), read(70_000, 4)]));
  }
});

test('the memory of a large message is released once it is done, and reading goes on', () => {
  const buffer = new ReadBuffer();
  for (let i = 0; i < 4; i++) buffer.add(read(1024 * 1024, i), false, 0);
  buffer.shrink();
  assert.equal(buffer.length, 4 * 1024 * 1024, 'it is not done');
  buffer.at = buffer.end;
  buffer.shrink();
  assert.equal(buffer.bytes.length, 0);
  buffer.add(read(10, 7), false, 0);
  assert.deepEqual(buffer.bytes.subarray(buffer.at, buffer.end), read(10, 7));
});
