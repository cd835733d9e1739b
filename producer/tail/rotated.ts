/**
 * The rotated files beside a log: which of them hold something that was not read yet, and where to begin in each.
 */
import type { BigIntStats } from 'node:fs';
import * as path from 'node:path';
import type { Logger } from 'pino';
import { type FileAccess, isOfSystem } from './access.ts';
import { type OpenedCompressed, openCompressed } from './compressed.ts';
import { begins, fingerprint } from './fingerprint.ts';
import type { Follower } from './follower.ts';
import { bornOf, type Followers, type Found, type Start } from './followers.ts';
import { generationOf, sameGeneration } from './generation.ts';
import type { List } from './glob.ts';
import { followLinks, type Way } from './links.ts';
import { BEFORE_OUR_TIME, type Done, type FollowedLog, idOf } from './log.ts';
import { statOf } from './paths.ts';
import { holds, type Position } from './position.ts';
import { basesOf, compressionOf, uncompressedName } from './rotation.ts';
import { fileKey, type PlainSource } from './source.ts';

/** Milliseconds by which a file system's clock may be behind: kernels stamp files by their last tick. */
const CLOCK_SLACK = 1000;
/** Milliseconds after which the siblings of a log are looked at though their folder did not change. */
const LOOK_AGAIN = 60_000;
const UNDECIDED = Symbol('undecided');
const NOBODY: ReadonlySet<number> = new Set();

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

export interface RotatedFilesParts {
  readonly access: FileAccess;
  readonly followers: Followers;
  readonly log: Logger;
  readonly now: () => number;
  readonly uptime: () => number;
  readonly count: (event: 'damaged') => void;
  /** Called with each file that may have something to read. */
  readonly ready: (follower: Follower) => void;
  /** When everything was last looked at, in milliseconds since 1970: what was written later is news. */
  readonly lookedAt: () => number;
}

export class RotatedFiles {
  readonly #parts: RotatedFilesParts;

  constructor(parts: RotatedFilesParts) {
    this.#parts = parts;
  }

  /** Looks at the rotated files beside a log, if their folder has changed, and opens those with something unread. */
  look(log: FollowedLog, list: List, force = false): void {
    if (log.base === '') this.locate(log);
    const now = this.#parts.uptime();
    const folder = statOf(log.folder);
    const signature = folder === null ? '' : `${folder.ino}:${folder.mtimeNs}`;
    if (!force && signature === log.folderSignature && now - log.lookedAt < LOOK_AGAIN) return;
    log.folderSignature = signature;
    log.lookedAt = now;
    const names = list(log.folder)
      .map((entry) => entry.name)
      .filter((name) => name !== log.base && basesOf(name).includes(log.base));
    for (const name of log.siblings.keys()) if (!names.includes(name)) log.siblings.delete(name);
    for (const { name, stats } of this.#inOrder(log, names)) {
      const looks = `${fileKey(stats)}:${stats.size}:${stats.mtimeNs}`;
      if (log.siblings.get(name)?.signature === looks) continue;
      const answer = this.#judge(log, name, stats);
      if (answer !== UNDECIDED) log.siblings.set(name, { signature: looks, done: answer });
      else log.siblings.delete(name);
    }
    if (!log.known) {
      log.known = true;
      log.dirty = true;
    }
    log.prune(now);
  }

  /** Resolves symbolic links: rotated files lie beside the file itself. */
  locate(log: FollowedLog): void {
    let real: Way = { path: log.path, owners: NOBODY };
    try {
      real = followLinks(log.path);
    } catch {
      if (log.base !== '') return;
      // A link that is gone: its file may lie where it did.
      const { saved } = this.#parts.followers;
      for (const { path: of, at } of saved.values())
        if (of === log.path && at !== undefined) real = { path: at, owners: NOBODY };
    }
    log.folder = path.dirname(real.path);
    log.base = path.basename(real.path);
    log.linkOwners = real.owners;
  }

  /** Reads a rotated file. */
  follow(log: FollowedLog, found: Found, from: Start): void {
    const { file, stats } = found;
    const { now, followers } = this.#parts;
    const follower = followers.add(log, found, from);
    follower.rotated = true;
    follower.sized(Number(stats.size));
    follower.lastGrowth -= Math.max(0, now() - Number(stats.mtimeMs));
    log.rotated.set(follower.key, follower);
    this.#parts.log.info({ file, offset: from.offset }, 'reading a rotated file');
    this.#parts.ready(follower);
  }

  /** From the oldest on; but what was being read is looked for under its own inode first, then among the copies. */
  #inOrder(log: FollowedLog, names: readonly string[]): { name: string; stats: BigIntStats }[] {
    const { saved } = this.#parts.followers;
    return names
      .map((name) => ({ name, stats: this.#statOf(log, name) }))
      .filter((file): file is { name: string; stats: BigIntStats } => file.stats?.isFile() ?? false)
      .sort((a, b) => Number(a.stats.mtimeNs - b.stats.mtimeNs))
      .sort((a, b) => Number(saved.has(fileKey(b.stats))) - Number(saved.has(fileKey(a.stats))));
  }

  #statOf(log: FollowedLog, name: string): BigIntStats | null {
    const file = path.join(log.folder, name);
    return this.#parts.access.guarded(log, () => statOf(file), file);
  }

  /** Decides about one rotated file; answers the generation's hash, if the ledger has it. */
  #judge(log: FollowedLog, name: string, stats: BigIntStats): Answer {
    const file = path.join(log.folder, name);
    const compressed = compressionOf(name);
    if (compressed === 'other' || stats.size === 0n) return null;
    const judge = (): { readonly answer: Answer } => {
      if (compressed === null) return { answer: this.#judgePlain(log, file, stats) };
      // While it is being compressed the file itself is still there.
      if (statOf(uncompressedName(file)) !== null && uncompressedName(name) !== log.base)
        return { answer: UNDECIDED };
      return { answer: this.#judgeCompressed(log, file, stats, compressed) };
    };
    const judged = this.#parts.access.guarded(log, judge, file);
    return judged === null ? UNDECIDED : judged.answer;
  }

  #judgePlain(log: FollowedLog, file: string, stats: BigIntStats): Answer {
    const { access, followers } = this.#parts;
    const opened = access.open(log, file);
    if (opened === null) return UNDECIDED;
    const { source, head } = opened;
    const key = fileKey(opened.stats);
    if (followers.get(key)) {
      source.close();
      return null;
    }
    const saved = followers.saved.get(key);
    if (saved && holds(source, head, saved)) {
      followers.claim(key);
      this.follow(log, { ...opened, file }, saved);
      return null;
    }
    const name = path.basename(file);
    const decision = this.#decide(log, { name, head, size: Number(opened.stats.size), source, stats });
    if (decision.from === null) source.close();
    else this.follow(log, { ...opened, file }, decision.from);
    return decision.answer;
  }

  #judgeCompressed(log: FollowedLog, file: string, stats: BigIntStats, compressed: 'gz' | 'zst'): Answer {
    const { access, log: logger, ready, count, followers } = this.#parts;
    const key = fileKey(stats);
    if (followers.get(key)) return null;
    const damaged = (error: unknown): void => {
      count('damaged');
      logger.error({ file, err: error }, 'compressed log is damaged: what comes before the damage was read');
    };
    const fd = access.descriptor(log, file);
    if (fd === null) return UNDECIDED;
    let opened: OpenedCompressed | null;
    try {
      opened = openCompressed(fd, compressed, (error) => {
        if (error) damaged(error);
        const follower = followers.get(key);
        if (follower) ready(follower);
      });
    } catch (error) {
      if (isOfSystem(error)) throw error;
      damaged(error);
      return null;
    }
    if (opened === null) return UNDECIDED;
    const { head, size, source } = opened;
    const follow = (from: Start): void =>
      this.follow(log, { file, stats, source: source(from.offset), head }, from);
    const saved = followers.saved.get(key);
    if (saved && begins(head, saved.fingerprint)) {
      followers.claim(key);
      follow(saved);
      return null;
    }
    const name = path.basename(file);
    const decision = this.#decide(log, { name, head, size, source: null, stats });
    if (decision.from === null) opened.close();
    else follow(decision.from);
    return decision.answer;
  }

  /** Where to read a rotated file from, by what it begins with; null when there is nothing to read. */
  #decide(
    log: FollowedLog,
    { name, head, size, source, stats }: Beside,
  ): { readonly from: Start | null; readonly answer: Answer } {
    const { followers } = this.#parts;
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
    for (const [of, saved] of followers.saved) {
      if (saved.path !== log.path || candidates.some((done) => done.key === key)) continue;
      if (!begins(head, saved.fingerprint) || !verify(saved)) continue;
      // The file that was followed is no longer there itself: this is a copy of it.
      followers.abandon(of);
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
    if (log.known || Number(stats.mtimeMs) > this.#parts.lookedAt() - CLOCK_SLACK)
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
}
