/** Reads from an archive's commit logs what {@link judgeHours} needs to know of a range of hours, once or as it grows. */
import { atOnce } from '../../base/at-once.ts';
import { isWhole } from '../catalog.ts';
import type { Commit } from '../commit.ts';
import { commitFolder, parseCommitKey } from '../commit-keys.ts';
import { type LogName, logsOf, newestCommit, readCommit } from '../commit-log.ts';
import type { ArchiveStore } from '../store.ts';
import { type LogPart, partOf } from '../verify/range.ts';
import { Facts } from './facts.ts';

const HOUR_MS = 3_600_000;
/** Commits written so long before the first hour are read as well: clocks differ. */
const MARGIN_MS = 2 * HOUR_MS;
const LOGS_AT_ONCE = 8;
const READS_AT_ONCE = 32;
/** Commits of a log that are held at a time. */
const SLICE = 256;

type ShowProgress = (done: number, total: number, what: string) => void;

/**
 * @param hours since 1970, first and last; what comes later is read too, because it may be late, but only these are kept
 * @param onProgress called as commits are read
 */
export async function readFacts(
  store: ArchiveStore,
  prefix: string,
  hours: readonly [number, number],
  onProgress?: ShowProgress,
): Promise<Facts> {
  const options = { keepHours: hours, ...(onProgress ? { onProgress } : {}) };
  const reader = new FactsReader(store, prefix, hours[0], options);
  await reader.look();
  return reader.facts;
}

export interface FactsReaderOptions {
  readonly onProgress?: ShowProgress;
  /** See {@link Facts}. */
  readonly keepRuns?: boolean;
  /** See {@link Facts}. */
  readonly keepHours?: readonly [number, number];
  /** Most commits that the first look reads: where there are more, it begins at a later hour. */
  readonly mostCommits?: number;
  /** Called for each commit that counts, in the order of its log; `lost` are keys of its objects that were voided. */
  readonly onCommit?: (commit: Commit, lost: ReadonlySet<string>) => void;
}

/** A log, and how far it has been read. */
interface Followed {
  readonly log: LogName;
  /** Number of the newest commit that the facts have. */
  read: number;
  /** Whether no further commit can come. */
  over: boolean;
}

/** Reads the logs, and on each further look what has come since. */
export class FactsReader {
  readonly facts: Facts;
  readonly #store: ArchiveStore;
  readonly #prefix: string;
  readonly #options: FactsReaderOptions;
  readonly #followed = new Map<string, Followed>();
  #firstHour: number;
  #isOlder = false;

  constructor(store: ArchiveStore, prefix: string, firstHour: number, options: FactsReaderOptions = {}) {
    this.#store = store;
    this.#prefix = prefix;
    this.#firstHour = firstHour;
    this.#options = options;
    this.facts = new Facts(options.keepRuns, options.keepHours);
  }

  /** The first hour of which all is known, since 1970. */
  get firstHour(): number {
    return this.#firstHour;
  }

  /** Whether the archive has commits of before what was read. */
  get isOlder(): boolean {
    return this.#isOlder;
  }

  /** Logs that may still grow. */
  get openLogs(): number {
    return [...this.#followed.values()].filter(({ over }) => !over).length;
  }

  async look(): Promise<void> {
    const fresh: LogName[] = [];
    const known: Followed[] = [];
    for (const log of await logsOf(this.#store, this.#prefix)) {
      const followed = this.#followed.get(`${log.incarnation}/${log.shard}`);
      if (followed) known.push(followed);
      else fresh.push(log);
    }
    await this.#begin(fresh);
    await atOnce(
      LOGS_AT_ONCE,
      known.filter(({ over }) => !over),
      async (followed) => {
        const { incarnation, shard } = followed.log;
        const key = await this.#store.first(commitFolder(this.#prefix, incarnation, shard));
        const newest = key === null ? null : parseCommitKey(key);
        if (newest === null || newest.number <= followed.read) return;
        await this.#take(followed, newest.number);
      },
    );
  }

  async #begin(fresh: readonly LogName[]): Promise<void> {
    let parts = await this.#parts(fresh);
    const isFirst = this.#followed.size === 0;
    const now = Math.floor(Date.now() / HOUR_MS);
    for (const most = this.#options.mostCommits; isFirst && most !== undefined && countOf(parts) > most; ) {
      if (this.#firstHour >= now) break;
      this.#firstHour = Math.ceil((this.#firstHour + now) / 2);
      parts = await this.#parts(fresh);
    }
    const total = countOf(parts);
    let done = 0;
    const onRead = (): void => this.#options.onProgress?.(++done, total, 'commits');
    await atOnce(LOGS_AT_ONCE, parts, async ({ log, part }) => {
      const followed = { log, read: part.first - 1, over: part.closed };
      const first = part.first <= part.last ? await readCommit(this.#store, log, part.first) : null;
      if (part.before) {
        this.#isOlder = true;
        this.facts.addState(part.before, first);
      }
      this.#followed.set(`${log.incarnation}/${log.shard}`, followed);
      if (first !== null) await this.#take(followed, part.last, onRead);
    });
  }

  async #parts(logs: readonly LogName[]): Promise<Beginning[]> {
    const from = this.#firstHour * HOUR_MS - MARGIN_MS;
    const parts: (Beginning | undefined)[] = new Array(logs.length);
    await atOnce(LOGS_AT_ONCE, [...logs.entries()], async ([i, log]) => {
      const newest = await newestCommit(this.#store, log);
      const part = await partOf(this.#store, log, { from, to: Number.MAX_SAFE_INTEGER });
      if (part === null || newest === null) return;
      const closed = newest.close && part.first > part.last && (await isWhole(this.#store, newest));
      parts[i] = { log, part: { ...part, closed } };
    });
    return parts.filter((part) => part !== undefined);
  }

  async #commits(log: LogName, first: number, last: number, onRead = () => {}): Promise<Commit[]> {
    const numbers = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    const commits: Commit[] = new Array(numbers.length);
    await atOnce(READS_AT_ONCE, numbers, async (number) => {
      commits[number - first] = await readCommit(this.#store, log, number);
      onRead();
    });
    return commits;
  }

  /** Takes what follows of a log, up to its commit `last`, a slice at a time: a log has commits without end. */
  async #take(followed: Followed, last: number, onRead = () => {}): Promise<void> {
    let newest: Commit | null = null;
    for (let first = followed.read + 1; first <= last; first += SLICE) {
      for (const commit of await this.#commits(
        followed.log,
        first,
        Math.min(last, first + SLICE - 1),
        onRead,
      )) {
        if (newest !== null) this.#add(followed, newest, commit);
        newest = commit;
      }
    }
    // Only the newest commit of a log can lack data, and it may be voided: it waits for the next look.
    if (newest === null || !(await isWhole(this.#store, newest))) return;
    this.#add(followed, newest, null);
    followed.over = newest.close;
  }

  /** @param next says which objects of it were voided */
  #add(followed: Followed, commit: Commit, next: Commit | null): void {
    const lost = new Set(next?.voided.map(({ key }) => key));
    this.facts.add(commit, lost);
    this.#options.onCommit?.(commit, lost);
    followed.read = commit.number;
  }
}

interface Beginning {
  readonly log: LogName;
  readonly part: LogPart & { readonly closed: boolean };
}

function countOf(parts: readonly Beginning[]): number {
  return parts.reduce((sum, { part }) => sum + part.last - part.first + 1, 0);
}
