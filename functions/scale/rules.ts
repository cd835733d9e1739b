/** The rules of a provisioned stream's shard count, and what shards cost. */

/** What a shard takes in a second. https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html */
export const SHARD_BYTES = 1024 * 1024;
export const SHARD_RECORDS = 1000;

/** https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html */
export const CHANGES_PER_DAY = 10;
export const MOST_SHARDS = 10_000;
const DAY_MS = 86_400_000;
/** Changes that `tailrace shards` leaves for growth, unless it is an emergency. */
export const RESERVED_CHANGES = 2;

/** Dollars for an hour of a shard, list price of us-east-1; with more than 24 hours of retention it is the second. */
export const SHARD_HOUR = 0.015;
const EXTENDED_SHARD_HOUR = 0.035;
const HOURS_PER_MONTH = 730;

/** The most that one change may lead to, and the least. */
export const mostAfter = (open: number): number => open * 2;
export const leastAfter = (open: number): number => Math.ceil(open / 2);

/**
 * The counts that lead from one number of shards to another, one change each.
 *
 * @throws RangeError when either is not a number of shards: no steps lead there
 */
export function stepsTo(open: number, target: number): number[] {
  for (const shards of [open, target]) {
    if (!Number.isSafeInteger(shards) || shards < 1) throw new RangeError(`${shards} shards: at least 1`);
  }
  const steps: number[] = [];
  for (let at = open; at !== target; steps.push(at)) {
    at = Math.min(Math.max(target, leastAfter(at)), mostAfter(at));
  }
  return steps;
}

/** The changes of the last rolling 24 hours among `changes`, milliseconds since 1970. */
export function changesOfDay(changes: readonly number[], now: number): number[] {
  return changes.filter((at) => at > now - DAY_MS);
}

/** Dollars a month for so many shards. */
export function monthlyCost(shards: number, retentionHours: number): number {
  return shards * HOURS_PER_MONTH * (retentionHours > 24 ? EXTENDED_SHARD_HOUR : SHARD_HOUR);
}
