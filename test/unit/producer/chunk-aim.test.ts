/** Chunks are cut where they just fit whole PUT units, as exactly as the lines allow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkAim } from '../../../producer/chunk-aim.ts';

const LIMIT = 250 * 1024 - 128;
const START = 1536 * 1024;

/** Chunks of lines whose ratio of compression is that of each number. */
function chunksOf(ratios: readonly number[]): { bytes: number[]; raw: number[] } {
  const aim = new ChunkAim(LIMIT);
  const bytes: number[] = [];
  const raw: number[] = [];
  let current = START;
  for (const ratio of ratios) {
    raw.push(current);
    bytes.push(current / ratio);
    current = aim.next(current, current, current / ratio);
  }
  return { bytes, raw };
}

/** A wave instead of chance: from -1 to 1. */
function wave(count: number): number[] {
  return Array.from({ length: count }, (_, n) => Math.sin(n * 2.4));
}

test('lines that compress alike fill their chunks to 99.5 % and never overfill them', () => {
  const { bytes } = chunksOf(wave(400).map((w) => 7.5 * (1 + 0.001 * w)));
  const later = bytes.slice(50);
  assert.ok(later.every((each) => each <= LIMIT));
  assert.ok(later.reduce((sum, each) => sum + each) / later.length > 0.995 * LIMIT);
});

test('where chunks differ the margin is 2 % and no more', () => {
  const { bytes } = chunksOf(wave(400).map((w) => 7.5 * (1 + 0.05 * w)));
  const mean = bytes.slice(50).reduce((sum, each) => sum + each) / 350;
  assert.ok(mean > 0.97 * LIMIT && mean < 0.99 * LIMIT, `${mean / LIMIT}`);
});

test('the first chunks of other lines are found soon, within the bounds of what a builder holds', () => {
  assert.ok(chunksOf(Array(30).fill(4)).bytes.at(-1)! > 0.97 * LIMIT);
  assert.equal(chunksOf(Array(60).fill(100)).raw.at(-1), 4 * 1024 * 1024);
  assert.equal(chunksOf(Array(60).fill(1)).raw.at(-1), 256 * 1024);
});

test('a small chunk, cut for another reason, says nothing', () => {
  assert.equal(new ChunkAim(LIMIT).next(START, 255 * 1024, 128 * 1024), START);
});
