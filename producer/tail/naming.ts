/** What the name of a file and its times say: where it lies, whether it may hold news, and of which log it is. */
import type { BigIntStats } from 'node:fs';
import type { Where } from './decide.ts';
import type { Ledger } from './ledger.ts';
import type { Names } from './names.ts';
import type { Place } from './place.ts';
import { compressionOf, type Hint, uncompressedName } from './rotation.ts';
import { birthOf } from './source.ts';

/** Milliseconds by which a file system's clock may be behind: kernels stamp files by their last tick. */
const CLOCK_SLACK = 1000;
/** Nanoseconds after the birth of the next file during which a rotated one may still be written. */
const LATE_WRITES = 2_000_000_000n;
const NANOSECONDS = 1e6;

export interface NamingDependencies {
  readonly ledger: Ledger;
  /** When everything was last looked at, in milliseconds since 1970: what was written later is news. */
  readonly lookedAt: () => number;
  /** Whether the input never looked before. */
  readonly fresh: () => boolean;
  /** Whether another agent has looked before, of which it is not known when it has read a rotated file last. */
  readonly takesOver: () => boolean;
  readonly names: Names;
}

export class Naming {
  readonly #dependencies: NamingDependencies;

  constructor(dependencies: NamingDependencies) {
    this.#dependencies = dependencies;
  }

  where(place: Place, hint: Hint<Place> | null, stats: BigIntStats): Where {
    const { ledger, names } = this.#dependencies;
    if (place.covered && compressionOf(place.name) === null)
      // A generation that this look has found may have been given this path as the name of its log.
      return hint === null && place.known && ledger.knows(place.path) ? 'log' : 'named';
    if (names.excludes(place.path)) return 'foreign';
    if (hint?.usual || names.covers(place.path)) return 'adjacent';
    return hint && this.isNews(place, hint, stats) ? 'adjacent' : 'foreign';
  }

  /** Whether a file next to a log may hold lines from the time in which the log was followed. */
  isNews(place: Place, hint: Hint<Place> | null, stats: BigIntStats): boolean {
    const { fresh, lookedAt, names } = this.#dependencies;
    if (fresh()) return false;
    const since = lookedAt() - CLOCK_SLACK;
    if (hint?.usual && hint.log.known) return true;
    if (!this.isRecent(stats)) return false;
    if (hint?.usual || names.covers(place.path)) return true;
    // By its name it may as well be another log: its life has to fit between two generations of this one.
    const next = hint?.log.generation?.file.born ?? '';
    if (next === '') return false;
    if (compressionOf(place.name) === null) {
      const born = birthOf(stats) ?? 0n;
      if (Number(born) / NANOSECONDS <= since || born + LATE_WRITES > BigInt(next)) return false;
    }
    return stats.mtimeNs <= BigInt(next) + LATE_WRITES;
  }

  /** Whether a file was written since everything was last looked at. */
  isRecent(stats: BigIntStats): boolean {
    const { lookedAt, takesOver } = this.#dependencies;
    const since = lookedAt() - CLOCK_SLACK;
    if (takesOver() && Number(birthOf(stats) ?? stats.mtimeNs) / NANOSECONDS <= lookedAt()) return false;
    return Number(stats.mtimeMs) > since;
  }

  /** The log of a new generation: that of its name, unless it looks like an earlier generation of another one. */
  logOf(place: Place, hint: Hint<Place> | null, stats: BigIntStats): string {
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
}
