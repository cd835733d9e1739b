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
import type { OldPositions } from '../predecessor/positions.ts';
import type { StateMap } from '../state.ts';
import { FileAccess } from './access.ts';
import { CompressedSource } from './compressed.ts';
import { Examiner } from './examine.ts';
import type { Follower } from './follower.ts';
import type { Generation } from './generation.ts';
import type { Glob } from './glob.ts';
import { Holdings } from './holdings.ts';
import { Judge, type JudgeEvent } from './judge.ts';
import { Ledger } from './ledger.ts';
import type { Splitter } from './lines.ts';
import { Ways } from './links.ts';
import { Listings } from './listings.ts';
import { Missing } from './missing.ts';
import { Names } from './names.ts';
import { OpenFiles } from './open-files.ts';
import type { Symlinks } from './options.ts';
import type { Folder, Place } from './place.ts';
import { PowerLoss } from './power-loss.ts';
import { compressionOf } from './rotation.ts';
import { birthOf, fileKey, statOf } from './source.ts';
import { takeOver } from './take-over.ts';
import { type Rest, Truncations } from './truncations.ts';

/** When the input last looked, in milliseconds since 1970, to the minute; absent before its first start. */
export const STARTED = 'started';
const SAVE_STARTED_AFTER = 60_000;
/** Milliseconds after its last growth during which a log is looked at often. */
const ACTIVE = 5000;
/** Milliseconds after which the names of a folder are looked at though the folder has not changed. */
const LOOK_ANYWAY = 60_000;
/** Looks at names in one go: what one decision has changed for another one is settled by then. */
const ROUNDS = 3;

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
  /** When the machine was booted, milliseconds since 1970. */
  readonly booted: number;
  /** How far another agent has read, where this input goes on from there. */
  readonly positions: OldPositions | null;
}

/** A name under which something has changed. */
interface Changed {
  readonly place: Place;
  readonly folder: Folder | null;
  readonly stats: BigIntStats;
}

export type ScanEvent = JudgeEvent | 'rotated' | 'truncated' | 'lost_bytes' | 'gone' | 'exhausted';

export class Scanner {
  readonly #dependencies: ScannerDependencies;
  readonly ledger: Ledger;
  /** The names that grew of late. */
  readonly active = new Set<Place>();
  readonly #access: FileAccess;
  readonly #judge: Judge;
  readonly #listings: Listings;
  readonly #names: Names;
  readonly #files: OpenFiles;
  readonly #missing: Missing;
  readonly #holdings: Holdings;
  readonly #truncations: Truncations;
  /** Names whose files are opened when others were closed. */
  readonly #waiting = new Set<Place>();
  #started: boolean;
  /** When everything was last looked at: what was written later is news even where its log is new. */
  #lookedAt: number;
  /** What another agent has read, until that is in the ledger. */
  #positions: OldPositions | null;
  readonly #examiner: Examiner;
  /** Whether the state said nothing of an earlier run. */
  readonly fresh: boolean;

  constructor(options: ScannerOptions, dependencies: ScannerDependencies) {
    this.#dependencies = dependencies;
    const started = dependencies.state.read(STARTED, z.number());
    this.fresh = started === undefined;
    this.#positions = this.fresh ? dependencies.positions : null;
    const { at = started } = this.#positions ?? {};
    this.#started = at !== undefined;
    this.#lookedAt = at !== undefined ? notLater(at, dependencies.now()) : Number.POSITIVE_INFINITY;
    this.ledger = new Ledger(dependencies.state);
    const { symlinks, encoded, readFromHead } = options;
    const { ledger } = this;
    const { count, log } = dependencies;
    const access = new FileAccess({
      ...{ log, count, symlinks, encoded },
      exhausted: () => count('exhausted'),
    });
    this.#access = access;
    this.#listings = new Listings(dependencies.now, (folder, code) => access.listed(folder, code));
    const misread = (file: string): void => access.reject(file, 'name is not UTF-8');
    const names = new Names(options, this.#listings, ledger, misread);
    const activate = (place: Place): void => this.activate(place);
    const files = new OpenFiles({ ...dependencies, access, ledger, activate });
    const missing = new Missing(access, log, () => count('gone'));
    const holdings = new Holdings({ ...dependencies, names, files, missing });
    const parts = { ...dependencies, access, ledger, names, files, missing, holdings };
    this.#names = names;
    this.#files = files;
    this.#missing = missing;
    this.#holdings = holdings;
    this.#truncations = new Truncations({ ...parts, relook: (folders) => this.#relook(folders) });
    this.#examiner = new Examiner(parts);
    this.#judge = new Judge({
      ...{ ...parts, readFromHead, examiner: this.#examiner },
      powerLoss: new PowerLoss(started, dependencies.booted),
      lookedAt: () => this.#lookedAt,
      fresh: () => !this.#started,
      takesOver: () => this.#positions !== null,
    });
    for (const generation of this.ledger.all()) {
      if (generation.ended) continue;
      if (names.follows(generation.log)) this.#missing.seek(generation);
      else this.#leave(generation);
    }
  }

  /** The configuration no longer names the log: what is written to it from now on is not read. */
  #leave(generation: Generation): void {
    const { log, at, read } = generation;
    generation.ended = true;
    generation.dirty = true;
    this.#dependencies.log.info({ log, file: at, offset: read.offset }, 'a log is no longer followed');
  }

  /** The names that patterns of the input cover, by path. */
  get places(): ReadonlyMap<string, Place> {
    return this.#names.places;
  }

  get folders(): ReadonlyMap<string, Folder> {
    return this.#names.folders;
  }

  /** The files that are open, and the generations that they hold. */
  get open(): ReadonlyMap<Follower, Generation> {
    return this.#files.all;
  }

  /** Expands the globs where folders have changed and looks at all that has. */
  refresh(force = false): void {
    if (force) this.#access.blind = false;
    const ways = new Ways();
    const located = this.#listings.begin(force) ? this.#names.expand(ways) : new Set<Place>();
    if (force || !this.#started || this.#missing.any)
      for (const place of this.places.values()) if (!located.has(place)) this.#names.locate(place, ways);
    const folders = [...this.folders.values()].filter((folder) => this.#isDue(folder, force));
    this.#look(folders);
    // What was there at the first look is known now.
    this.#positions = null;
    if (this.#missing.any) this.#search();
    // Files that wait to be opened were there at the first look, too.
    this.#started ||= this.#waiting.size === 0;
    this.#lookedAt = this.#started ? this.#dependencies.now() : Number.POSITIVE_INFINITY;
    this.ledger.prune(this.#dependencies.uptime());
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
      this.#holdings.again.push(place);
    }
    this.lookAtDisturbed();
  }

  /** Whether some file could not be decided about, or may be where nobody can look. */
  get unsettled(): boolean {
    return this.#names.unsettled || this.#missing.any;
  }

  /** Whether the system could not show since the last forced look what may hold lines. */
  get blind(): boolean {
    return this.#access.blind;
  }

  /** Looks at the folders in which something happened since the last look. */
  lookAtDisturbed(): void {
    const folders = [...this.folders.values()].filter(({ disturbed }) => disturbed);
    if (folders.length === 0 && this.#holdings.again.length === 0) return;
    this.#relook(folders);
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
      this.#files.compare(place, generation.follower, stats.found);
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

  #look(folders: readonly Folder[]): void {
    const changed: Changed[] = [];
    const grown = new Set<Follower>();
    const missing = this.#missing.any || this.#isMissing();
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
      } else if (generation?.follower) this.#files.compare(place, generation.follower, found);
      else if (this.#missing.any && (generation === null || generation.noted))
        changed.push({ place, folder, stats: found });
    };
    for (const folder of folders) this.#names.each(folder, this.#dependencies.uptime(), visit);
    if (this.#positions !== null) {
      const { access, names, examiner, ledger, log } = {
        ...{ access: this.#access, names: this.#names, examiner: this.#examiner },
        ...{ ledger: this.ledger, log: this.#dependencies.log },
      };
      takeOver(this.#positions, changed, { access, names, examiner, ledger, log });
    }
    // All names are known to hold what they hold before one of them is decided about.
    for (const { place, stats } of changed)
      if (place.generation && place.generation.key !== fileKey(stats)) this.#holdings.attach(place, null);
    const unknown = changed.some(({ place, stats }) => this.ledger.inFile(stats, place.path) === null);
    // What was written after a truncation is known before a copy of it is looked at.
    let rests: readonly Rest[] = [];
    if (unknown) {
      // An earlier look may have seen what is not read yet.
      for (const [follower, { names }] of this.open)
        if (names.size === 0 || !follower.isRead) grown.add(follower);
      for (const { generation } of this.active)
        if (generation?.follower && this.#files.hasChanged(generation.follower))
          grown.add(generation.follower);
      rests = this.#truncations.verify(grown);
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
    for (let round = 0; round < ROUNDS && this.#holdings.again.length > 0; round++) {
      for (const place of this.#holdings.again.splice(0)) {
        const stats = this.#access.guarded(place.path, () => statOf(place.path));
        if (!stats?.isFile()) continue;
        place.unchanged(stats);
        this.#judge.judge(place, place.home ?? this.#names.folder(path.dirname(place.path)), stats);
      }
    }
    // What this look has not found is looked for once more, now that all that it has found is known.
    this.#truncations.search(rests);
    // What may be a copy is not known as a log of its own.
    for (const { place } of ranked) place.known ||= place.copyOf === null;
  }

  /** Whether some open file lies under no known name. */
  #isMissing(): boolean {
    for (const [{ rotated }, { names }] of this.open) if (rotated && names.size === 0) return true;
    return false;
  }

  #vanished(place: Place, folder: Folder | null, refused: boolean): void {
    if (!refused) this.#access.forget(place.path);
    else if (place.covered) this.#access.open(place.path);
    this.#holdings.attach(place, null);
    place.copyOf = null;
    place.forget();
    if (!place.covered) folder?.places.delete(place.name);
  }

  /** Looks for what is missing: it may have been renamed since the names of this look were listed. */
  #search(): void {
    this.#missing.search((places) =>
      this.#relook(new Set(places.map((place) => this.#names.folder(path.dirname(place))))),
    );
  }

  #relook(folders: Iterable<Folder>): void {
    const all = [...folders];
    for (const folder of all) this.#listings.forget(folder.path);
    this.#look(all);
  }

  /** A file no longer holds what was read of it: looks for a copy with the rest, and reads it from its start. */
  truncated(follower: Follower): void {
    this.#truncations.search([this.#truncations.restart(follower)]);
  }

  /** Whether a rotated file grew. */
  lookAtRotated(follower: Follower): void {
    this.#files.lookAtRotated(follower);
  }

  /** Closes a file of which all was read; it is opened when it has grown. */
  park(follower: Follower): void {
    this.#files.close(follower, this.open.get(follower)!);
  }

  /** Closes a file whose server no longer knows it as open; what its names lead to now is looked at. */
  reopen(follower: Follower): void {
    const generation = this.open.get(follower)!;
    this.#files.close(follower, generation);
    for (const name of generation.names) {
      const place = this.#names.place(name);
      place?.forget();
      if (place) this.#disturb(place);
    }
    if (generation.names.size === 0) this.#missing.seek(generation);
  }

  /** Closes a rotated file that was read to its end. */
  finish(follower: Follower): void {
    const generation = this.open.get(follower)!;
    const { source } = follower;
    generation.whole = source instanceof CompressedSource && source.whole;
    this.#files.close(follower, generation);
    generation.ended = true;
    generation.dirty = true;
    this.#holdings.reconsiderCopies(generation);
    // Looked at once more, so that the ledger knows which file it is in.
    for (const name of generation.names) {
      const home = this.#names.place(name)?.home;
      if (home) home.disturbed = true;
    }
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
    this.#files.closeAll();
    this.active.clear();
    this.#names.clear();
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
