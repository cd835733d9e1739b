/**
 * Finds the files of a tail input: expands its globs, notices rotation, truncation and new files, and opens what is
 * to be read. It reads nothing itself, and what a file is it leaves to {@link Judge}.
 *
 * A look goes over names: one whose file is as it was costs a stat. Files that the ledger knows by their inode are
 * decided about first, then those at the logs' own paths, then compressed ones, then all others, originals before
 * their copies.
 */
import type { BigIntStats } from 'node:fs';
import * as path from 'node:path';
import type { Logger } from 'pino';
import * as z from 'zod/mini';
import type { StateMap } from '../state.ts';
import { FileAccess } from './access.ts';
import { CompressedSource } from './compressed.ts';
import { readHead } from './fingerprint.ts';
import { Follower, type Position } from './follower.ts';
import { type Generation, NO_FILE } from './generation.ts';
import type { Glob, List } from './glob.ts';
import { Judge, type JudgeEvent, type OpenedSource } from './judge.ts';
import { Ledger } from './ledger.ts';
import type { Splitter } from './lines.ts';
import { Ways } from './links.ts';
import { Listings } from './listings.ts';
import type { Symlinks } from './options.ts';
import { Folder, Place } from './place.ts';
import { compressionOf } from './rotation.ts';
import { birthOf, fileKey, PlainSource, statOf } from './source.ts';

/** When the input last looked, in milliseconds since 1970, to the minute; absent before its first start. */
const STARTED = 'started';
const SAVE_STARTED_AFTER = 60_000;
/** Milliseconds after its last growth during which a log is looked at often. */
const ACTIVE = 5000;
/** Milliseconds after which the names of a folder are looked at though the folder has not changed. */
const LOOK_ANYWAY = 60_000;
/** Looks at names in one go: what one decision has changed for another one is settled by then. */
const ROUNDS = 3;
const NO_BYTES = Buffer.alloc(0);

export interface ScannerOptions {
  readonly include: readonly Glob[];
  readonly exclude: readonly Glob[];
  readonly readFromHead: boolean;
  readonly symlinks: Symlinks;
  /** Whether the files have an encoding of their own. */
  readonly encoded: boolean;
}

export interface ScannerDependencies {
  readonly state: StateMap;
  readonly log: Logger;
  readonly now: () => number;
  readonly uptime: () => number;
  readonly count: (event: ScanEvent, by?: number) => void;
  /** Makes the splitter of a file of this log, with the parser of its tag behind it. */
  readonly splitter: (path: string) => Splitter;
  /** Called with each file that may have something to read. */
  readonly ready: (follower: Follower) => void;
  /** How many files may be open. */
  readonly openLimit: () => number;
}

/** A name under which something has changed. */
interface Changed {
  readonly place: Place;
  readonly folder: Folder | null;
  readonly stats: BigIntStats;
}

export type ScanEvent = JudgeEvent | 'rotated' | 'truncated' | 'lost_bytes' | 'gone' | 'exhausted';

export class Scanner {
  readonly #options: ScannerOptions;
  readonly #dependencies: ScannerDependencies;
  readonly ledger: Ledger;
  /** The names that patterns of the input cover, by path. */
  readonly places = new Map<string, Place>();
  /** The generations that are open. */
  readonly open = new Map<Follower, Generation>();
  /** The names that grew of late. */
  readonly active = new Set<Place>();
  readonly folders = new Map<string, Folder>();
  readonly #access: FileAccess;
  readonly #judge: Judge;
  readonly #listings: Listings;
  /** Generations that are looked for under any name, and whether a whole look did not find them. */
  readonly #searched = new Map<Generation, boolean>();
  #again: Place[] = [];
  /** Names whose files are opened when others were closed. */
  readonly #waiting = new Set<Place>();
  #started: boolean;
  /** Whether a folder could not be listed in which a pattern may name files. */
  #unlisted = false;
  /** When everything was last looked at: what was written later is news even where its log is new. */
  #lookedAt: number;
  /** Whether the state said nothing of an earlier run. */
  readonly fresh: boolean;

  constructor(options: ScannerOptions, dependencies: ScannerDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    const started = dependencies.state.read(STARTED, z.number());
    this.#started = started !== undefined;
    this.#lookedAt = started !== undefined ? notLater(started, dependencies.now()) : Number.POSITIVE_INFINITY;
    this.fresh = !this.#started;
    this.ledger = new Ledger(dependencies.state);
    const { count } = dependencies;
    this.#access = new FileAccess({
      ...dependencies,
      symlinks: options.symlinks,
      encoded: options.encoded,
      exhausted: () => count('exhausted'),
    });
    this.#listings = new Listings(dependencies.now, (folder, code) => this.#access.listed(folder, code));
    this.#judge = new Judge({
      ...dependencies,
      access: this.#access,
      ledger: this.ledger,
      readFromHead: options.readFromHead,
      lookedAt: () => this.#lookedAt,
      fresh: () => !this.#started,
      searching: () => this.#searched.size > 0,
      covers: (file) => options.include.some((glob) => glob.matches(file)),
      excluded: (file) => options.exclude.some((glob) => glob.matches(file)),
      attach: (place, generation) => this.#attach(place, generation),
      follow: (place, generation, file, from) => this.#follow(place, generation, file, from),
      detach: (generation, place, stats) => this.#detach(generation, place, stats),
      release: (generation, place) => this.#release(generation, place),
      seek: (generation) => this.#seek(generation),
    });
    for (const generation of this.ledger.all()) if (!generation.ended) this.#seek(generation);
  }

  /** Expands the globs where folders have changed and looks at all that has. */
  refresh(force = false): void {
    const ways = new Ways();
    const located = this.#listings.begin(force) ? this.#expand(ways) : new Set<Place>();
    if (force || !this.#started || this.#searched.size > 0)
      for (const place of this.places.values()) if (!located.has(place)) this.#locate(place, ways);
    const folders = [...this.folders.values()].filter((folder) => this.#isDue(folder, force));
    this.#look(folders);
    if (this.#searched.size > 0) this.#search();
    // Files that wait to be opened were there at the first look, too.
    this.#started ||= this.#waiting.size === 0;
    this.#lookedAt = this.#started ? this.#dependencies.now() : Number.POSITIVE_INFINITY;
    this.ledger.prune(this.#dependencies.uptime());
  }

  /** @returns the names that are new */
  #expand(ways: Ways): ReadonlySet<Place> {
    const { include, exclude } = this.#options;
    const found = new Set<Place>();
    this.#unlisted = false;
    const list: List = (folder) => {
      const entries = this.#listings.list(folder);
      if (entries === null) this.#unlisted = true;
      return entries ?? [];
    };
    for (const glob of include) {
      for (const file of glob.expand(list)) {
        if (this.places.has(file) || exclude.some((other) => other.matches(file))) continue;
        // Nobody appends lines to compressed files: they are found next to the logs.
        if (compressionOf(file) !== null) {
          this.#folder(path.dirname(file));
          continue;
        }
        const place = new Place(file, true);
        place.known = this.ledger.knows(file);
        this.places.set(file, place);
        this.#locate(place, ways);
        found.add(place);
      }
    }
    return found;
  }

  /** Resolves symbolic links: rotated files lie next to the file itself. */
  #locate(place: Place, ways: Ways): void {
    let target = place.path;
    let owners: ReadonlySet<number> = new Set();
    try {
      ({ path: target, owners } = ways.of(place.path));
    } catch {
      if (place.home !== null) return;
    }
    const home = this.#folder(path.dirname(target));
    place.target = target;
    if (place.home === home) return;
    place.home?.guests.delete(place);
    place.home = home;
    if (place.path === path.join(home.path, place.name)) home.places.set(place.name, place);
    else home.guests.add(place);
    home.logs.add(path.basename(target), place);
    for (const owner of owners) home.owners.add(owner);
  }

  #folder(folder: string): Folder {
    const known = this.folders.get(folder) ?? new Folder(folder);
    this.folders.set(folder, known);
    return known;
  }

  #isDue(folder: Folder, force: boolean): boolean {
    if (force || folder.disturbed || folder.unsettled) return true;
    if (this.#dependencies.uptime() - folder.lookedAt >= LOOK_ANYWAY) return true;
    return this.#listings.list(folder.path) !== folder.seen;
  }

  /** Files that could not be opened, as enough are open. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Opens files that had to wait until others were closed. */
  openWaiting(): void {
    const room = this.#dependencies.openLimit() - this.open.size;
    if (room <= 0 || this.#waiting.size === 0) return;
    for (const place of [...this.#waiting].slice(0, room)) {
      this.#waiting.delete(place);
      this.#again.push(place);
    }
    this.lookAtDisturbed();
  }

  /** Whether some file could not be decided about, or may be where nobody can look. */
  get unsettled(): boolean {
    if (this.#unlisted || this.#searched.size > 0) return true;
    for (const folder of this.folders.values()) if (folder.unsettled) return true;
    return false;
  }

  /** Looks at the folders in which something happened since the last look. */
  lookAtDisturbed(): void {
    const folders = [...this.folders.values()].filter(({ disturbed }) => disturbed);
    if (folders.length === 0 && this.#again.length === 0) return;
    for (const folder of folders) this.#listings.forget(folder.path);
    this.#look(folders);
  }

  /** Looks at the file under a covered name; what else that may have changed is looked at with the next tick. */
  poll(place: Place): void {
    const { generation } = place;
    // The next refresh tries once more.
    if (place.forgotten && generation === null && place.home?.unsettled) return;
    const stats = this.#access.guarded(place.path, () => ({ found: statOf(place.path) }));
    // What cannot be known changes nothing: the file that is open stays so.
    if (stats === null) {
      this.#unknown(place, place.home);
      return;
    }
    if (stats.found !== null && generation?.follower && place.sameFile(stats.found)) {
      this.#compare(place, generation.follower, stats.found);
      return;
    }
    if (stats.found === null ? generation === null : place.unchanged(stats.found)) return;
    place.forget();
    this.#disturb(place);
  }

  /** The system does not say what a name leads to: the next refresh asks once more. */
  #unknown(place: Place, folder: Folder | null): void {
    // A ring of links leads to no file; the one that was there before is still open.
    const nowhere = place.generation === null && this.#access.failure(place.path) === 'ELOOP';
    if (folder && !nowhere) folder.unsettled = true;
  }

  activate(place: Place): void {
    place.activeUntil = this.#dependencies.uptime() + ACTIVE;
    this.active.add(place);
  }

  #disturb(place: Place): void {
    if (place.home) place.home.disturbed = true;
  }

  #place(file: string): Place | undefined {
    return this.places.get(file) ?? this.folders.get(path.dirname(file))?.places.get(path.basename(file));
  }

  #look(folders: readonly Folder[]): void {
    const changed: Changed[] = [];
    const grown = new Set<Follower>();
    const missing = this.#searched.size > 0 || this.#isMissing();
    const visit = (place: Place, folder: Folder | null): void => {
      if (!missing && place.foreignAmong === folder?.logs.size && place.generation === null) return;
      const stats = this.#access.guarded(place.path, () => ({ found: statOf(place.path) }));
      if (stats === null) {
        this.#unknown(place, folder);
        return;
      }
      const { found } = stats;
      const { generation } = place;
      if (!found?.isFile()) this.#vanished(place, folder, found !== null);
      else if (!place.unchanged(found)) {
        if (generation?.follower && generation.key === fileKey(found)) grown.add(generation.follower);
        changed.push({ place, folder, stats: found });
      } else if (generation?.follower) this.#compare(place, generation.follower, found);
      else if (this.#searched.size > 0 && (generation === null || generation.noted))
        changed.push({ place, folder, stats: found });
    };
    for (const folder of folders) this.#names(folder, visit);
    // All names are known to hold what they hold before one of them is decided about.
    for (const { place, stats } of changed)
      if (place.generation && place.generation.key !== fileKey(stats)) this.#attach(place, null);
    const unknown = changed.some(({ place, stats }) => this.ledger.inFile(stats, place.path) === null);
    // What was written after a truncation is known before a copy of it is looked at.
    let searches: (() => void)[] = [];
    if (unknown) {
      // An earlier look may have seen what is not read yet.
      for (const [follower, { names }] of this.open)
        if (names.size === 0 || !follower.isRead) grown.add(follower);
      for (const { generation } of this.active)
        if (generation?.follower && this.#hasChanged(generation.follower)) grown.add(generation.follower);
      searches = this.#verify(grown);
    }
    const rank = ({ place, stats }: Changed): number => {
      if (this.ledger.inFile(stats, place.path)?.noted === false) return 0;
      if (place.covered && this.ledger.knows(place.path)) return 1;
      return compressionOf(place.name) === null ? 3 : 2;
    };
    const ranked = changed.map((each) => ({ ...each, rank: rank(each) }));
    ranked.sort((a, b) => a.rank - b.rank || byOrigin(a.stats, b.stats));
    const judge =
      (last: boolean) =>
      (file: Changed): boolean => {
        if (this.open.size < this.#dependencies.openLimit())
          return this.#judge.judge(file.place, file.folder, file.stats, last);
        this.#waiting.add(file.place);
        file.place.forget();
        return false;
      };
    ranked.filter(judge(false)).forEach(judge(true));
    for (let round = 0; round < ROUNDS && this.#again.length > 0; round++) {
      for (const place of this.#again.splice(0)) {
        const stats = this.#access.guarded(place.path, () => statOf(place.path));
        if (!stats?.isFile()) continue;
        place.unchanged(stats);
        this.#judge.judge(place, place.home ?? this.#folder(path.dirname(place.path)), stats);
      }
    }
    // What this look has not found is looked for once more, now that all that it has found is known.
    for (const search of searches) search();
    // What may be a copy is not known as a log of its own.
    for (const { place } of ranked) place.known ||= place.copyOf === null;
  }

  /** Whether a file changed since its last look; those of a folder that is not looked at now may have, too. */
  #hasChanged({ file, source, sizeSeen, mtimeSeen }: Follower): boolean {
    if (!(source instanceof PlainSource)) return false;
    const stats = this.#access.guarded(file, () => source.stats());
    return stats !== null && (stats.size !== sizeSeen || stats.mtimeNs !== mtimeSeen);
  }

  /** Finds out which files were truncated, and how all of them begin by now, before anything is compared with them. */
  #verify(followers: ReadonlySet<Follower>): (() => void)[] {
    const truncated: Follower[] = [];
    for (const follower of followers) {
      if (!this.open.has(follower) || !(follower.source instanceof PlainSource)) continue;
      const holds = this.#access.guarded(follower.file, () => {
        follower.growHead();
        return follower.holds();
      });
      if (holds === false) truncated.push(follower);
    }
    return truncated.map((follower) => this.#restart(follower));
  }

  /** Whether some open file lies under no known name. */
  #isMissing(): boolean {
    for (const [{ rotated }, { names }] of this.open) if (rotated && names.size === 0) return true;
    return false;
  }

  /** Goes over all names of a folder. */
  #names(folder: Folder, visit: (place: Place, folder: Folder) => void): void {
    folder.disturbed = false;
    folder.unsettled = false;
    folder.lookedAt = this.#dependencies.uptime();
    for (const guest of folder.guests) visit(guest, folder);
    const entries = this.#listings.list(folder.path);
    folder.seen = entries;
    if (entries === null) {
      // Files in it can be opened all the same where the folder may be entered.
      for (const place of folder.places.values()) visit(place, folder);
      return;
    }
    const names = new Set<string>();
    for (const entry of entries) {
      if (entry.isDirectory()) continue;
      names.add(entry.name);
      let place = folder.places.get(entry.name);
      if (!place) {
        place = new Place(path.join(folder.path, entry.name), false, folder);
        folder.places.set(entry.name, place);
      }
      visit(place, folder);
    }
    for (const [name, place] of folder.places) if (!names.has(name)) visit(place, folder);
  }

  #vanished(place: Place, folder: Folder | null, refused: boolean): void {
    if (!refused) this.#access.forget(place.path);
    else if (place.covered) this.#access.open(place.path);
    this.#attach(place, null);
    place.copyOf = null;
    place.forget();
    if (!place.covered) folder?.places.delete(place.name);
  }

  /** Notes that a name holds a generation, or none that is known. */
  #attach(place: Place, generation: Generation | null): void {
    const before = place.generation;
    if (before === generation) return;
    place.generation = generation;
    if (generation) {
      generation.names.add(place.path);
      this.#searched.delete(generation);
      generation.sought = false;
      if (generation.at !== place.target) {
        generation.at = place.target;
        generation.dirty = true;
      }
      if (generation.follower?.source.seekable && generation.log === place.path)
        generation.follower.rotated = false;
    }
    if (before === null) return;
    before.names.delete(place.path);
    if (before.log === place.path) this.#rotated(before);
    if (before.names.size > 0) return;
    this.#reconsiderCopies(before);
    if (before.follower === null && !before.ended) this.#seek(before);
  }

  #rotated(generation: Generation): void {
    const { count, uptime, ready } = this.#dependencies;
    const { follower } = generation;
    if (generation.ended) return;
    count('rotated');
    if (!follower) return;
    follower.rotated = true;
    follower.lastGrowth = uptime();
    ready(follower);
  }

  /** Decides once more about files that were taken for copies of a generation, whose own file has changed. */
  #reconsiderCopies(generation: Generation): void {
    for (const name of generation.copies) {
      const place = this.#place(name);
      if (place?.copyOf === generation) {
        place.doubted = true;
        this.#again.push(place);
      } else generation.copies.delete(name);
    }
  }

  #seek(generation: Generation): void {
    generation.sought = true;
    this.#searched.set(generation, false);
  }

  /** Looks for generations that were not found under their own inode, where they lay and next to it. */
  #search(): void {
    for (const generation of this.#searched.keys()) {
      const folder = this.#folder(path.dirname(generation.at));
      // It may have been renamed since the names of this look were listed.
      this.#listings.forget(folder.path);
      this.#look([folder]);
    }
    for (const [generation, missed] of this.#searched) {
      if (!generation.sought) this.#searched.delete(generation);
      // What cannot be opened now may be opened later.
      else if (this.#access.refuses(generation.at) || this.#access.refuses(generation.log)) continue;
      // Into a folder that had been looked at it may have been moved meanwhile: only a look that began later tells.
      else if (missed) this.#lost(generation);
      else this.#searched.set(generation, true);
    }
  }

  #lost(generation: Generation): void {
    this.#searched.delete(generation);
    generation.sought = false;
    generation.ended = true;
    generation.dirty = true;
    const { fingerprint, offset } = generation.read;
    if (fingerprint.bytes === 0) return;
    // It goes on there should it come back, as the files of a disk that is mounted late do.
    this.#dependencies.count('gone');
    this.#dependencies.log.warn(
      { file: generation.at, offset },
      'a file that was being read is gone: what was written to it after this offset cannot be read',
    );
  }

  #follow(place: Place, generation: Generation, file: OpenedSource, from: Position): void {
    const { uptime, now, splitter, log, ready } = this.#dependencies;
    const lines = splitter(generation.log);
    lines.skipping = from.skipping;
    const follower = new Follower({
      file: place.target,
      source: file.source,
      splitter: lines,
      offset: from.offset,
      check: from.offset === generation.read.offset && from.check.bytes > 0 ? from.check : null,
      head: file.head,
      now: uptime(),
    });
    generation.follower = follower;
    generation.ended = false;
    this.open.set(follower, generation);
    this.ledger.refresh(generation);
    follower.sized(Number(file.stats.size));
    follower.sizeSeen = file.stats.size;
    follower.mtimeSeen = file.stats.mtimeNs;
    if (place.covered) this.activate(place);
    if (place.path !== generation.log || !file.source.seekable) {
      follower.rotated = true;
      follower.lastGrowth -= Math.max(0, now() - Number(file.stats.mtimeMs));
      log.info({ file: place.path, offset: from.offset }, 'reading a rotated file');
    }
    ready(follower);
  }

  /** Whether a rotated file grew. */
  lookAtRotated(follower: Follower): void {
    const { source } = follower;
    if (source instanceof PlainSource)
      this.#access.guarded(follower.file, () => this.#grown(follower, source.stats()));
    else this.#dependencies.ready(follower);
  }

  #compare(place: Place, follower: Follower, stats: BigIntStats): void {
    if (this.#grown(follower, stats) && place.covered) this.activate(place);
  }

  #grown(follower: Follower, stats: BigIntStats): boolean {
    if (follower.sizeSeen === stats.size && follower.mtimeSeen === stats.mtimeNs) return false;
    follower.sizeSeen = stats.size;
    follower.mtimeSeen = stats.mtimeNs;
    follower.sized(Number(stats.size));
    this.#dependencies.ready(follower);
    return true;
  }

  /** A file no longer holds what was read of it: looks for a copy with the rest, and reads it from its start. */
  truncated(follower: Follower): void {
    this.#restart(follower)();
  }

  /** Has a truncated file read from its start; returns the search for a copy with the rest of what it held. */
  #restart(follower: Follower): () => void {
    const { log, uptime, count } = this.#dependencies;
    const old = this.open.get(follower)!;
    count('truncated');
    const { unread, source } = follower;
    this.ledger.refresh(old);
    const { file } = old;
    old.follower = null;
    old.ended = true;
    this.ledger.bind(old, NO_FILE);
    old.truncated = true;
    log.info(
      { file: follower.file, offset: follower.offset },
      'file was truncated: reading it from its start',
    );
    follower.restart(source instanceof PlainSource ? readHead(source.fd) : NO_BYTES, uptime());
    const next = this.ledger.create(old.log, old.at);
    next.follower = follower;
    this.open.set(follower, next);
    this.ledger.bind(next, file);
    const folders = new Set<Folder>();
    for (const name of [...old.names]) {
      const place = this.#place(name)!;
      if (place.home) folders.add(place.home);
      old.names.delete(name);
      next.names.add(name);
      place.generation = next;
    }
    folders.add(this.#folder(path.dirname(old.at)));
    this.ledger.refresh(next);
    this.#reconsiderCopies(old);
    this.#seek(old);
    return () => this.#searchRest(follower, old, unread, folders);
  }

  #searchRest(follower: Follower, old: Generation, unread: number, folders: ReadonlySet<Folder>): void {
    const { log, count, ready } = this.#dependencies;
    if (old.sought) {
      for (const folder of folders) this.#listings.forget(folder.path);
      this.#look([...folders]);
    }
    this.#searched.delete(old);
    const found = !old.sought;
    old.sought = false;
    if (unread > 0 && !found && old.follower === null) {
      count('lost_bytes', unread);
      log.warn(
        { file: follower.file, bytes: unread },
        'truncated before its end was read, and there is no copy',
      );
    }
    ready(follower);
  }

  /** Closes a file of which all was read; it is opened when it has grown. */
  park(follower: Follower): void {
    this.#close(follower, this.open.get(follower)!);
  }

  /** Closes a rotated file that was read to its end. */
  finish(follower: Follower): void {
    const generation = this.open.get(follower)!;
    const { source } = follower;
    generation.whole = source instanceof CompressedSource && source.whole;
    this.#close(follower, generation);
    generation.ended = true;
    generation.dirty = true;
    this.#reconsiderCopies(generation);
    // Looked at once more, so that the ledger knows which file it is in.
    for (const name of generation.names) {
      const home = this.#place(name)?.home;
      if (home) home.disturbed = true;
    }
  }

  /** Takes a generation from all names of a file that no longer holds it. */
  #detach(generation: Generation, at: Place, stats: BigIntStats): void {
    for (const name of [...generation.names]) {
      const place = this.#place(name);
      if (!place || place === at || !place.sameFile(stats)) continue;
      this.#attach(place, null);
      this.#again.push(place);
    }
    this.#attach(at, null);
  }

  /** Gives up the file that held a generation: the one at another place has taken over. */
  #release(generation: Generation, to: Place): void {
    if (generation.follower) this.#close(generation.follower, generation);
    for (const name of [...generation.names]) {
      const place = this.#place(name);
      if (!place || place === to || place.sameFileAs(to)) continue;
      generation.names.delete(name);
      place.generation = null;
      this.#again.push(place);
    }
  }

  #close(follower: Follower, generation: Generation): void {
    const { source } = follower;
    if (source instanceof PlainSource) {
      const stats = this.#access.guarded(follower.file, () => source.stats());
      generation.mtime = stats && Number(stats.size) === follower.offset ? String(stats.mtimeNs) : '';
    } else {
      for (const name of generation.names) {
        const stats = this.#access.guarded(name, () => statOf(name));
        if (stats && fileKey(stats) === generation.key) generation.mtime = String(stats.mtimeNs);
      }
    }
    this.ledger.refresh(generation);
    generation.follower = null;
    generation.dirty = true;
    this.open.delete(follower);
    source.close();
  }

  /** Writes what changed since the last call into the state. */
  save(): void {
    const { state } = this.#dependencies;
    this.ledger.save();
    const saved = state.get(STARTED);
    if (
      this.#started &&
      (typeof saved !== 'number' || Math.abs(this.#lookedAt - saved) > SAVE_STARTED_AFTER)
    ) {
      state.set(STARTED, this.#lookedAt);
    }
  }

  close(): void {
    // What was read is in the builders, and its positions belong in the same cut.
    this.save();
    for (const follower of this.open.keys()) follower.source.close();
    this.open.clear();
    this.places.clear();
    this.active.clear();
    this.folders.clear();
  }
}

/** An original comes before its copies: it is longer than a copy that it outgrew, and older than one that it did not. */
function byOrigin(a: BigIntStats, b: BigIntStats): number {
  return Number(b.size - a.size) || Number((birthOf(a) ?? a.mtimeNs) - (birthOf(b) ?? b.mtimeNs));
}

/** A moment from the state; one that is still to come was written by a wrong clock, and says nothing. */
function notLater(moment: number, now: number): number {
  return moment <= now ? moment : Number.NEGATIVE_INFINITY;
}
