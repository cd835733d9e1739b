/** How a stream's open shards divide the hash space, and the splits and merges that make them even. */
import type { Shard } from '@aws-sdk/client-kinesis';

/** The hash space: keys are numbers of 128 bits. */
export const HASH_KEYS = 2n ** 128n;

/** A shard that takes records, with the first and the last of its hash keys. */
export interface OpenShard {
  readonly id: string;
  readonly first: bigint;
  readonly last: bigint;
}

/** By their hash keys. */
export function openShards(shards: readonly Shard[]): OpenShard[] {
  return shards
    .filter(({ SequenceNumberRange: range }) => range?.EndingSequenceNumber === undefined)
    .map(({ ShardId, HashKeyRange: range }) => ({
      id: ShardId!,
      first: BigInt(range!.StartingHashKey!),
      last: BigInt(range!.EndingHashKey!),
    }))
    .sort((a, b) => (a.first < b.first ? -1 : 1));
}

/** The part of the hash space, 0 to 1. */
export function shareOf({ first, last }: OpenShard): number {
  return Number(((last - first + 1n) * 1_000_000n) / HASH_KEYS) / 1_000_000;
}

/** The hash key at which a split halves a shard. */
export function middleOf({ first, last }: OpenShard): bigint {
  return first + (last - first + 1n) / 2n;
}

export type Reshard =
  | { readonly kind: 'split'; readonly shard: string; readonly at: bigint }
  | { readonly kind: 'merge'; readonly shard: string; readonly with: string };

/** Where the shards of an even layout begin, the first at 0. */
function evenStarts(count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => (HASH_KEYS * BigInt(i)) / BigInt(count));
}

/**
 * The next step towards `count` shards of the same size, or null when they are: first every even border that no shard
 * has is made by a split, then whatever else divides a range is merged. Each step is found from the layout alone, so that
 * an interrupted run goes on where it stopped.
 */
export function nextEvenStep(shards: readonly OpenShard[], count: number): Reshard | null {
  const starts = evenStarts(count);
  const has = new Set(shards.map(({ first }) => first));
  const missing = starts.find((start) => !has.has(start));
  if (missing !== undefined) {
    const shard = shards.find(({ first, last }) => first < missing && missing <= last)!;
    return { kind: 'split', shard: shard.id, at: missing };
  }
  const wanted = new Set(starts);
  const extra = shards.findIndex(({ first }) => !wanted.has(first));
  if (extra === -1) return null;
  return { kind: 'merge', shard: shards[extra - 1]!.id, with: shards[extra]!.id };
}

/** The layout after a step; new shards have the names of their parents. */
export function after(shards: readonly OpenShard[], step: Reshard): OpenShard[] {
  if (step.kind === 'split') {
    return shards.flatMap((shard) =>
      shard.id === step.shard
        ? [
            { id: `${shard.id}a`, first: shard.first, last: step.at - 1n },
            { id: `${shard.id}b`, first: step.at, last: shard.last },
          ]
        : [shard],
    );
  }
  const merged = shards.find(({ id }) => id === step.with)!;
  return shards
    .filter(({ id }) => id !== step.with)
    .map((shard) =>
      shard.id === step.shard ? { id: `${shard.id}+`, first: shard.first, last: merged.last } : shard,
    );
}

/** All steps to an even layout. */
export function stepsToEven(shards: readonly OpenShard[], count: number): Reshard[] {
  const steps: Reshard[] = [];
  let layout = [...shards];
  for (let step = nextEvenStep(layout, count); step !== null; step = nextEvenStep(layout, count)) {
    steps.push(step);
    layout = after(layout, step);
  }
  return steps;
}
