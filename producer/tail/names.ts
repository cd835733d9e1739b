/** The names that patterns cover, and the folders in which their files lie and what rotation has left of them. */
import { lstatSync } from 'node:fs';
import * as path from 'node:path';
import type { Glob, List } from './glob.ts';
import type { Ledger } from './ledger.ts';
import type { Ways } from './links.ts';
import type { Listings } from './listings.ts';
import { Folder, Place } from './place.ts';
import { compressionOf } from './rotation.ts';

export class Names {
  readonly #include: readonly Glob[];
  readonly #exclude: readonly Glob[];
  readonly #listings: Listings;
  readonly #ledger: Ledger;
  readonly #misread: (file: string) => void;
  /** The names that patterns cover, by path. */
  readonly places = new Map<string, Place>();
  readonly folders = new Map<string, Folder>();
  /** Whether a folder could not be listed in which a pattern may name files. */
  #unlisted = false;

  /** @param misread called with each covered name by which its file cannot be found */
  constructor(
    { include, exclude }: { readonly include: readonly Glob[]; readonly exclude: readonly Glob[] },
    listings: Listings,
    ledger: Ledger,
    misread: (file: string) => void,
  ) {
    this.#include = include;
    this.#exclude = exclude;
    this.#listings = listings;
    this.#ledger = ledger;
    this.#misread = misread;
  }

  covers(file: string): boolean {
    return this.#include.some((glob) => glob.matches(file));
  }

  excludes(file: string): boolean {
    return this.#exclude.some((glob) => glob.matches(file));
  }

  /** Whether the log of this path is followed; one that was may have been taken out of the configuration. */
  follows(log: string): boolean {
    return this.covers(log) && !this.excludes(log);
  }

  /**
   * Expands the patterns.
   *
   * @returns the names that are new
   */
  expand(ways: Ways): ReadonlySet<Place> {
    const found = new Set<Place>();
    this.#unlisted = false;
    const list: List = (folder) => {
      const entries = this.#listings.list(folder);
      if (entries === null) this.#unlisted = true;
      return entries ?? [];
    };
    for (const glob of this.#include) {
      for (const file of glob.expand(list)) {
        if (this.places.has(file) || this.excludes(file)) continue;
        // Nobody appends lines to compressed files: they are found next to the logs.
        if (compressionOf(file) !== null) {
          this.folder(path.dirname(file));
          continue;
        }
        if (isMisread(file)) {
          this.#unlisted = true;
          this.#misread(file);
          continue;
        }
        const place = new Place(file, true);
        place.known = this.#ledger.knows(file);
        this.places.set(file, place);
        this.locate(place, ways);
        found.add(place);
      }
    }
    return found;
  }

  /** Resolves symbolic links: rotated files lie next to the file itself. */
  locate(place: Place, ways: Ways): void {
    let target = place.path;
    let owners: ReadonlySet<number> = new Set();
    try {
      ({ path: target, owners } = ways.of(place.path));
    } catch {
      if (place.home !== null) return;
    }
    const home = this.folder(path.dirname(target));
    place.target = target;
    if (place.home === home) return;
    place.home?.guests.delete(place);
    place.home = home;
    if (place.path === path.join(home.path, place.name)) home.places.set(place.name, place);
    else home.guests.add(place);
    home.logs.add(path.basename(target), place);
    for (const owner of owners) home.owners.add(owner);
  }

  folder(folder: string): Folder {
    const known = this.folders.get(folder) ?? new Folder(folder);
    this.folders.set(folder, known);
    return known;
  }

  /** The name of a file in a folder that is known. */
  place(file: string): Place | undefined {
    return this.places.get(file) ?? this.folders.get(path.dirname(file))?.places.get(path.basename(file));
  }

  /**
   * Goes over all names of a folder.
   *
   * @param now milliseconds of a monotonic clock
   */
  each(folder: Folder, now: number, visit: (place: Place, folder: Folder) => void): void {
    folder.disturbed = false;
    folder.unsettled = false;
    folder.lookedAt = now;
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

  /** Whether some file could not be decided about, or may be where nobody can look. */
  get unsettled(): boolean {
    if (this.#unlisted) return true;
    for (const folder of this.folders.values()) if (folder.unsettled) return true;
    return false;
  }

  clear(): void {
    this.places.clear();
    this.folders.clear();
  }
}

/** Whether a name is not UTF-8: Node.js has U+FFFD in the place of what is not, and no file is found by that. */
function isMisread(file: string): boolean {
  return file.includes('\ufffd') && lstatSync(file, { throwIfNoEntry: false }) === undefined;
}
