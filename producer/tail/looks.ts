/**
 * When which name is looked at: those that grew of late ten times a second, all others in sweeps that cost at most a
 * hundredth of a core, however many there are. Folders in which nothing grows are watched, and swept rarely.
 */
import * as path from 'node:path';
import { FolderWatch } from './folder-watch.ts';
import type { Place } from './place.ts';
import type { Scanner } from './scanner.ts';

/** Milliseconds between sweeps over names that nothing watches, and over all. */
const SWEEP = 1000;
const FULL_SWEEP = 10_000;
/** A sweep's cost times this is the time until the next one. */
const SPARSE = 100;
const FULL_SPARSE = 400;
/** Milliseconds that a sweep takes at a time, and names between two looks at the clock. */
const SLICE = 10;
const BETWEEN_CLOCKS = 32;

export class Looks {
  readonly #scanner: Scanner;
  readonly #watch: FolderWatch;
  #sweep: Iterator<Place> | null = null;
  #full = false;
  #cost = 0;
  #nextSweep = 0;
  #nextFull = 0;
  #nextWatch = 0;
  #fullBegan = 0;
  /** When the last sweep over all names began that has ended, on the monotonic clock; 0 before the first. */
  sweptSince = 0;

  /** @param woken called when something happened in a folder that was watched */
  constructor(scanner: Scanner, woken: () => void) {
    this.#scanner = scanner;
    this.#watch = new FolderWatch((folder, names) => {
      this.#happened(folder, names);
      woken();
    });
  }

  /** When it wants its next call, by the monotonic clock. */
  get next(): number {
    return Math.min(this.#nextSweep, this.#nextFull, this.#nextWatch);
  }

  /** Whether it wants its next call soon. */
  get busy(): boolean {
    return this.#scanner.active.size > 0 || this.#sweep !== null;
  }

  look(now: number): void {
    const { active } = this.#scanner;
    for (const place of active) {
      if (place.activeUntil <= now) active.delete(place);
      else this.#scanner.poll(place);
    }
    if (now >= this.#nextWatch) this.#watchIdle(now);
    this.#sweepOn(now);
  }

  close(): void {
    this.#watch.close();
  }

  #sweepOn(now: number): void {
    if (this.#sweep === null) {
      if (now < this.#nextSweep && now < this.#nextFull) return;
      this.#full = now >= this.#nextFull;
      if (this.#full) this.#fullBegan = now;
      this.#sweep = this.#scanner.places.values();
      this.#cost = 0;
    }
    const begin = performance.now();
    for (let count = 1; ; count++) {
      const { value: place, done } = this.#sweep.next();
      if (done) {
        this.#sweep = null;
        break;
      }
      const folder = place.home;
      if (place.activeUntil > now || (!this.#full && folder?.watched && folder.swept)) continue;
      this.#scanner.poll(place);
      if (count % BETWEEN_CLOCKS === 0 && performance.now() - begin > SLICE) break;
    }
    this.#cost += performance.now() - begin;
    if (this.#sweep !== null) return;
    this.#nextSweep = now + Math.max(SWEEP, this.#cost * SPARSE);
    if (this.#full) this.sweptSince = this.#fullBegan;
    if (this.#full) this.#nextFull = now + Math.max(FULL_SWEEP, this.#cost * FULL_SPARSE);
    for (const folder of this.#scanner.folders.values()) folder.swept = folder.watched;
  }

  /** Watches the folders in which nothing grows. */
  #watchIdle(now: number): void {
    this.#nextWatch = now + SWEEP;
    const idle = new Set(this.#scanner.folders.keys());
    for (const place of this.#scanner.active) {
      idle.delete(path.dirname(place.path));
      if (place.home) idle.delete(place.home.path);
    }
    this.#watch.watch(idle);
    for (const folder of this.#scanner.folders.values()) {
      const watched = this.#watch.watches(folder.path);
      if (watched === folder.watched) continue;
      folder.watched = watched;
      // What happened before it was watched is for the next sweep to find.
      folder.swept = false;
    }
  }

  #happened(folder: string, names: ReadonlySet<string> | null): void {
    const known = this.#scanner.folders.get(folder);
    if (!known) return;
    known.watched = false;
    for (const name of names ?? []) {
      const place = known.places.get(name);
      if (place?.covered) this.#scanner.activate(place);
      else known.disturbed = true;
    }
    // The names are only those of the first moment.
    if (names === null || this.#cost < SLICE) this.#nextSweep = 0;
  }
}
