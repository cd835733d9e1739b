/** What the archive holds, from its commit logs: the objects that stand, without what was voided. */
import { atOnce } from '../base/at-once.ts';
import type { Commit, CommitObject } from './commit.ts';
import { commitFolder, parseCommitKey } from './commit-keys.ts';
import { logsOf, readCommit } from './commit-log.ts';
import type { ArchiveStore } from './store.ts';

export interface CatalogEntry {
  readonly object: CommitObject;
  readonly incarnation: string;
  readonly shard: string;
  readonly number: number;
}

export interface CatalogFilter {
  readonly tag?: (tag: string) => boolean;
  /** Whole hours since 1970, both included. */
  readonly hours?: readonly [number, number];
}

const READS_AT_ONCE = 32;

/** Reads the logs, and on the next call what has come since. */
export class Catalog {
  readonly #store: ArchiveStore;
  readonly #prefix: string;
  /** Newest commit read of each log. */
  readonly #read = new Map<string, Commit>();
  /** Newest commit of each log that is left out. */
  readonly #skipped = new Map<string, number>();

  readonly #onProgress: ((done: number, total: number, what: string) => void) | undefined;

  constructor(
    store: ArchiveStore,
    prefix: string,
    onProgress?: (done: number, total: number, what: string) => void,
  ) {
    this.#store = store;
    this.#prefix = prefix;
    this.#onProgress = onProgress;
  }

  /**
   * The objects of commits that were not read before; in the order of hour, shard and commit.
   *
   * @param settled leaves the newest commit of each log for the next call when its data is not all there
   */
  async next(filter: CatalogFilter, settled = false): Promise<CatalogEntry[]> {
    const numbers = await this.#logs();
    const total = [...numbers.values()].reduce((sum, { from, to }) => sum + to - from + 1, 0);
    let done = 0;
    const onRead = (): void => {
      done += 1;
      this.#onProgress?.(done, total, 'commits');
    };
    const entries: CatalogEntry[] = [];
    for (const [name, log] of numbers) {
      const commits = await this.#readRange(log, log.from, log.to, onRead);
      const isLeft = settled && commits.length > 0 && !(await isWhole(this.#store, commits.at(-1)!));
      // What a commit that is left voids of the one before it is void.
      const taken = isLeft ? commits.slice(0, -1) : commits;
      taken.forEach((commit, i) => {
        const lost = new Set(commits[i + 1]?.voided.map(({ key }) => key));
        for (const object of commit.objects) {
          if (lost.has(object.key) || !matches(object, filter)) continue;
          entries.push({ object, incarnation: log.incarnation, shard: log.shard, number: commit.number });
        }
      });
      const last = taken.at(-1);
      if (last) this.#read.set(name, last);
    }
    return entries.sort(inOrder);
  }

  /** Calls `take` with all commits of each log, in their order; those of voided objects as well. */
  async each(take: (commits: readonly Commit[]) => void): Promise<void> {
    const logs = [...(await this.#logs()).values()];
    const total = logs.reduce((sum, { to }) => sum + to, 0);
    let done = 0;
    for (const log of logs) {
      take(
        await this.#readRange(log, 1, log.to, () => {
          done += 1;
          this.#onProgress?.(done, total, 'commits');
        }),
      );
    }
  }

  /**
   * Leaves out what is in the logs now, except for the newest commit of each, whose data may still be missing.
   *
   * @returns of each log, as `incarnation/shard`, the newest number that is left out
   */
  async skipToEnd(): Promise<ReadonlyMap<string, number>> {
    for (const { incarnation, shard, to } of (await this.#logs()).values()) {
      if (to > 1) this.#skipped.set(`${incarnation}/${shard}`, to - 1);
    }
    return this.#skipped;
  }

  /** Every log, and which of its commits were not read yet. */
  async #logs(): Promise<Map<string, { incarnation: string; shard: string; from: number; to: number }>> {
    const logs = new Map<string, { incarnation: string; shard: string; from: number; to: number }>();
    for (const { incarnation, shard } of await logsOf(this.#store, this.#prefix)) {
      // The newest is listed first, and numbers have no gaps: whoever follows an archive need not list all of it.
      const key = await this.#store.first(commitFolder(this.#prefix, incarnation, shard));
      const newest = key === null ? null : parseCommitKey(key);
      const name = `${incarnation}/${shard}`;
      const from = (this.#read.get(name)?.number ?? this.#skipped.get(name) ?? 0) + 1;
      if (newest) logs.set(name, { incarnation, shard, from, to: newest.number });
    }
    return logs;
  }

  async #readRange(
    log: { incarnation: string; shard: string },
    from: number,
    to: number,
    onRead: () => void,
  ): Promise<Commit[]> {
    const commits: Commit[] = [];
    const numbers = Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
    await atOnce(READS_AT_ONCE, numbers, async (number) => {
      commits[number - from] = await readCommit(this.#store, { prefix: this.#prefix, ...log }, number);
      onRead();
    });
    return commits;
  }
}

/** Whether all that a commit names has its data. */
export async function isWhole(store: ArchiveStore, commit: Commit): Promise<boolean> {
  for (const object of commit.objects) {
    if ((await store.head(object.key)) !== object.bytes) return false;
  }
  return true;
}

/** Hour by hour; within one, as the shards were archived. */
export function inOrder(a: CatalogEntry, b: CatalogEntry): number {
  return (
    a.object.hour - b.object.hour ||
    compare(a.incarnation, b.incarnation) ||
    compare(a.shard, b.shard) ||
    a.number - b.number
  );
}

function matches(object: CommitObject, { tag, hours }: CatalogFilter): boolean {
  if (tag && !tag(object.tag)) return false;
  return !hours || (object.hour >= hours[0] && object.hour <= hours[1]);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
