/** Which name holds which generation, as it was found when the names were looked at. */
import type { BigIntStats } from 'node:fs';
import type { Follower } from './follower.ts';
import type { Generation } from './generation.ts';
import type { Missing } from './missing.ts';
import type { Names } from './names.ts';
import type { OpenFiles } from './open-files.ts';
import type { Place } from './place.ts';

export interface HoldingsDependencies {
  readonly names: Names;
  readonly files: OpenFiles;
  readonly missing: Missing;
  readonly count: (event: 'rotated') => void;
  readonly uptime: () => number;
  readonly ready: (follower: Follower) => void;
}

export class Holdings {
  readonly #dependencies: HoldingsDependencies;
  /** Names that are to be decided about once more, because of what was found under others. */
  readonly again: Place[] = [];

  constructor(dependencies: HoldingsDependencies) {
    this.#dependencies = dependencies;
  }

  /** Notes that a name holds a generation, or none that is known. */
  attach(place: Place, generation: Generation | null): void {
    const { missing } = this.#dependencies;
    const before = place.generation;
    if (before === generation) return;
    place.generation = generation;
    if (generation) {
      generation.names.add(place.path);
      missing.forget(generation);
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
    this.reconsiderCopies(before);
    if (before.follower === null && !before.ended) missing.seek(before);
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
  reconsiderCopies(generation: Generation): void {
    for (const name of generation.copies) {
      const place = this.#dependencies.names.place(name);
      if (place?.copyOf === generation) {
        place.doubted = true;
        this.again.push(place);
      } else generation.copies.delete(name);
    }
  }

  /** Takes a generation from all names of a file that no longer holds it. */
  detach(generation: Generation, at: Place, stats: BigIntStats): void {
    const { names } = this.#dependencies;
    for (const name of [...generation.names]) {
      const place = names.place(name);
      if (!place || place === at || !place.sameFile(stats)) continue;
      this.attach(place, null);
      this.again.push(place);
    }
    this.attach(at, null);
  }

  /** Gives up the file that held a generation: the one at another place has taken over. */
  release(generation: Generation, to: Place): void {
    const { names, files } = this.#dependencies;
    if (generation.follower) files.close(generation.follower, generation);
    for (const name of [...generation.names]) {
      const place = names.place(name);
      if (!place || place === to || place.sameFileAs(to)) continue;
      generation.names.delete(name);
      place.generation = null;
      this.again.push(place);
    }
  }
}
