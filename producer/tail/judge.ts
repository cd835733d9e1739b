/** Decides about one file: gathers what it holds and what the ledger knows, and does what {@link decide} says. */
import type { BigIntStats } from 'node:fs';
import * as path from 'node:path';
import type { Logger } from 'pino';
import { type FileAccess, isOfSystem } from './access.ts';
import { type Content, openCompressed } from './compressed.ts';
import { type Bytes, bytesIn, bytesOf, contains, mayBeCopy, type Suspect } from './copies.ts';
import {
  type Action,
  type Candidate,
  decide,
  type FileFacts,
  type Where,
  type Whereabouts,
} from './decide.ts';
import { begins, FINGERPRINT_BYTES } from './fingerprint.ts';
import type { Follower, Position } from './follower.ts';
import { type Generation, NO_FILE, passedOver, UNREAD } from './generation.ts';
import { identityOf, type Ledger } from './ledger.ts';
import type { Folder, Place } from './place.ts';
import { holds, lastLine } from './position.ts';
import { compressionOf, type Hint, uncompressedName } from './rotation.ts';
import { birthOf, fileKey, PlainSource, type Source, statOf } from './source.ts';

/** Milliseconds by which a file system's clock may be behind: kernels stamp files by their last tick. */
const CLOCK_SLACK = 1000;
/** Nanoseconds after the birth of the next file during which a rotated one may still be written. */
const LATE_WRITES = 2_000_000_000n;
const NANOSECONDS = 1e6;
/** Times that a name is decided about whose file is exchanged meanwhile, before the next look does it. */
const TRIES = 2;

export type JudgeEvent = 'damaged' | 'refused' | 'copies' | 'alike' | 'repeated' | 'history';

export interface JudgeDependencies {
  readonly access: FileAccess;
  readonly ledger: Ledger;
  readonly log: Logger;
  readonly count: (event: JudgeEvent) => void;
  readonly readFromHead: boolean;
  /** When everything was last looked at, in milliseconds since 1970: what was written later is news. */
  readonly lookedAt: () => number;
  /** Whether the input never looked before. */
  readonly fresh: () => boolean;
  /** Whether some generation is looked for under any name. */
  readonly searching: () => boolean;
  /** Whether a pattern names this file. */
  readonly covers: (file: string) => boolean;
  readonly excluded: (file: string) => boolean;
  readonly attach: (place: Place, generation: Generation | null) => void;
  readonly follow: (place: Place, generation: Generation, file: OpenedSource, from: Position) => void;
  /** Takes a generation from all names of a file that no longer holds it. */
  readonly detach: (generation: Generation, place: Place, stats: BigIntStats) => void;
  /** Gives up the file that held a generation: the one at another place has taken over. */
  readonly release: (generation: Generation, place: Place) => void;
  readonly ready: (follower: Follower) => void;
  /** Has a generation looked for under any name. */
  readonly seek: (generation: Generation) => void;
}

/** A file that is going to be read. */
export interface OpenedSource {
  readonly source: Source;
  readonly head: Buffer;
  readonly stats: BigIntStats;
}

/** A file that was opened to see what it is. */
interface Examined extends Suspect {
  /** Null when it is compressed. */
  readonly source: PlainSource | null;
  /** Bytes of the log in it; -1 when it does not say. */
  readonly size: number;
  readonly open: (offset: number) => Source;
  readonly close: () => void;
}

export class Judge {
  readonly #dependencies: JudgeDependencies;

  constructor(dependencies: JudgeDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Decides about a file that is not open, by what it holds.
   *
   * @param last false while other files are still to be decided about: one that begins as a known generation, and is
   * none of them so far, is left for later
   * @returns whether it was left
   */
  judge(place: Place, folder: Folder | null, stats: BigIntStats, last = true, tries = TRIES): boolean {
    const { ledger, attach, access } = this.#dependencies;
    const known = ledger.inFile(stats, place.path);
    attach(place, known);
    if (known?.follower) return false;
    const unsure = known?.noted === true && (place.doubted || this.#dependencies.searching());
    place.doubted = false;
    if (known && !unsure && isRead(known, place, stats)) return false;
    place.copyOf = null;
    if (stats.size === 0n && known === null && !place.covered) return false;
    const hint = folder?.logs.hint(place.name) ?? null;
    const where = this.#where(place, hint, stats);
    place.foreignAmong = where === 'foreign' && known === null ? (folder?.logs.size ?? 0) : -1;
    if (place.foreignAmong >= 0 && !this.#dependencies.searching()) return false;
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
    const examined = access.guarded(place.path, () =>
      compressed === null
        ? this.#examine(place, owners, quiet)
        : this.#examineCompressed(place, compressed, owners, quiet),
    );
    if (examined === 'damaged' || examined === 'rejected') return false;
    if (examined === null || examined === 'unknown') undecided();
    else if (fileKey(examined.stats) !== fileKey(stats)) {
      // Another file has come since the name was looked at.
      examined.close();
      if (tries === 0) undecided();
      else {
        place.unchanged(examined.stats);
        return this.judge(place, folder, examined.stats, last, tries - 1);
      }
    } else if (examined.head.length === 0 && known === null) examined.close();
    else {
      const settled = this.#settle(place, where, hint, examined, last);
      if (settled === 'left') return true;
      if (!settled) undecided();
    }
    return false;
  }

  /** Decides and acts; false when that has to wait. */
  #settle(
    place: Place,
    where: Where,
    hint: Hint<Place> | null,
    file: Examined,
    last: boolean,
  ): boolean | 'left' {
    const { ledger, fresh, detach, seek } = this.#dependencies;
    for (;;) {
      const known = ledger.inFile(file.stats, place.path);
      const candidates =
        fresh() && place.covered ? this.#known(place, file, known) : this.#candidates(place, file, known);
      const facts: FileFacts = {
        where,
        compressed: file.source === null,
        size: sizeOf(file, candidates),
        fresh: fresh(),
        news: this.#isNews(place, hint, file.stats),
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
      if (!action.generation.ended) seek(action.generation);
      action.generation.ended = true;
      detach(action.generation, place, file.stats);
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
        const { generation, offset, alike } = action;
        if (alike) {
          count('alike');
          log.warn(
            { file: place.path, offset },
            'file begins as a log that is gone, to the last byte read: taken for that log',
          );
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
        this.#dependencies.attach(place, generation);
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
    const { ledger, release, attach, follow } = this.#dependencies;
    const { follower } = generation;
    if (follower) {
      // Its old file may hold lines that this one lacks.
      const { source } = follower;
      const unread = source instanceof PlainSource && Number(source.stats().size) > follower.offset;
      if (unread && !contains(file, bytesOf(source))) {
        file.close();
        return false;
      }
      ledger.refresh(generation);
      offset = Math.min(follower.offset, offset);
    }
    release(generation, place);
    this.#bind(generation, file);
    generation.sought = false;
    generation.noted = false;
    attach(place, generation);
    const { read } = generation;
    follow(
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
    const { ledger, fresh, readFromHead, attach, follow } = this.#dependencies;
    const atEnd = fresh() && !readFromHead && file.source !== null;
    const offset = atEnd ? lastLine(file.source as PlainSource, file.size) : 0;
    const generation = ledger.create(this.#logOf(place, hint, file.stats), place.target);
    generation.ageless = where === 'named';
    ledger.bind(generation, identityOf(file.stats));
    attach(place, generation);
    follow(
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
    const { ledger, log, count, attach } = this.#dependencies;
    file.close();
    if (file.head.length === 0) return;
    const read = passedOver(file.head, file.size);
    const generation = ledger.create(hint?.log.path ?? place.path, place.path, read);
    generation.whole = file.source === null;
    generation.ended = true;
    generation.mtime = String(file.stats.mtimeNs);
    ledger.bind(generation, identityOf(file.stats));
    attach(place, generation);
    count('history');
    log.info(
      { file: place.path, bytes: Number(file.stats.size) },
      'file is older than the following of its log, and passed over as history',
    );
  }

  /** Passes over a file for as long as it is what it is now, and notes that it did. */
  #waitAsCopy(place: Place, of: Generation, file: Examined): void {
    const { ledger, count, log, attach } = this.#dependencies;
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
    attach(place, note);
  }

  /** A file turned out to be more than a copy, or a longer one. */
  #dropNote(place: Place): void {
    const { generation } = place;
    if (!generation?.noted) return;
    this.#dependencies.attach(place, null);
    this.#dependencies.ledger.forget(generation);
  }

  #known(place: Place, file: Examined, known: Generation | null): Candidate<Generation>[] {
    return known ? [this.#candidate(place, known, known, beginsAs(known, file), file)] : [];
  }

  #candidates(place: Place, file: Examined, known: Generation | null): Candidate<Generation>[] {
    const found = this.#dependencies.ledger
      .candidates(file.head, path.dirname(place.target))
      .filter(({ generation }) => generation.read.fingerprint.bytes > 0 || generation === known)
      .map(({ generation, begins }) => this.#candidate(place, generation, known, begins, file));
    return found.some(({ generation }) => generation === known)
      ? found
      : [...found, ...this.#known(place, file, known)];
  }

  #candidate(
    place: Place,
    generation: Generation,
    known: Generation | null,
    begins: boolean,
    file: Examined,
  ): Candidate<Generation> {
    const { read } = generation;
    const where = whereaboutsOf(generation);
    const copyable = (): boolean | 'older' => this.#isCopy(generation, file);
    const longer = read.fingerprint.bytes > file.head.length;
    // Of a head that is longer than the file only the original says whether the file may be a copy.
    const { follower } = generation;
    const opaque = follower !== null && !(follower.source instanceof PlainSource);
    const may = !longer || (generation !== known && where !== 'copies' && (opaque || copyable() !== false));
    const source = file.source;
    const all =
      source === null
        ? begins && !longer
        : !longer && file.size >= read.offset && holds(source, file.head, read);
    return {
      generation,
      offset: read.offset,
      whole: generation.whole,
      ended: generation.ended,
      noted: generation.noted,
      sure: read.fingerprint.bytes === FINGERPRINT_BYTES,
      sameFile: generation === known,
      begins: may && (begins || longer),
      longer,
      holds: all,
      whereabouts: where,
      opaque,
      ofThisLog: generation.log === place.path,
      copy: copyable,
      outgrows: () =>
        outgrows(generation, source, () => this.#withOwn(generation, (own) => contains(file, own))),
    };
  }

  /** Whether a file may be a copy of what the file of a generation holds now. */
  #isCopy(generation: Generation, file: Examined): boolean | 'older' {
    return this.#withOwn<boolean | 'older'>(generation, (own, stats, intact) => {
      const ageless = generation.copied || generation.ageless || stats === null;
      return mayBeCopy(own, ageless ? null : birthOf(stats), file, intact);
    });
  }

  /** Asks something of what a generation's own file holds; false where that cannot be known. */
  #withOwn<T>(
    generation: Generation,
    ask: (own: Bytes, stats: BigIntStats | null, intact: () => boolean) => T,
  ): T | false {
    const { follower, read } = generation;
    if (follower) {
      const { source } = follower;
      return source instanceof PlainSource && ask(bytesOf(source), source.stats(), () => follower.holds());
    }
    const { access } = this.#dependencies;
    for (const name of generation.names) {
      const compressed = compressionOf(name);
      if (compressed === 'other') continue;
      if (compressed !== null) {
        const content = access.guarded(name, () => this.#contentOf(name, compressed)) ?? null;
        return content instanceof Buffer && ask(bytesIn(content), null, () => true);
      }
      const own = access.open(name, undefined, true);
      if (own === null || own === 'rejected') continue;
      try {
        return ask(bytesOf(own.source), own.stats, () => holds(own.source, own.head, read));
      } finally {
        own.source.close();
      }
    }
    return false;
  }

  #contentOf(file: string, compressed: 'gz' | 'zst'): Content | null {
    const fd = this.#dependencies.access.descriptor(file, undefined, true);
    if (fd === null) return null;
    const opened = openCompressed(fd, compressed, () => {});
    try {
      return opened?.content() ?? null;
    } finally {
      opened?.close();
    }
  }

  #where(place: Place, hint: Hint<Place> | null, stats: BigIntStats): Where {
    const { ledger, covers, excluded } = this.#dependencies;
    if (place.covered && compressionOf(place.name) === null)
      // A generation that this look has found may have been given this path as the name of its log.
      return hint === null && place.known && ledger.knows(place.path) ? 'log' : 'named';
    if (excluded(place.path)) return 'foreign';
    if (hint?.usual || covers(place.path)) return 'adjacent';
    return hint && this.#isNews(place, hint, stats) ? 'adjacent' : 'foreign';
  }

  /** Whether a file next to a log may hold lines from the time in which the log was followed. */
  #isNews(place: Place, hint: Hint<Place> | null, stats: BigIntStats): boolean {
    const { fresh, lookedAt, covers } = this.#dependencies;
    if (fresh()) return false;
    const since = lookedAt() - CLOCK_SLACK;
    if (hint?.usual && hint.log.known) return true;
    if (Number(stats.mtimeMs) <= since) return false;
    if (hint?.usual || covers(place.path)) return true;
    // By its name it may as well be another log: its life has to fit between two generations of this one.
    const next = hint?.log.generation?.file.born ?? '';
    if (next === '') return false;
    if (compressionOf(place.name) === null) {
      const born = birthOf(stats) ?? 0n;
      if (Number(born) / NANOSECONDS <= since || born + LATE_WRITES > BigInt(next)) return false;
    }
    return stats.mtimeNs <= BigInt(next) + LATE_WRITES;
  }

  /** The log of a new generation: that of its name, unless it looks like an earlier generation of another one. */
  #logOf(place: Place, hint: Hint<Place> | null, stats: BigIntStats): string {
    if (hint === null) return uncompressedName(place.path);
    const { path: log, generation } = hint.log;
    if (!place.covered || compressionOf(place.name) !== null) return log;
    const born = birthOf(stats);
    const next = generation?.file.born ?? '';
    const older = born !== null && next !== '' && born < BigInt(next);
    return hint.usual && older && !this.#dependencies.fresh() && this.#dependencies.ledger.knows(log)
      ? log
      : place.path;
  }

  #examine(
    place: Place,
    owners: ReadonlySet<number> | undefined,
    quiet: boolean,
  ): Examined | 'rejected' | null {
    const opened = this.#dependencies.access.open(place.path, owners, quiet);
    if (opened === null || opened === 'rejected') return opened;
    const { source, head, stats } = opened;
    const size = Math.max(Number(stats.size), head.length);
    return {
      ...{ source, head, stats, size, compressed: false },
      bytes: () => bytesOf(source),
      open: () => source,
      close: () => source.close(),
    };
  }

  #examineCompressed(
    place: Place,
    compressed: 'gz' | 'zst',
    owners: ReadonlySet<number> | undefined,
    quiet: boolean,
  ): Examined | 'damaged' | 'unknown' {
    const { access, ledger, log, ready, count } = this.#dependencies;
    const file = place.path;
    const damaged = (error: unknown): void => {
      count('damaged');
      log.error({ file, err: error }, 'compressed log is damaged: what precedes the damage was read');
    };
    const fd = access.descriptor(file, owners, quiet);
    if (fd === null) return 'unknown';
    const stats = new PlainSource(fd).stats();
    try {
      const opened = openCompressed(fd, compressed, (error) => {
        if (error) damaged(error);
        // Under whatever name it lies by now.
        const follower = ledger.inFile(stats, file)?.follower;
        if (follower) ready(follower);
      });
      if (opened === null) return 'unknown';
      const { head, size, content, source, close } = opened;
      const bytes = (): ReturnType<Suspect['bytes']> => {
        const all = content();
        return typeof all === 'string' ? all : bytesIn(all);
      };
      return { source: null, head, size, stats, compressed: true, bytes, open: source, close };
    } catch (error) {
      if (isOfSystem(error)) throw error;
      if (!quiet) damaged(error);
      return 'damaged';
    }
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
    if (where !== 'adjacent' || !this.#isNews(place, hint, stats)) return;
    const { lookedAt, access } = this.#dependencies;
    if (Number(stats.mtimeMs) <= lookedAt() - CLOCK_SLACK) return;
    access.reject(place.path, 'unsupported compression');
  }
}

function beginsAs({ read: { fingerprint } }: Generation, { head }: Examined): boolean {
  return fingerprint.bytes === 0 || begins(head, fingerprint);
}

/** Whether a file that is not open has nothing unread: it is as it was when all of it was read. */
function isRead({ mtime, read, whole, ended }: Generation, place: Place, stats: BigIntStats): boolean {
  if (mtime !== String(stats.mtimeNs)) return false;
  if (compressionOf(place.name) !== null) return whole || ended;
  return BigInt(read.offset) === stats.size;
}

/** Bytes of the log in a file: one that does not say is decompressed where that may tell what it is. */
function sizeOf({ size, bytes }: Examined, candidates: readonly Candidate<Generation>[]): number {
  if (size >= 0 || !candidates.some(({ begins }) => begins)) return size;
  const all = bytes();
  return typeof all === 'string' ? size : all.size;
}

/** Whether a file that holds all that was read of a generation is the one that its own file is a copy of. */
function outgrows(generation: Generation, source: PlainSource | null, contained: () => boolean): boolean {
  const { names, follower, whole, copied } = generation;
  // Nobody appends to a compressed file.
  if (follower === null && whole && [...names].every((name) => compressionOf(name) !== null))
    return source !== null || contained();
  return copied && contained();
}

function whereaboutsOf(generation: Generation): Whereabouts {
  const { follower, names, truncated } = generation;
  if (names.size > 0) return 'present';
  if (follower)
    return follower.source instanceof PlainSource && follower.source.stats().nlink === 0n
      ? 'gone'
      : 'present';
  return truncated ? 'copies' : 'gone';
}
