/** Proves from the commit logs that the archive has every chunk once, or names what is missing or repeated. */
import { atOnce } from '../../base/at-once.ts';
import { TailraceError } from '../../base/errors.ts';
import type { Commit } from '../commit.ts';
import { COMMITS_FOLDER, CONDITIONAL_WRITE_PROBE, parseCommitKey } from '../commit-keys.ts';
import { logsOf, readCommit } from '../commit-log.ts';
import { objectFault } from '../damage.ts';
import { linesFault } from '../ndjson.ts';
import type { ArchiveStore } from '../store.ts';
import { standing } from '../voiding.ts';
import { Book, type Placed } from './book.ts';
import { checkPresent } from './present.ts';
import { type LogPart, partOf, type TimeRange } from './range.ts';
import { reportOf, type VerifyOptions, type VerifyReport } from './report.ts';

/** An archive that can be listed as well. */
export interface ArchiveReader extends ArchiveStore {
  list(prefix: string): AsyncIterable<{ readonly key: string; readonly bytes: number }>;
}

const READS_AT_ONCE = 32;
/** Whole objects. */
const DEEP_READS_AT_ONCE = 4;

export async function verifyArchive(
  store: ArchiveReader,
  prefix: string,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const book = new Book(options.deep);
  const logs = options.range
    ? await partsOfLogs(store, prefix, options.range, book.problems)
    : await listLogs(store, prefix, book.problems);
  const total = logs.reduce((sum, log) => sum + log.numbers.length, 0);
  let done = 0;
  for (const log of logs) {
    const commits = new Map<number, Commit>();
    await atOnce(READS_AT_ONCE, log.numbers, async (number) => {
      const commit = await noting(book.problems, () => readCommit(store, { prefix, ...log }, number));
      if (commit) commits.set(number, commit);
      done += 1;
      options.onProgress?.(done, total, 'commits');
    });
    const read = log.numbers.map((number) => commits.get(number)).filter((commit) => commit !== undefined);
    book.addLog(read, log.part);
  }
  const isExpired = ({ written }: Placed): boolean =>
    options.now - written > (options.expireAfter ?? Number.POSITIVE_INFINITY);
  book.expired = book.live.filter(isExpired).length;
  await atOnce(READS_AT_ONCE, book.newest, async (placed) => {
    if (isExpired(placed)) return;
    const { object, written } = placed;
    try {
      if ((await standing(store, object)) === 'data') return;
      book.unfinished.push(object.key);
      if (options.now - written >= options.pendingFor) {
        book.problems.push(
          `${object.key} has no data: no consumer has completed its commit, or it was deleted`,
        );
      }
    } catch (error) {
      book.problems.push((error as Error).message);
    }
  });
  if (!options.commitsOnly)
    await checkPresent(store, book, { ...options, prefix, isExpired, whole: options.range === undefined });
  if (options.deep)
    await checkObjects(
      store,
      book,
      book.live.filter((placed) => !isExpired(placed)),
      options,
    );
  return reportOf(book, options, logs.length);
}

/** A log, and what of it is read. */
interface Log {
  readonly incarnation: string;
  readonly shard: string;
  /** Ascending. */
  readonly numbers: number[];
  readonly part: LogPart | null;
}

/** Every log with the numbers of all its commits. */
async function listLogs(store: ArchiveReader, prefix: string, problems: string[]): Promise<Log[]> {
  const logs = new Map<string, Log>();
  for await (const { key } of store.list(prefix + COMMITS_FOLDER)) {
    if (key === prefix + CONDITIONAL_WRITE_PROBE) continue;
    const parsed = parseCommitKey(key);
    if (!parsed) {
      problems.push(`${key}: is not the name of a commit`);
      continue;
    }
    const { incarnation, shard, number } = parsed;
    const name = `${incarnation}/${shard}`;
    const log = logs.get(name);
    if (log) log.numbers.unshift(number);
    else logs.set(name, { incarnation, shard, numbers: [number], part: null });
  }
  for (const [name, { numbers }] of logs) {
    for (let i = 0; i < numbers.length; i++) {
      const expected = (numbers[i - 1] ?? 0) + 1;
      if (numbers[i]! !== expected)
        problems.push(`${name}: commits ${expected} to ${numbers[i]! - 1} are missing`);
    }
  }
  return [...logs.values()];
}

/** Every log with the numbers of its commits in a time. */
async function partsOfLogs(
  store: ArchiveReader,
  prefix: string,
  range: TimeRange,
  problems: string[],
): Promise<Log[]> {
  const logs: Log[] = [];
  await atOnce(READS_AT_ONCE, await logsOf(store, prefix), async (name) => {
    const part = await noting(problems, () => partOf(store, name, range));
    if (!part) return;
    const numbers = Array.from({ length: part.last - part.first + 1 }, (_, i) => part.first + i);
    logs.push({ ...name, numbers, part });
  });
  return logs;
}

/** What is wrong with the archive is noted, and not the end of it. */
async function noting<T>(problems: string[], work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TailraceError) || error.retriable) throw error;
    problems.push(error.message);
    return null;
  }
}

/** Reads every object: its checksum, its chunks', and that they are the ones that the commit names. */
async function checkObjects(
  store: ArchiveReader,
  book: Book,
  live: readonly Placed[],
  options: VerifyOptions,
): Promise<void> {
  let done = 0;
  const unfinished = new Set(book.unfinished);
  const there = live.filter(({ object }) => !unfinished.has(object.key));
  const check = async ({ object }: Placed): Promise<void> => {
    try {
      const bytes = await store.get(object.key);
      const fault = objectFault(object, bytes) ?? (await linesFault(bytes!));
      if (fault) book.problems.push(`${object.key}: ${fault}`);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'OBJECT_COLD') throw error;
      book.cold += 1;
    }
    done += 1;
    options.onProgress?.(done, there.length, 'objects');
  };
  await atOnce(DEEP_READS_AT_ONCE, there, check);
}
