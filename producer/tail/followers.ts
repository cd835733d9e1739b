/** Everything of an input that is open for reading, and what the state says of files that were not found again yet. */
import type { BigIntStats } from 'node:fs';
import type { StateMap } from '../state.ts';
import { Follower, fromJson, type SavedFollower, toJson } from './follower.ts';
import type { Splitter } from './lines.ts';
import type { FollowedLog } from './log.ts';
import { fileKey, type Source } from './source.ts';

const FILE = 'file ';
/** Milliseconds after its last growth for which a log is looked at often. */
export const ACTIVE = 5000;

/** Where reading begins. */
export type Start = Pick<SavedFollower, 'offset' | 'skipping'>;

/** A file that is going to be read. */
export interface Found {
  /** Its path; symbolic links are followed. */
  readonly file: string;
  readonly stats: BigIntStats;
  readonly source: Source;
  /** The first bytes of the log in it. */
  readonly head: Buffer;
}

export interface FollowersParts {
  readonly state: StateMap;
  readonly uptime: () => number;
  /** Makes the splitter of a file of this log, with the parser of its tag behind it. */
  readonly splitter: (path: string) => Splitter;
}

export class Followers {
  readonly #parts: FollowersParts;
  /** By device and inode. */
  readonly #open = new Map<string, Follower>();
  readonly #saved = new Map<string, SavedFollower>();
  readonly #gone: string[] = [];

  constructor(parts: FollowersParts) {
    this.#parts = parts;
    for (const [key, value] of parts.state.entries()) {
      const saved = key.startsWith(FILE) ? fromJson(value) : null;
      if (saved) this.#saved.set(key.slice(FILE.length), saved);
    }
  }

  get(key: string): Follower | undefined {
    return this.#open.get(key);
  }

  all(): Iterable<Follower> {
    return this.#open.values();
  }

  get count(): number {
    return this.#open.size;
  }

  /** What the state says of files that were not found again yet, by device and inode. */
  get saved(): ReadonlyMap<string, SavedFollower> {
    return this.#saved;
  }

  /** A file of the state was found. */
  claim(key: string): void {
    this.#saved.delete(key);
  }

  /** A file of the state is there no more, or only as a copy that has another inode. */
  abandon(key: string): void {
    this.#saved.delete(key);
    this.#gone.push(key);
  }

  add(log: FollowedLog, { file, stats, source, head }: Found, from: Start): Follower {
    const key = fileKey(stats);
    const now = this.#parts.uptime();
    const splitter = this.#parts.splitter(log.path);
    splitter.skipping = from.skipping;
    const follower = new Follower({
      key,
      path: log.path,
      openedAs: file,
      born: bornOf(stats),
      source,
      splitter,
      offset: from.offset,
      head,
      now,
    });
    this.#open.set(key, follower);
    log.activeUntil = now + ACTIVE;
    return follower;
  }

  /** Closes a file. */
  remove(follower: Follower): void {
    this.#open.delete(follower.key);
    this.#gone.push(follower.key);
    follower.source.close();
  }

  /** Writes what changed since the last call into the state. */
  save(): void {
    const { state } = this.#parts;
    for (const key of this.#gone.splice(0)) if (!this.#open.has(key)) state.delete(`${FILE}${key}`);
    for (const follower of this.#open.values()) {
      if (!follower.dirty) continue;
      follower.dirty = false;
      state.set(`${FILE}${follower.key}`, toJson(follower.saved()));
    }
  }

  close(): void {
    for (const follower of this.#open.values()) follower.source.close();
    this.#open.clear();
  }
}

/** When a file was made, in nanoseconds since 1970. */
export function bornOf(stats: BigIntStats): string {
  return String(stats.birthtimeNs);
}
