/** The division of a worker's memory, and what a heap that has run out leads to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fewerRecords, heapFor, heapOf, nodeFlags, shardsThatFit } from '../../../../consumer/kcl/memory.ts';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const heap = (memory: number, configured?: number): number =>
  heapOf({ java: { heap: configured } }, memory) / MiB;

test('the daemon gets half of the memory, within bounds, or what is configured', () => {
  assert.deepEqual(
    [0.25, 0.5, 2, 4, 16, 64].map((gib) => heap(gib * GiB)),
    [256, 256, 1024, 2048, 8192, 16_384],
  );
  assert.equal(heap(4 * GiB, 300 * MiB), 300);
});

test('the process that serves the shards gets a quarter for its objects', () => {
  const flags = (gib: number): string => nodeFlags(gib * GiB).at(-1)!;
  assert.deepEqual(
    [0.5, 4, 64].map(flags),
    [256, 1024, 4096].map((mib) => `--max-old-space-size=${mib}`),
  );
});

test('so many shards fit as their heap does', () => {
  for (const shards of [1, 2, 30, 64]) {
    assert.equal(shardsThatFit(heapFor(shards)), shards);
    assert.equal(shardsThatFit(heapFor(shards) - 1), Math.max(1, shards - 1));
  }
  assert.equal(shardsThatFit(0), 1);
});

test('the shards that the stack gives an instance fit into what is left of its memory after the kernel', () => {
  // A kernel keeps some 6 % of a small instance's memory: of 4 GiB it reports some 3.75.
  for (const [shards, gib] of [
    [64, 3.7],
    [128, 7.4],
    [256, 15],
    [512, 30],
  ] as const) {
    assert.ok(shardsThatFit(heap(gib * GiB) * MiB) >= shards, `${shards} shards`);
  }
});

test('each time the heap runs out a read has a quarter of the records, down to one', () => {
  const steps = [10_000];
  for (let i = 0; i < 4; i++) steps.push(fewerRecords(steps.at(-1)!));
  assert.deepEqual(steps, [10_000, 10, 2, 1, 1]);
});
