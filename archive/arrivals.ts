/** How current an archive is, shard by shard, from the newest commits of its logs alone. */

import { atOnce } from '../base/at-once.ts';
import { type LogName, logsOf, newestCommit, readCommit } from './commit-log.ts';
import type { ArchiveStore } from './store.ts';

export interface ShardArrivals {
  readonly incarnation: string;
  readonly shard: string;
  /** Number of the newest commit. */
  readonly commits: number;
  /** Whether the shard was split or merged and all of it is archived. */
  readonly closed: boolean;
  /** Arrival time of the newest record that a commit covers, ms; null when none covers any. */
  readonly newest: number | null;
  /** When the newest commit was written, ms by its writer's clock. */
  readonly written: number;
  /** Arrival time from which on `events` and `bytes` are counted, ms: later than asked for when there are many commits. */
  readonly from: number;
  readonly events: number;
  /** Length of their objects. */
  readonly bytes: number;
}

/** Commits read per shard at the most: with the default batches, an hour has twelve. */
const MOST_COMMITS = 64;
const SHARDS_AT_ONCE = 8;

/**
 * @param since arrival time in ms; commits of which all records came before it do not count as recent
 * @returns shards with a log, oldest incarnation first
 */
export async function arrivalsOf(
  store: ArchiveStore,
  prefix: string,
  since: number,
): Promise<ShardArrivals[]> {
  const logs = await logsOf(store, prefix);
  const found = new Map<LogName, ShardArrivals>();
  await atOnce(SHARDS_AT_ONCE, logs, async (log) => {
    const one = await arrivalsOfShard(store, log, since);
    if (one !== null) found.set(log, one);
  });
  return logs.flatMap((log) => found.get(log) ?? []);
}

async function arrivalsOfShard(
  store: ArchiveStore,
  log: LogName,
  since: number,
): Promise<ShardArrivals | null> {
  const newest = await newestCommit(store, log);
  if (newest === null) return null;
  let events = 0;
  let bytes = 0;
  let arrival: number | null = null;
  let from = since;
  let commit = newest;
  for (let read = 1; ; read++) {
    arrival ??= commit.arrival?.[1] ?? null;
    if (commit.arrival !== null && commit.arrival[1] < since) break;
    for (const object of commit.objects) {
      events += object.events;
      bytes += object.bytes;
    }
    if (commit.number === 1) break;
    if (read === MOST_COMMITS) {
      from = Math.max(since, commit.arrival?.[0] ?? since);
      break;
    }
    commit = await readCommit(store, log, commit.number - 1);
  }
  const { incarnation, shard } = log;
  const { number: commits, close: closed, written } = newest;
  return { incarnation, shard, commits, closed, newest: arrival, written, from, events, bytes };
}
