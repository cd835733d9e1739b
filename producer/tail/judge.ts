/** Decides about one file: gathers what it holds and what the ledger knows, and does what {@link decide} says. */
import type { BigIntStats } from 'node:fs';
import type { Logger } from 'pino';
import type { FileAccess } from './access.ts';
import { Candidates } from './candidates.ts';
import { bytesOf, contains } from './copies.ts';
import { type Action, type Candidate, decide, type FileFacts, type Where } from './decide.ts';
import type { Examined, Examiner } from './examine.ts';
import type { Follower } from './follower.ts';
import { type Generation, NO_FILE, passedOver, UNREAD } from './generation.ts';
import type { Holdings } from './holdings.ts';
import { identityOf } from './ledger.ts';
import type { Missing } from './missing.ts';
import { Naming, type NamingDependencies } from './naming.ts';
import type { OpenFiles } from './open-files.ts';
import type { Folder, Place } from './place.ts';
import { lastLine } from './position.ts';
import type { PowerLoss } from './power-loss.ts';
import { compressionOf, type Hint, uncompressedName } from './rotation.ts';
import { birthOf, isSameFile, PlainSource, statOf } from './source.ts';

/** Times that a name is decided about whose file is exchanged meanwhile, before the next look does it. */
const TRIES = 2;

export type JudgeEvent = 'damaged' | 'refused' | 'copies' | 'alike' | 'cut' | 'repeated' | 'history';

export interface JudgeDependencies extends NamingDependencies {
  readonly access: FileAccess;
  readonly examiner: Examiner;
  readonly log: Logger;
  readonly count: (event: JudgeEvent) => void;
  readonly readFromHead: boolean;
  readonly files: OpenFiles;
  readonly holdings: Holdings;
  readonly missing: Missing;
  readonly powerLoss: PowerLoss;
  readonly ready: (follower: Follower) => void;
}

export class Judge {
  readonly #dependencies: JudgeDependencies;
  readonly #examiner: Examiner;
  readonly #candidates: Candidates;
  readonly #naming: Naming;

  constructor(dependencies: JudgeDependencies) {
    this.#dependencies = dependencies;
    this.#examiner = dependencies.examiner;
    this.#candidates = new Candidates(
      dependencies.ledger,
      dependencies.access,
      this.#examiner,
      dependencies.powerLoss,
    );
    this.#naming = new Naming(dependencies);
  }

  /**
   * Decides about a file that is not open, by what it holds.
   *
   * @param last false while other files are still to be decided about: one that begins as a known generation, and is
   * none of them so far, is left for later
   * @returns whether it was left
   */
  judge(place: Place, folder: Folder | null, stats: BigIntStats, last = true, tries = TRIES): boolean {
    const { ledger, holdings, missing } = this.#dependencies;
    const known = ledger.inFile(stats, place.path);
    holdings.attach(place, known);
    const follower = known?.follower ?? null;
    if (follower !== null && !isElsewhere(follower, stats)) return false;
    const unsure = known?.noted === true && (place.doubted || missing.any);
    place.doubted = false;
    if (known && follower === null && !unsure && isRead(known, place, stats)) return false;
    place.copyOf = null;
    if (stats.size === 0n && known === null && !place.covered) return false;
    const hint = folder?.logs.hint(place.name) ?? null;
    const where = this.#naming.where(place, hint, stats);
    if (known && this.#isLeft(where, known)) return false;
    place.foreignAmong = where === 'foreign' && known === null ? (folder?.logs.size ?? 0) : -1;
    if (place.foreignAmong >= 0 && !missing.any) return false;
    const compressed = compressionOf(place.name);
    if (compressed === 'other') {
      this.#unreadable(place, where, hint, stats);
      return false;
    }
    const owners = place.covered ? undefined : folder?.owners;
    const quiet = where === 'foreign' && known === null;
    const undecided = (): void => {
      place.forget();
      if (folder) folder.unsettled = true;
    };
    if (compressed !== null && this.#isBeingCompressed(place)) {
      undecided();
      return false;
    }
    const examined = this.#examiner.examine(place, compressed, owners, quiet);
    if (examined === 'damaged' || examined === 'rejected') return false;
    if (examined === null || examined === 'unknown') undecided();
    else if (!isSameFile(examined.stats, stats)) {
      // Another file has come since the name was looked at.
      examined.close();
      if (tries === 0) undecided();
      else {
        place.unchanged(examined.stats);
        return this.judge(place, folder, examined.stats, last, tries - 1);
      }
    } else {
      const settled = this.#settle(place, where, hint, examined, last);
      if (settled === 'left') return true;
      if (!settled) undecided();
    }
    return false;
  }

  /** Whether a file holds what the configuration no longer names, nor a log next to it. */
  #isLeft(where: Where, { log }: Generation): boolean {
    return where === 'foreign' && !this.#dependencies.names.follows(log);
  }

  /** Decides and acts; false when that has to wait. */
  #settle(
    place: Place,
    where: Where,
    hint: Hint<Place> | null,
    file: Examined,
    last: boolean,
  ): boolean | 'left' {
    const { ledger, fresh, holdings, missing } = this.#dependencies;
    for (;;) {
      const known = ledger.inFile(file.stats, place.path);
      // Every log begins as an empty file does: what it is becomes known with its first bytes.
      const silent = file.head.length === 0;
      if (silent && known === null) {
        file.close();
        return true;
      }
      const candidates =
        silent || (fresh() && place.covered)
          ? this.#candidates.known(place, file, known)
          : this.#candidates.of(place, file, known);
      const facts: FileFacts = {
        where,
        compressed: file.source === null,
        size: sizeOf(file, candidates),
        fresh: fresh(),
        news: this.#naming.isNews(place, hint, file.stats),
        restored: file.stats.mtimeNs < (birthOf(file.stats) ?? 0n),
      };
      const action = decide(facts, candidates);
      if (action.do === 'read' && !last && where !== 'log' && candidates.length > 0) {
        file.close();
        return 'left';
      }
      if (action.do !== 'truncated') {
        if (
          action.do === 'read' ||
          ((action.do === 'follow' || action.do === 'pass') && action.generation !== place.generation)
        )
          this.#dropNote(place);
        return this.#act(action, place, where, hint, file);
      }
      ledger.bind(action.generation, NO_FILE);
      action.generation.truncated = true;
      if (!action.generation.ended) missing.seek(action.generation);
      action.generation.ended = true;
      holdings.detach(action.generation, place, file.stats);
    }
  }

  #act(
    action: Action<Generation>,
    place: Place,
    where: Where,
    hint: Hint<Place> | null,
    file: Examined,
  ): boolean {
    const { log, count } = this.#dependencies;
    switch (action.do) {
      case 'follow': {
        const { generation, offset, alike, cut } = action;
        if (this.#isLeft(where, generation)) {
          file.close();
          return true;
        }
        if (alike) {
          count('alike');
          log.warn(
            { file: place.path, offset },
            'file begins as a log that is gone, to the last byte read: taken for that log',
          );
        }
        if (cut) {
          count('cut');
          log.warn(
            { file: place.path, offset: generation.read.offset, size: file.size },
            'the end of what was read of the file was lost with the power: going on behind what is left',
          );
          generation.read = { ...generation.read, check: UNREAD.check };
        }
        return this.#goOn(place, generation, file, offset);
      }
      case 'pass': {
        const { generation } = action;
        if (generation.follower && generation !== place.generation) {
          // Its deleted file is still open, and may hold more than this one does.
          file.close();
          this.#waitAsCopy(place, generation, file);
          return true;
        }
        if (generation.names.size === 0 || generation === place.generation) this.#bind(generation, file);
        generation.ended = true;
        generation.sought = false;
        if (file.source === null) generation.whole = true;
        generation.mtime = String(file.stats.mtimeNs);
        generation.dirty = true;
        file.close();
        this.#dependencies.holdings.attach(place, generation);
        return true;
      }
      case 'wait':
        file.close();
        this.#waitAsCopy(place, action.generation, file);
        return true;
      case 'later':
        file.close();
        place.copyOf = action.generation;
        action.generation.copies.add(place.path);
        return false;
      case 'history':
        this.#passOver(place, hint, file);
        return true;
      case 'ignore':
        file.close();
        return true;
      case 'read':
        if (action.repeats) {
          count('repeated');
          log.warn(
            { file: place.path },
            'file may hold what another one held, or an older copy of it: reading it from its start, perhaps a second time',
          );
        }
        this.#begin(place, where, hint, file);
        return true;
      case 'truncated':
        return false;
    }
  }

  /** Goes on in a known generation; false when its old file has to be read to its end first. */
  #goOn(place: Place, generation: Generation, file: Examined, offset: number): boolean {
    const { ledger, files, holdings } = this.#dependencies;
    const { follower } = generation;
    if (follower) {
      // Its old file may hold lines that this one lacks.
      const { source } = follower;
      const lacks = (): boolean =>
        source instanceof PlainSource &&
        Number(source.stats().size) > follower.offset &&
        !contains(file, bytesOf(source));
      // What a device that is gone does not show cannot be waited for.
      if (this.#dependencies.access.guarded(follower.file, lacks)) {
        file.close();
        return false;
      }
      ledger.refresh(generation);
      offset = Math.min(follower.offset, offset);
    }
    holdings.release(generation, place);
    this.#bind(generation, file);
    generation.sought = false;
    generation.noted = false;
    holdings.attach(place, generation);
    const { read } = generation;
    files.follow(
      place,
      generation,
      { source: file.open(offset), head: file.head, stats: file.stats },
      {
        ...read,
        offset,
        skipping: read.skipping && offset === read.offset,
      },
    );
    return true;
  }

  #bind(generation: Generation, { stats }: Examined): void {
    const identity = identityOf(stats);
    if (generation.file.key !== identity.key) generation.copied = true;
    generation.truncated = false;
    this.#dependencies.ledger.bind(generation, identity);
  }

  /** Reads a file of which nothing was known. */
  #begin(place: Place, where: Where, hint: Hint<Place> | null, file: Examined): void {
    const { ledger, fresh, readFromHead, files, holdings } = this.#dependencies;
    const atEnd = fresh() && !readFromHead && file.source !== null;
    const offset = atEnd ? lastLine(file.source as PlainSource, file.size) : 0;
    const generation = ledger.create(this.#naming.logOf(place, hint, file.stats), place.target);
    generation.ageless = where === 'named';
    ledger.bind(generation, identityOf(file.stats));
    holdings.attach(place, generation);
    files.follow(
      place,
      generation,
      { source: file.open(offset), head: file.head, stats: file.stats },
      {
        ...UNREAD,
        offset,
      },
    );
  }

  #passOver(place: Place, hint: Hint<Place> | null, file: Examined): void {
    const { ledger, log, count, holdings } = this.#dependencies;
    file.close();
    if (file.head.length === 0) return;
    const read = passedOver(file.head, file.size);
    const generation = ledger.create(hint?.log.path ?? place.path, place.path, read);
    generation.whole = file.source === null;
    generation.ended = true;
    generation.mtime = String(file.stats.mtimeNs);
    ledger.bind(generation, identityOf(file.stats));
    holdings.attach(place, generation);
    count('history');
    log.info(
      { file: place.path, bytes: Number(file.stats.size) },
      'file is older than the following of its log, and passed over as history',
    );
  }

  /** Passes over a file for as long as it is what it is now, and notes that it did. */
  #waitAsCopy(place: Place, of: Generation, file: Examined): void {
    const { ledger, count, log, holdings } = this.#dependencies;
    place.copyOf = of;
    if (!of.copies.has(place.path)) {
      of.copies.add(place.path);
      count('copies');
      log.info(
        { file: place.path, of: of.at },
        'file holds nothing but what another one holds, and is not read unless that changes',
      );
    }
    const noted = place.generation;
    if (noted?.noted && noted.read.offset === Math.max(file.size, 0)) {
      noted.mtime = String(file.stats.mtimeNs);
      return;
    }
    this.#dropNote(place);
    const note = ledger.create(of.log, place.target, passedOver(file.head, file.size));
    note.noted = true;
    note.whole = file.source === null;
    note.ended = true;
    note.mtime = String(file.stats.mtimeNs);
    ledger.bind(note, identityOf(file.stats));
    holdings.attach(place, note);
  }

  /** A file turned out to be more than a copy, or a longer one. */
  #dropNote(place: Place): void {
    const { generation } = place;
    if (!generation?.noted) return;
    this.#dependencies.holdings.attach(place, null);
    this.#dependencies.ledger.forget(generation);
  }

  /** While it is being compressed the file itself is still there. */
  #isBeingCompressed(place: Place): boolean {
    const plain = uncompressedName(place.path);
    const stats = this.#dependencies.access.guarded(place.path, () => statOf(plain));
    // A log's own next file may have come by then.
    return stats !== null && !this.#dependencies.ledger.knows(plain);
  }

  /** A file that may hold unread lines, in a form that is not read: that is not passed over in silence. */
  #unreadable(place: Place, where: Where, hint: Hint<Place> | null, stats: BigIntStats): void {
    if (where !== 'adjacent' || !this.#naming.isNews(place, hint, stats)) return;
    if (this.#naming.isRecent(stats)) this.#dependencies.access.reject(place.path, 'unsupported compression');
  }
}

/** Whether a file that is not open has nothing unread: it is as it was when all of it was read. */
function isRead({ mtime, read, whole, ended }: Generation, place: Place, stats: BigIntStats): boolean {
  if (mtime !== String(stats.mtimeNs)) return false;
  if (compressionOf(place.name) !== null) return whole || ended;
  return BigInt(read.offset) === stats.size;
}

/** Whether what is read is another file: the volume of that one was mounted once more, under another device number. */
function isElsewhere({ source }: Follower, stats: BigIntStats): boolean {
  return source instanceof PlainSource && !source.holds(stats);
}

/** Bytes of the log in a file: one that does not say is decompressed where that may tell what it is. */
function sizeOf({ size, bytes }: Examined, candidates: readonly Candidate<Generation>[]): number {
  if (size >= 0 || !candidates.some(({ begins }) => begins)) return size;
  const all = bytes();
  return typeof all === 'string' ? size : all.size;
}
