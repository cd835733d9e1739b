/** The names in followed folders: what was last seen under each, and which generation it holds. */
import type { BigIntStats } from 'node:fs';
import * as path from 'node:path';
import type { Generation } from './generation.ts';
import { LogNames } from './rotation.ts';

/** A name, and the file under it. */
export class Place {
  readonly path: string;
  readonly name: string;
  /** Whether a pattern of the input names it. */
  readonly covered: boolean;
  /** The path of the file when symbolic links lead to it. */
  target: string;
  /** The folder in which rotated files of it lie. */
  home: Folder | null;
  generation: Generation | null = null;
  /** What it seems to be a copy of. */
  copyOf: Generation | null = null;
  /** Whether what it seems to be a copy of has changed. */
  doubted = false;
  /** Whether its name said nothing when that many logs were known in its folder: it is only looked at in a search. */
  foreignAmong = -1;
  /** Whether its log was followed before the look that goes on. */
  known = false;
  /** Until when it is looked at often, by the monotonic clock. */
  activeUntil = 0;
  #dev = 0n;
  #ino = -1n;
  #size = 0n;
  #mtime = 0n;

  /** @param home the folder of a name that no pattern covers */
  constructor(file: string, covered: boolean, home: Folder | null = null) {
    this.home = home;
    this.path = file;
    this.name = path.basename(file);
    this.target = file;
    this.covered = covered;
  }

  /** Notes what is there now; whether it is what was there before. */
  unchanged(stats: BigIntStats): boolean {
    const same = this.sameFile(stats) && this.#size === stats.size && this.#mtime === stats.mtimeNs;
    this.#dev = stats.dev;
    this.#ino = stats.ino;
    this.#size = stats.size;
    this.#mtime = stats.mtimeNs;
    return same;
  }

  sameFile(stats: BigIntStats): boolean {
    return this.#ino === stats.ino && this.#dev === stats.dev;
  }

  sameFileAs(other: Place): boolean {
    return this.#ino === other.#ino && this.#dev === other.#dev;
  }

  /** Has the next look decide about it once more. */
  forget(): void {
    this.#ino = -1n;
  }

  get forgotten(): boolean {
    return this.#ino === -1n;
  }
}

/** A folder in which logs lie, or what their rotation has left. */
export class Folder {
  readonly path: string;
  readonly places = new Map<string, Place>();
  /** The logs whose rotated files lie here. */
  readonly logs = new LogNames<Place>();
  /** The names elsewhere that lead to files in here. */
  readonly guests = new Set<Place>();
  /** Users whose symbolic links led here. */
  readonly owners = new Set<number>();
  /** The listing that was last gone through. */
  seen: unknown = null;
  lookedAt = Number.NEGATIVE_INFINITY;
  /** Whether something happened in it that the next tick has to find. */
  disturbed = false;
  /** Whether some of its files could not be decided about: the next refresh tries them once more. */
  unsettled = false;
  /** Whether the system reports what happens in it, and whether its files were looked at since it does. */
  watched = false;
  swept = false;

  constructor(folder: string) {
    this.path = folder;
  }
}
