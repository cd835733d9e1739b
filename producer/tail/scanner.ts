/**
 * Finds the files of a tail input: expands its globs, notices rotation, truncation and new files, and opens what is
 * to be read. It decides where reading begins; it reads nothing itself.
 */
import type { BigIntStats } from 'node:fs';
import * as path from 'node:path';
import type { Logger } from 'pino';
import type { StateMap } from '../state.ts';
import { FileAccess, type OpenedFile } from './access.ts';
import { CompressedSource } from './compressed.ts';
import { readHead } from './fingerprint.ts';
import type { Follower, SavedFollower } from './follower.ts';
import { ACTIVE, bornOf, Followers, type Start } from './followers.ts';
import { type Glob, listFolder } from './glob.ts';
import type { Splitter } from './lines.ts';
import { FollowedLog, TRUNCATED } from './log.ts';
import type { Symlinks } from './options.ts';
import { followedPaths, statOf } from './paths.ts';
import { holds, lastLine } from './position.ts';
import { RotatedFiles } from './rotated.ts';
import { fileKey, PlainSource } from './source.ts';

const LOG = 'log ';
/** When the input last looked, in milliseconds since 1970, to the minute; absent before its first start. */
const STARTED = 'started';
const SAVE_STARTED_AFTER = 60_000;
/** Milliseconds for which a log is remembered of which no file is left. */
const FORGET_AFTER = 3_600_000;
const NO_BYTES = Buffer.alloc(0);

export interface ScannerOptions {
  readonly include: readonly Glob[];
  readonly exclude: readonly Glob[];
  readonly readFromHead: boolean;
  readonly symlinks: Symlinks;
  /** Whether the files have an encoding of their own. */
  readonly encoded: boolean;
}

export interface ScannerParts {
  readonly state: StateMap;
  readonly log: Logger;
  readonly now: () => number;
  readonly uptime: () => number;
  readonly count: (event: ScanEvent, by?: number) => void;
  /** Makes the splitter of a file of this log, with the parser of its tag behind it. */
  readonly splitter: (path: string) => Splitter;
  /** Called with each file that may have something to read. */
  readonly ready: (follower: Follower) => void;
}

export type ScanEvent = 'rotated' | 'truncated' | 'lost_bytes' | 'gone' | 'refused' | 'damaged';

export class Scanner {
  readonly #options: ScannerOptions;
  readonly #parts: ScannerParts;
  readonly logs = new Map<string, FollowedLog>();
  readonly followers: Followers;
  readonly #access: FileAccess;
  readonly #rotated: RotatedFiles;
  #started: boolean;
  /** When everything was last looked at: what was written later is news even where its log is new. */
  #lookedAt: number;
  /** Whether the state said nothing of an earlier run. */
  readonly fresh: boolean;

  constructor(options: ScannerOptions, parts: ScannerParts) {
    this.#options = options;
    this.#parts = parts;
    const started = parts.state.get(STARTED);
    this.#started = typeof started === 'number';
    this.#lookedAt = typeof started === 'number' ? notLater(started, parts.now()) : Number.POSITIVE_INFINITY;
    this.fresh = !this.#started;
    this.#access = new FileAccess({ ...parts, symlinks: options.symlinks, encoded: options.encoded });
    this.followers = new Followers(parts);
    const lookedAt = (): number => this.#lookedAt;
    this.#rotated = new RotatedFiles({ ...parts, access: this.#access, followers: this.followers, lookedAt });
    for (const [key] of parts.state.entries()) if (key.startsWith(LOG)) this.#log(key.slice(LOG.length));
  }

  /** Expands the globs and looks at every log and all that lies beside it. */
  refresh(): void {
    const list = this.#access.lister();
    const { include, exclude } = this.#options;
    for (const file of followedPaths(include, exclude, list, (live) => this.logs.has(live))) this.#log(file);
    for (const log of this.logs.values()) this.look(log);
    for (const log of this.logs.values()) this.#access.guarded(log, () => this.#rotated.look(log, list));
    for (const [key, saved] of this.followers.saved) this.#lookWhereItLay(key, saved);
    for (const log of this.logs.values()) this.#forgetGone(log);
    this.#started = true;
    this.#lookedAt = this.#parts.now();
    this.#reportLost();
  }

  /** Takes up a file that its log's link led to before the start, and no longer leads to. */
  #lookWhereItLay(key: string, saved: SavedFollower): void {
    if (saved.at === undefined) return;
    const log = this.#log(saved.path);
    const opened = this.#access.open(log, saved.at);
    if (opened === null) return;
    const { source, head, stats } = opened;
    if (fileKey(stats) === key && this.#access.guarded(log, () => holds(source, head, saved), saved.at)) {
      this.followers.claim(key);
      this.#rotated.follow(log, { ...opened, file: saved.at }, saved);
    } else {
      source.close();
    }
  }

  /** Has the next look go through what lies beside each log, whatever the clocks of their folders say. */
  lookAtAll(): void {
    for (const log of this.logs.values()) log.folderSignature = '';
  }

  /** Looks at the file at a log's path; true when it is another one than before. */
  look(log: FollowedLog): boolean {
    // What can't be known changes nothing: the file that is open stays so.
    return this.#access.guarded(log, () => this.#look(log)) ?? false;
  }

  #look(log: FollowedLog): boolean {
    const stats = statOf(log.path);
    const key = stats === null ? null : fileKey(stats);
    let changed = false;
    if (log.live && log.live.key !== key) {
      this.#rotate(log, log.live);
      changed = true;
    }
    if (stats !== null && log.live === null) {
      this.#openLive(log);
      changed ||= log.live !== null;
    }
    if (stats !== null && log.live) this.#compare(log, log.live, stats);
    return changed;
  }

  /** Looks at a log and, where its file is another one, at what lies beside it. */
  lookClosely(log: FollowedLog): void {
    if (this.look(log)) this.#access.guarded(log, () => this.#rotated.look(log, listFolder));
  }

  /** Whether an earlier generation grew. */
  lookAtRotated(log: FollowedLog): void {
    for (const follower of log.rotated.values()) {
      const { source } = follower;
      if (source instanceof PlainSource)
        this.#access.guarded(log, () => this.#compare(log, follower, source.stats()));
      else this.#parts.ready(follower);
    }
  }

  /** A file no longer holds what was read of it: looks for a copy with the rest, and begins anew. */
  truncated(follower: Follower): void {
    const { log: logger, uptime, count } = this.#parts;
    const log = this.logs.get(follower.path)!;
    count('truncated');
    const { unread } = follower;
    log.note(follower.saved(), TRUNCATED);
    logger.info(
      { file: follower.openedAs, offset: follower.offset },
      'file was truncated: reading it from its start',
    );
    follower.restart(
      follower.source instanceof PlainSource ? readHead(follower.source.fd) : NO_BYTES,
      uptime(),
    );
    log.siblings.clear();
    const before = this.followers.count;
    this.#rotated.look(log, listFolder, true);
    if (unread > 0 && this.followers.count === before) {
      count('lost_bytes', unread);
      logger.warn(
        { file: follower.openedAs, bytes: unread },
        'truncated before its end was read, and no copy is there',
      );
    }
    this.#parts.ready(follower);
  }

  /** Closes a generation that was read to its end. */
  finish(follower: Follower): void {
    const log = this.logs.get(follower.path)!;
    const { source, key, born } = follower;
    const whole = source instanceof CompressedSource && source.whole;
    log.note(follower.saved(), { key, born, whole });
    log.rotated.delete(follower.key);
    // Looked at again, so that the ledger's entry is known to belong to a file that is there.
    log.siblings.clear();
    log.folderSignature = '';
    this.followers.remove(follower);
  }

  /** Lets go of a log of which nothing has been there for long: names with dates, containers that ended. */
  #forgetGone(log: FollowedLog): void {
    const now = this.#parts.uptime();
    if (log.live !== null || log.rotated.size > 0 || log.siblings.size > 0) log.presentAt = now;
    else if (log.presentAt === 0) log.presentAt = now;
    else if (now - log.presentAt > FORGET_AFTER) {
      this.logs.delete(log.path);
      this.#parts.state.delete(`${LOG}${log.path}`);
    }
  }

  /** Writes what changed since the last call into the state. */
  save(): void {
    const { state } = this.#parts;
    this.followers.save();
    for (const log of this.logs.values()) {
      if (!log.dirty) continue;
      log.dirty = false;
      state.set(`${LOG}${log.path}`, log.toJson());
    }
    const saved = state.get(STARTED);
    if (
      this.#started &&
      (typeof saved !== 'number' || Math.abs(this.#lookedAt - saved) > SAVE_STARTED_AFTER)
    ) {
      state.set(STARTED, this.#lookedAt);
    }
  }

  close(): void {
    // What was read stands in the builders, and its positions belong into the same cut.
    this.save();
    this.followers.close();
    this.logs.clear();
  }

  #log(file: string): FollowedLog {
    let log = this.logs.get(file);
    if (!log) {
      log = new FollowedLog(file, this.#parts.state.get(`${LOG}${file}`));
      this.logs.set(file, log);
    }
    return log;
  }

  #rotate(log: FollowedLog, follower: Follower): void {
    const { uptime, count, ready } = this.#parts;
    count('rotated');
    follower.rotated = true;
    follower.lastGrowth = uptime();
    log.rotated.set(follower.key, follower);
    log.live = null;
    // The folder may look as it did: several renames fit into one tick of its clock.
    log.folderSignature = '';
    ready(follower);
  }

  #compare(log: FollowedLog, follower: Follower, stats: BigIntStats): void {
    const signature = `${stats.size}:${stats.mtimeNs}`;
    if (follower.signature === signature) return;
    follower.signature = signature;
    follower.sized(Number(stats.size));
    log.activeUntil = this.#parts.uptime() + ACTIVE;
    this.#parts.ready(follower);
  }

  #openLive(log: FollowedLog): void {
    const opened = this.#access.open(log, log.path);
    if (opened === null) return;
    const { source, stats } = opened;
    const key = fileKey(stats);
    const known = this.followers.get(key);
    if (known) {
      source.close();
      // A symbolic link that points back to an earlier file; or two paths of one file, which is read once.
      if (known.path === log.path) {
        log.rotated.delete(key);
        known.rotated = false;
        log.live = known;
      }
      return;
    }
    this.#rotated.locate(log);
    try {
      const from = this.#startOf(log, opened);
      log.live = this.followers.add(log, { ...opened, file: path.join(log.folder, log.base) }, from);
    } catch (error) {
      source.close();
      throw error;
    }
  }

  #startOf(log: FollowedLog, { source, stats, head }: OpenedFile): Start {
    const key = fileKey(stats);
    const saved = this.followers.saved.get(key);
    const done = log.doneIn(key, bornOf(stats));
    if (saved && holds(source, head, saved)) {
      this.followers.claim(key);
      return saved;
    }
    // It was away for a while: a link that points back, a rotation that was undone.
    if (done !== null && holds(source, head, done)) return done;
    const atEnd = !this.#started && !this.#options.readFromHead;
    return { offset: atEnd ? lastLine(source, Number(stats.size)) : 0, skipping: false };
  }

  #reportLost(): void {
    for (const [key, saved] of this.followers.saved) {
      const log = this.#log(saved.path);
      // What can't be opened now may be opened later.
      if (log.refused.size > 0) continue;
      this.followers.abandon(key);
      if (saved.fingerprint.bytes === 0) continue;
      // It goes on there should it come back, as the files of a disk that is mounted late do.
      log.note(saved, { key, born: saved.born, whole: false });
      this.#parts.count('gone');
      this.#parts.log.warn(
        { file: saved.path, offset: saved.offset },
        'a file that was being read is gone: what was written to it after this offset can not be read',
      );
    }
  }
}

/** A moment that the state tells; one that is still to come was told by a wrong clock, and says nothing. */
function notLater(moment: number, now: number): number {
  return moment <= now ? moment : Number.NEGATIVE_INFINITY;
}
