/** Which commits of a log fall into a time, found without reading the others, and what the log says before and after. */
import type { Commit } from '../commit.ts';
import { type LogName, loadState, newestCommit, readCommit } from '../commit-log.ts';
import type { ShardState } from '../state.ts';
import type { ArchiveStore } from '../store.ts';

export interface TimeRange {
  /** When commits were written, ms since 1970, both included. */
  readonly from: number;
  readonly to: number;
}

/** Numbers of the commits in the range, and what stands around them. */
export interface LogPart {
  readonly first: number;
  /** Less than `first` when there is none in the range. */
  readonly last: number;
  /** What was archived before the range; null when the log begins in it. */
  readonly before: ShardState | null;
  /** What is archived now, when more came after the range; null otherwise. */
  readonly now: ShardState | null;
  /** The commit after the range, which says what of its last one was lost. */
  readonly next: Commit | null;
}

/** @throws CommitCorruptError when a commit that it needs is missing or damaged */
export async function partOf(store: ArchiveStore, log: LogName, range: TimeRange): Promise<LogPart | null> {
  const newest = await newestCommit(store, log);
  if (newest === null) return null;
  const at = async (number: number): Promise<Commit> =>
    number === newest.number ? newest : readCommit(store, log, number);
  const first = await firstFrom(at, 1, newest.number, range.from);
  const beyond = await firstFrom(at, first, newest.number, range.to + 1);
  const next = beyond <= newest.number ? await at(beyond) : null;
  // rule: a part of the archive counts what was there before it
  const before = first > 1 ? await loadState(store, log, await at(first - 1)) : null;
  // rule: a part of the archive counts what has come after it
  return { first, last: beyond - 1, before, next, now: next && (await loadState(store, log, newest)) };
}

/** The first number in from..to whose commit was written at `time` or later; `to + 1` when there is none. */
async function firstFrom(
  at: (number: number) => Promise<Commit>,
  from: number,
  to: number,
  time: number,
): Promise<number> {
  let low = from;
  let high = to + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((await at(middle)).written < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
