/** How the memory of a worker's machine is divided between the daemon, the process that serves its shards, and their batches. */
import * as os from 'node:os';
import type { ConsumerConfig } from '../config.ts';

const MiB = 1024 * 1024;
/** What a JVM is not given less of, and not more of: beyond it collections take long, and more workers help more. */
const LEAST_HEAP = 256 * MiB;
const MOST_HEAP = 16 * 1024 * MiB;
/** Of the process that serves the shards, for objects; the records of batches are outside of it. */
const LEAST_OLD_SPACE = 256 * MiB;
const MOST_OLD_SPACE = 4 * 1024 * MiB;
/** Classes, buffers and whatever else KCL keeps, whatever the shards. */
const HEAP_BASE = 128 * MiB;
/**
 * KCL reads ahead while it holds less than 8 MiB of a shard, passes one read on as base64, and so needs some 20 MiB a shard
 * with reads of 10 records of 256 KiB, and up to 50 with reads of 10 MiB. A heap that runs out leads to the smaller ones.
 * 64 shards fit into half of the 3.7 GiB and more that instances of 4 GiB report.
 */
const HEAP_PER_SHARD = 27 * MiB;
/** A small young generation: most of what a shard's process allocates are lines of megabytes, which are not in it. */
export const NODE_FLAGS = ['--max-semi-space-size=2'];

/** Bytes that this machine, or the container around this process, has. */
export function machineMemory(): number {
  const limit = process.constrainedMemory();
  const total = os.totalmem();
  return limit > 0 && limit < total ? limit : total;
}

/** The daemon's heap, bytes: half of the memory unless it is configured. */
export function heapOf(
  { java }: { readonly java: Pick<ConsumerConfig['java'], 'heap'> },
  memory: number,
): number {
  return java.heap ?? Math.floor(within(LEAST_HEAP, memory / 2, MOST_HEAP) / MiB) * MiB;
}

/** The flags of the process that serves the shards: a quarter of the memory for its objects. */
export function nodeFlags(memory: number): readonly string[] {
  const oldSpace = Math.floor(within(LEAST_OLD_SPACE, memory / 4, MOST_OLD_SPACE) / MiB);
  return [...NODE_FLAGS, `--max-old-space-size=${oldSpace}`];
}

/** The heap, bytes, that so many shards need when all of them are far behind. */
export function heapFor(shards: number): number {
  return HEAP_BASE + shards * HEAP_PER_SHARD;
}

/** The other way around: at least one. */
export function shardsThatFit(heap: number): number {
  return Math.max(1, Math.floor((heap - HEAP_BASE) / HEAP_PER_SHARD));
}

/** Records of 256 KiB, as agents send them, that one read of 10 MiB has: a smaller limit takes effect. */
const FULL_READ_RECORDS = 40;
const SMALLER = 4;

/** How many records a read may have after the heap has run out with so many. */
export function fewerRecords(records: number): number {
  return Math.max(1, Math.floor(Math.min(records, FULL_READ_RECORDS) / SMALLER));
}

function within(least: number, value: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
