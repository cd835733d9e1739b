/** Reads from an archive's commit logs what {@link judgeHours} needs to know of a range of hours. */
import { atOnce } from '../../base/at-once.ts';
import { isWhole } from '../catalog.ts';
import type { Commit } from '../commit.ts';
import { COMMITS_FOLDER } from '../commit-keys.ts';
import { type LogName, newestCommit, readCommit, shardsOf } from '../commit-log.ts';
import type { ArchiveStore } from '../store.ts';
import { partOf } from '../verify/range.ts';
import { Facts } from './facts.ts';

const HOUR_MS = 3_600_000;
/** Commits written so long before the first hour are read as well: clocks differ. */
const MARGIN_MS = 2 * HOUR_MS;
const LOGS_AT_ONCE = 8;
const READS_AT_ONCE = 32;

/**
 * @param firstHour since 1970
 * @param onProgress called as commits are read
 */
export async function readFacts(
  store: ArchiveStore,
  prefix: string,
  firstHour: number,
  onProgress: (done: number, total: number, what: string) => void = () => {},
): Promise<Facts> {
  const logs: LogName[] = [];
  for (const incarnation of (await store.folders(prefix + COMMITS_FOLDER)).sort())
    for (const shard of (await shardsOf(store, prefix, incarnation)).sort())
      logs.push({ prefix, incarnation, shard });
  const facts = new Facts();
  let total = 0;
  let done = 0;
  await atOnce(LOGS_AT_ONCE, logs, async (log) => {
    const newest = await newestCommit(store, log);
    const part = await partOf(store, log, {
      from: firstHour * HOUR_MS - MARGIN_MS,
      to: Number.MAX_SAFE_INTEGER,
    });
    if (part === null || newest === null) return;
    if (part.first > part.last) {
      if (part.before) facts.addState(part.before, null);
      return;
    }
    const numbers = Array.from({ length: part.last - part.first + 1 }, (_, i) => part.first + i);
    total += numbers.length;
    const commits: Commit[] = new Array(numbers.length);
    await atOnce(READS_AT_ONCE, numbers, async (number) => {
      commits[number - part.first] = await readCommit(store, log, number);
      onProgress(++done, total, 'commits');
    });
    // Only the newest commit of a log can lack data, and it may be voided.
    const final = (await isWhole(store, commits.at(-1)!)) ? commits : commits.slice(0, -1);
    if (part.before) facts.addState(part.before, commits[0]!);
    final.forEach((commit, i) => {
      facts.add(commit, new Set(commits[i + 1]?.voided.map(({ key }) => key)));
    });
  });
  return facts;
}
