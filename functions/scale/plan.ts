/** How many shards a stream should have: from its busiest minutes, within the rules of UpdateShardCount. */

/** What a shard takes in a second. https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html */
const SHARD_BYTES = 1024 * 1024;
const SHARD_RECORDS = 1000;

export interface Load {
  /** Totals of each minute, oldest first. */
  readonly bytes: readonly number[];
  readonly records: readonly number[];
  /** Records refused in each minute. */
  readonly throttled: readonly number[];
}

export interface ScalePolicy {
  readonly minimum: number;
  readonly maximum: number;
  /** The part of the shards' capacity that is to be used, 0 to 1. */
  readonly target: number;
  /** Shards go only when fewer would still be below this part of their capacity. */
  readonly shrinkBelow: number;
}

/**
 * The number to ask for next, `open` when nothing is to be done. UpdateShardCount takes at most twice and at least
 * half of what is open, so that a larger step is made of several: each run goes on from what it finds.
 */
export function planShards(open: number, load: Load, policy: ScalePolicy): number {
  const wanted = clamp(wantedShards(open, load, policy), policy.minimum, policy.maximum);
  return clamp(wanted, Math.ceil(open / 2), open * 2);
}

function wantedShards(open: number, { bytes, records, throttled }: Load, policy: ScalePolicy): number {
  const peak = (minutes: readonly number[], limit: number): number => Math.max(0, ...minutes) / 60 / limit;
  const busy = Math.max(peak(bytes, SHARD_BYTES), peak(records, SHARD_RECORDS));
  const needed = Math.max(1, Math.ceil(busy / policy.target));
  // Refusals say that some shard is full whatever the average is.
  const grown = throttled.some((n) => n > 0) ? Math.max(needed, open + Math.ceil(open / 4)) : needed;
  if (grown >= open) return grown;
  return busy < grown * policy.shrinkBelow ? grown : open;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
