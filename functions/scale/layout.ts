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
    return shards.flatMap((shard) => (shard.id === step.shard ? halvesOf(shard, step.at) : [shard]));
  }
  const other = shards.find(({ id }) => id === step.with)!;
  return shards
    .filter(({ id }) => id !== step.with)
    .map((shard) => (shard.id === step.shard ? mergedOf(shard, other) : shard));
}

function halvesOf({ id, first, last }: OpenShard, at: bigint): [OpenShard, OpenShard] {
  return [
    { id: `${id}a`, first, last: at - 1n },
    { id: `${id}b`, first: at, last },
  ];
}

function mergedOf({ id, first }: OpenShard, { last }: OpenShard): OpenShard {
  return { id: `${id}+`, first, last };
}

/** All steps to an even layout: those that `nextEvenStep` finds one by one, in one walk over the hash space. */
export function stepsToEven(shards: readonly OpenShard[], count: number): Reshard[] {
  const starts = evenStarts(count);
  const splits: Reshard[] = [];
  const pieces: OpenShard[] = [];
  let next = 0;
  for (let shard of shards) {
    for (; next < count && starts[next]! <= shard.last; next++) {
      const at = starts[next]!;
      if (at === shard.first) continue;
      splits.push({ kind: 'split', shard: shard.id, at });
      const [left, right] = halvesOf(shard, at);
      pieces.push(left);
      shard = right;
    }
    pieces.push(shard);
  }
  const wanted = new Set(starts);
  const merges: Reshard[] = [];
  let left = pieces[0]!;
  for (const piece of pieces.slice(1)) {
    if (wanted.has(piece.first)) left = piece;
    else {
      merges.push({ kind: 'merge', shard: left.id, with: piece.id });
      left = mergedOf(left, piece);
    }
  }
  return [...splits, ...merges];
}
