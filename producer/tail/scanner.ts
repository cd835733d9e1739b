/**
 * Finds the files of a tail input: expands its globs, notices rotation, truncation and new files, and opens what is
 * to be read. It decides where reading begins; it reads nothing itself.
 */
import { type BigIntStats, realpathSync } from 'node:fs';
import * as path from 'node:path';
import type { Logger } from 'pino';
import type { StateMap } from '../state.ts';
import { CompressedSource, type OpenedCompressed, openCompressed } from './compressed.ts';
import { begins, fingerprint, readHead } from './fingerprint.ts';
import { Follower, fromJson, type SavedFollower, toJson } from './follower.ts';
import { generationOf, sameGeneration } from './generation.ts';
import { type Glob, type List, listFolder } from './glob.ts';
import type { Splitter } from './lines.ts';
import { BEFORE_OUR_TIME, type Done, FollowedLog, idOf, TRUNCATED } from './log.ts';
import { followedPaths, statOf } from './paths.ts';
import { holds, lastLine, type Position } from './position.ts';
import { basesOf, compressionOf, uncompressedName } from './rotation.ts';
import { fileKey, PlainSource, type Source } from './source.ts';

const FILE = 'file ';
const LOG = 'log ';
/** When the input last looked, in milliseconds since 1970, to the minute; absent before its first start. */
const STARTED = 'started';
const SAVE_STARTED_AFTER = 60_000;
/** Milliseconds by which a file system's clock may be behind: kernels stamp files by their last tick. */
const CLOCK_SLACK = 1000;
/** Milliseconds for which a log is remembered of which no file is left. */
const FORGET_AFTER = 3_600_000;
/** Milliseconds after which the siblings of a log are looked at though their folder did not change. */
const LOOK_AGAIN = 60_000;

export interface ScannerOptions {
  readonly include: readonly Glob[];
  readonly exclude: readonly Glob[];
  readonly readFromHead: boolean;
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
  /** Everything open, by device and inode. */
  readonly followers = new Map<string, Follower>();
  /** What the state says of files that were not found again yet. */
  readonly #saved = new Map<string, SavedFollower>();
  readonly #gone: string[] = [];
  readonly #refusedFolders = new Map<string, string>();
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
    this.#lookedAt = typeof started === 'number' ? started : Number.POSITIVE_INFINITY;
    this.fresh = !this.#started;
    for (const [key, value] of parts.state.entries()) {
      const saved = key.startsWith(FILE) ? fromJson(value) : null;
      if (saved) this.#saved.set(key.slice(FILE.length), saved);
      if (key.startsWith(LOG)) this.#log(key.slice(LOG.length));
    }
  }

  /** Expands the globs and looks at every log and all that lies beside it. */
  refresh(): void {
    const folders = new Map<string, ReturnType<List>>();
    const list: List = (folder) => {
      const known = folders.get(folder);
      if (known) return known;
      const entries = listFolder(folder, (code) => this.#refuseFolder(folder, code));
      folders.set(folder, entries);
      return entries;
    };
    const { include, exclude } = this.#options;
    for (const file of followedPaths(include, exclude, list, (live) => this.logs.has(live))) this.#log(file);
    for (const log of this.logs.values()) this.look(log);
    for (const log of this.logs.values()) this.#guarded(log, () => this.#lookBeside(log, list));
    for (const [key, saved] of this.#saved) this.#lookWhereItLay(key, saved);
    for (const log of this.logs.values()) this.#forgetGone(log);
    this.#started = true;
    this.#lookedAt = this.#parts.now();
    this.#reportLost();
  }

  /** Takes up a file that its log's link led to before the start, and no longer leads to. */
  #lookWhereItLay(key: string, saved: SavedFollower): void {
    if (saved.at === undefined) return;
    const log = this.#log(saved.path);
    const opened = this.#open(log, saved.at);
    if (opened === null) return;
    const { source, head, stats } = opened;
    if (fileKey(stats) === key && this.#guarded(log, () => holds(source, head, saved), saved.at)) {
      this.#saved.delete(key);
      this.#followRotated(log, saved.at, source, head, saved, stats);
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
    return this.#guarded(log, () => this.#look(log)) ?? false;
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
    if (this.look(log)) this.#guarded(log, () => this.#lookBeside(log, listFolder));
  }

  /** Whether an earlier generation grew. */
  lookAtRotated(log: FollowedLog): void {
    for (const follower of log.rotated.values()) {
      const { source } = follower;
      if (source instanceof PlainSource)
        this.#guarded(log, () => this.#compare(log, follower, source.stats()));
      else this.#parts.ready(follower);
    }
  }

  /** A file no longer holds what was read of it: looks for a copy with the rest, and begins anew. */
  truncated(follower: Follower): void {
    const { log: logger, now, count } = this.#parts;
    const log = this.logs.get(follower.path)!;
    count('truncated');
    const { unread } = follower;
    log.note(follower.saved(), TRUNCATED);
    logger.info(
      { file: follower.openedAs, offset: follower.offset },
      'file was truncated: reading it from its start',
    );
    follower.restart(follower.source instanceof PlainSource ? readHead(follower.source.fd) : NO_BYTES, now());
    log.siblings.clear();
    const before = this.followers.size;
    this.#lookBeside(log, listFolder, true);
    if (unread > 0 && this.followers.size === before) {
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
    this.#forget(follower);
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

  #forget(follower: Follower): void {
    this.followers.delete(follower.key);
    this.#gone.push(follower.key);
    follower.source.close();
  }

  /** Writes what changed since the last call into the state. */
  save(): void {
    const { state } = this.#parts;
    for (const key of this.#gone.splice(0)) if (!this.followers.has(key)) state.delete(`${FILE}${key}`);
    for (const follower of this.followers.values()) {
      if (!follower.dirty) continue;
      follower.dirty = false;
      state.set(`${FILE}${follower.key}`, toJson(follower.saved()));
    }
    for (const log of this.logs.values()) {
      if (!log.dirty) continue;
      log.dirty = false;
      state.set(`${LOG}${log.path}`, log.toJson());
    }
    const saved = state.get(STARTED);
    if (this.#started && (typeof saved !== 'number' || this.#lookedAt - saved > SAVE_STARTED_AFTER)) {
      state.set(STARTED, this.#lookedAt);
    }
  }

  close(): void {
    // What was read stands in the builders, and its positions belong into the same cut.
    this.save();
    for (const follower of this.followers.values()) follower.source.close();
    this.followers.clear();
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
    const { now, count, ready } = this.#parts;
    count('rotated');
    follower.rotated = true;
    follower.lastGrowth = now();
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
    log.activeUntil = this.#parts.now() + ACTIVE;
    this.#parts.ready(follower);
  }

  #openLive(log: FollowedLog): void {
    const opened = this.#open(log, log.path);
    if (opened === null) return;
    const { source, stats, head } = opened;
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
    this.#locate(log);
    const saved = this.#saved.get(key);
    try {
      let from: Start = { offset: 0, skipping: false };
      const done = log.doneIn(key, bornOf(stats));
      if (saved && holds(source, head, saved)) {
        this.#saved.delete(key);
        from = saved;
      } else if (done !== null && holds(source, head, done)) {
        // It was away for a while: a link that points back, a rotation that was undone.
        from = done;
      } else if (!this.#started && !this.#options.readFromHead) {
        from = { offset: lastLine(source, Number(stats.size)), skipping: false };
      }
      log.live = this.#follow(log, path.join(log.folder, log.base), stats, source, head, from);
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /** Resolves symbolic links: rotated files lie beside the file itself. */
  #locate(log: FollowedLog): void {
    let real = log.path;
    try {
      real = realpathSync(log.path);
    } catch {
      if (log.base !== '') return;
      // A link that is gone: its file may lie where it did.
      for (const { path: of, at } of this.#saved.values()) if (of === log.path && at !== undefined) real = at;
    }
    log.folder = path.dirname(real);
    log.base = path.basename(real);
  }

  /** Looks at the rotated files beside a log and opens those that hold something unread. */
  #lookBeside(log: FollowedLog, list: List, force = false): void {
    if (log.base === '') this.#locate(log);
    const now = this.#parts.now();
    const folder = statOf(log.folder);
    const signature = folder === null ? '' : `${folder.ino}:${folder.mtimeNs}`;
    if (!force && signature === log.folderSignature && now - log.lookedAt < LOOK_AGAIN) return;
    log.folderSignature = signature;
    log.lookedAt = now;
    const names = list(log.folder)
      .map((entry) => entry.name)
      .filter((name) => name !== log.base && basesOf(name).includes(log.base));
    for (const name of log.siblings.keys()) if (!names.includes(name)) log.siblings.delete(name);
    const found = names
      .map((name) => ({ name, stats: this.#statBeside(log, name) }))
      .filter((file): file is { name: string; stats: BigIntStats } => file.stats?.isFile() ?? false)
      .sort((a, b) => Number(a.stats.mtimeNs - b.stats.mtimeNs))
      // What was being read is looked for under its own inode first, then among the copies.
      .sort((a, b) => Number(this.#saved.has(fileKey(b.stats))) - Number(this.#saved.has(fileKey(a.stats))));
    for (const { name, stats } of found) {
      const looks = `${fileKey(stats)}:${stats.size}:${stats.mtimeNs}`;
      if (log.siblings.get(name)?.signature === looks) continue;
      const file = path.join(log.folder, name);
      const judged = this.#guarded<{ readonly answer: Answer }>(
        log,
        () => ({ answer: this.#judge(log, name, stats) }),
        file,
      );
      const answer = judged === null ? UNDECIDED : judged.answer;
      if (answer !== UNDECIDED) log.siblings.set(name, { signature: looks, done: answer });
      else log.siblings.delete(name);
    }
    if (!log.known) {
      log.known = true;
      log.dirty = true;
    }
    log.prune(this.#parts.uptime());
  }

  /** Decides about one rotated file; answers the generation's hash, if the ledger has it. */
  #judge(log: FollowedLog, name: string, stats: BigIntStats): Answer {
    const file = path.join(log.folder, name);
    const compressed = compressionOf(name);
    if (compressed === 'other' || stats.size === 0n) return null;
    if (compressed !== null) {
      // While it is being compressed the file itself is still there.
      if (statOf(uncompressedName(file)) !== null && uncompressedName(name) !== log.base) return UNDECIDED;
      return this.#judgeCompressed(log, file, stats, compressed);
    }
    const opened = this.#open(log, file);
    if (opened === null) return UNDECIDED;
    const { source, head } = opened;
    const key = fileKey(opened.stats);
    if (this.followers.has(key)) {
      source.close();
      return null;
    }
    const saved = this.#saved.get(key);
    if (saved && holds(source, head, saved)) {
      this.#saved.delete(key);
      this.#followRotated(log, file, source, head, saved, opened.stats);
      return null;
    }
    const decision = this.#decide(log, { name, head, size: Number(opened.stats.size), source, stats });
    if (decision.from === null) source.close();
    else this.#followRotated(log, file, source, head, decision.from, opened.stats);
    return decision.answer;
  }

  #judgeCompressed(log: FollowedLog, file: string, stats: BigIntStats, compressed: 'gz' | 'zst'): Answer {
    const { log: logger, ready, count } = this.#parts;
    const key = fileKey(stats);
    if (this.followers.has(key)) return null;
    const damaged = (error: unknown): void => {
      count('damaged');
      logger.error({ file, err: error }, 'compressed log is damaged: what comes before the damage was read');
    };
    let opened: OpenedCompressed | null;
    try {
      opened = openCompressed(file, compressed, (error) => {
        if (error) damaged(error);
        const follower = this.followers.get(key);
        if (follower) ready(follower);
      });
    } catch (error) {
      if (typeof (error as NodeJS.ErrnoException).syscall === 'string') throw error;
      damaged(error);
      return null;
    }
    if (opened === null) return UNDECIDED;
    const { head, size } = opened;
    const saved = this.#saved.get(key);
    if (saved && begins(head, saved.fingerprint)) {
      this.#saved.delete(key);
      this.#followRotated(log, file, opened.source(saved.offset), head, saved, stats);
      return null;
    }
    const name = path.basename(file);
    const decision = this.#decide(log, { name, head, size, source: null, stats });
    if (decision.from === null) {
      opened.close();
    } else {
      this.#followRotated(log, file, opened.source(decision.from.offset), head, decision.from, stats);
    }
    return decision.answer;
  }

  /** Where to read a rotated file from, by what it begins with; null when there is nothing to read. */
  #decide(
    log: FollowedLog,
    { name, head, size, source, stats }: Beside,
  ): { readonly from: Start | null; readonly answer: Answer } {
    const verify = (known: Position): boolean => source === null || holds(source, head, known);
    const key = source === null ? null : fileKey(stats);
    const candidates = log.doneOf(head);
    const file = {
      size,
      key,
      holds: verify,
      elsewhere: (done: Done) =>
        [...log.siblings].some(([other, sibling]) => other !== name && sibling.done === idOf(done)),
    };
    const same = sameGeneration(candidates, file);
    if (same !== null) return { from: null, answer: idOf(same) };
    for (const [of, saved] of this.#saved) {
      if (saved.path !== log.path || candidates.some((done) => done.key === key)) continue;
      if (!begins(head, saved.fingerprint) || !verify(saved)) continue;
      // The file that was followed is no longer there itself: this is a copy of it.
      this.#saved.delete(of);
      this.#gone.push(of);
      return { from: saved, answer: null };
    }
    // A copy of what is being read: of use only when the original is truncated, and looked at again then.
    for (const follower of log.followers()) {
      if (follower.sameContent(head) && !follower.differs(source, head, size, stats))
        return { from: null, answer: UNDECIDED };
    }
    const known = generationOf(candidates, file);
    if (known?.rest) {
      // Read on from there, it is no position of the ledger any more, which would have it read from there again.
      log.take(known.done);
      return { from: known.done, answer: null };
    }
    if (known !== null) return { from: null, answer: idOf(known.done) };
    if (log.known || Number(stats.mtimeMs) > this.#lookedAt - CLOCK_SLACK)
      return { from: { offset: 0, skipping: false }, answer: null };
    const history = {
      fingerprint: fingerprint(head),
      offset: size < 0 ? BEFORE_OUR_TIME : size,
      check: { bytes: 0, hash: '' },
      skipping: false,
    };
    const noted = log.note(history, { key: fileKey(stats), born: bornOf(stats), whole: source === null });
    return { from: null, answer: noted === null ? null : idOf(noted) };
  }

  #open(
    log: FollowedLog,
    file: string,
  ): { readonly source: PlainSource; readonly stats: BigIntStats; readonly head: Buffer } | null {
    let source: PlainSource | null = null;
    try {
      source = new PlainSource(file);
      const stats = source.stats();
      if (!stats.isFile()) throw notAFile(file);
      const head = readHead(source.fd);
      log.refused.delete(file);
      return { source, stats, head };
    } catch (error) {
      source?.close();
      // It may be gone by now.
      if (codeOf(error) !== 'ENOENT') this.#refuse(log, file, error);
      return null;
    }
  }

  /** Does something with a log; what the system refuses is said once, and tried again with the next look. */
  #guarded<T>(log: FollowedLog, work: () => T, file = log.path): T | null {
    try {
      return work();
    } catch (error) {
      if (typeof (error as NodeJS.ErrnoException).syscall !== 'string') throw error;
      this.#refuse(log, file, error);
      return null;
    }
  }

  #refuseFolder(folder: string, code: string): void {
    if (this.#refusedFolders.get(folder) === code) return;
    this.#refusedFolders.set(folder, code);
    this.#parts.count('refused');
    this.#parts.log.error({ folder, code }, 'folder can not be read, and will be tried again');
  }

  #statBeside(log: FollowedLog, name: string): BigIntStats | null {
    const file = path.join(log.folder, name);
    return this.#guarded(log, () => statOf(file), file);
  }

  #refuse(log: FollowedLog, file: string, error: unknown): void {
    const code = codeOf(error);
    if (log.refused.get(file) === code) return;
    log.refused.set(file, code);
    this.#parts.count('refused');
    this.#parts.log.error({ file, code }, 'file can not be opened or read, and will be tried again');
  }

  #followRotated(
    log: FollowedLog,
    file: string,
    source: Source,
    head: Buffer,
    from: Start,
    stats: BigIntStats,
  ): void {
    const follower = this.#follow(log, file, stats, source, head, from);
    follower.rotated = true;
    follower.sized(Number(stats.size));
    follower.lastGrowth = Math.min(follower.lastGrowth, Number(stats.mtimeMs));
    log.rotated.set(follower.key, follower);
    this.#parts.log.info({ file, offset: from.offset }, 'reading a rotated file');
    this.#parts.ready(follower);
  }

  #follow(
    log: FollowedLog,
    file: string,
    stats: BigIntStats,
    source: Source,
    head: Buffer,
    from: Start,
  ): Follower {
    const key = fileKey(stats);
    const now = this.#parts.now();
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
    this.followers.set(key, follower);
    log.activeUntil = now + ACTIVE;
    return follower;
  }

  #reportLost(): void {
    for (const [key, saved] of this.#saved) {
      const log = this.#log(saved.path);
      // What can't be opened now may be opened later.
      if (log.refused.size > 0) continue;
      this.#saved.delete(key);
      this.#gone.push(key);
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

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

/** As the system would say it. */
function notAFile(file: string): Error {
  return Object.assign(new Error(`${file} is no file`), { code: 'no file' });
}

/** Milliseconds after its last growth for which a log is looked at often. */
export const ACTIVE = 5000;
const NO_BYTES = Buffer.alloc(0);
const UNDECIDED = Symbol('undecided');

/** What is known of a file beside a log: the hash of its generation when the ledger has it, or not enough yet. */
type Answer = string | null | typeof UNDECIDED;

/** A file beside a log. */
interface Beside {
  readonly name: string;
  /** The first bytes of the log in it. */
  readonly head: Buffer;
  /** Bytes of the log in it; -1 when it does not say. */
  readonly size: number;
  /** Null when it is compressed. */
  readonly source: PlainSource | null;
  readonly stats: BigIntStats;
}

/** When a file was made. */
function bornOf(stats: BigIntStats): string {
  return String(stats.birthtimeNs);
}

type Start = Pick<SavedFollower, 'offset' | 'skipping'>;
