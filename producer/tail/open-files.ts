/** The files that are open, each with the generation that is read from it. */
import type { BigIntStats } from 'node:fs';
import type { Logger } from 'pino';
import type { FileAccess } from './access.ts';
import type { OpenedSource } from './examine.ts';
import { Follower, type Position } from './follower.ts';
import type { Generation } from './generation.ts';
import type { Ledger } from './ledger.ts';
import type { Splitter } from './lines.ts';
import type { Place } from './place.ts';
import { fileKey, PlainSource, statOf } from './source.ts';

export interface OpenFilesDependencies {
  readonly access: FileAccess;
  readonly ledger: Ledger;
  readonly log: Logger;
  readonly now: () => number;
  readonly uptime: () => number;
  readonly splitter: (path: string) => Splitter;
  /** Called with each file that may have something to read. */
  readonly ready: (follower: Follower) => void;
  /** Called with each covered name whose file is new, or has grown. */
  readonly activate: (place: Place) => void;
}

export class OpenFiles {
  readonly #dependencies: OpenFilesDependencies;
  readonly all = new Map<Follower, Generation>();

  constructor(dependencies: OpenFilesDependencies) {
    this.#dependencies = dependencies;
  }

  follow(place: Place, generation: Generation, file: OpenedSource, from: Position): void {
    const { ledger, uptime, now, splitter, log, ready, activate } = this.#dependencies;
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
    this.all.set(follower, generation);
    ledger.refresh(generation);
    follower.sized(Number(file.stats.size));
    follower.sizeSeen = file.stats.size;
    follower.mtimeSeen = file.stats.mtimeNs;
    if (place.covered) activate(place);
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
      this.#dependencies.access.guarded(follower.file, () => this.#grown(follower, source.stats()));
    else this.#dependencies.ready(follower);
  }

  /** Notes what a name leads to that holds an open file. */
  compare(place: Place, follower: Follower, stats: BigIntStats): void {
    if (this.#grown(follower, stats) && place.covered) this.#dependencies.activate(place);
  }

  #grown(follower: Follower, stats: BigIntStats): boolean {
    const isSame = follower.sizeSeen === stats.size && follower.mtimeSeen === stats.mtimeNs;
    if (isSame && !follower.isFilled) return false;
    follower.sizeSeen = stats.size;
    follower.mtimeSeen = stats.mtimeNs;
    follower.sized(Number(stats.size));
    this.#dependencies.ready(follower);
    return true;
  }

  /** Whether a file changed since its last look; those of a folder that is not looked at now may have, too. */
  hasChanged(follower: Follower): boolean {
    const { file, source, sizeSeen, mtimeSeen } = follower;
    if (!(source instanceof PlainSource)) return false;
    const stats = this.#dependencies.access.guarded(file, () => source.stats());
    return stats !== null && (stats.size !== sizeSeen || stats.mtimeNs !== mtimeSeen || follower.isFilled);
  }

  /** Closes a file, and notes how far it was read. */
  close(follower: Follower, generation: Generation): void {
    const { access, ledger } = this.#dependencies;
    const { source } = follower;
    if (source instanceof PlainSource) {
      const stats = access.guarded(follower.file, () => source.stats());
      generation.mtime = stats && Number(stats.size) === follower.offset ? String(stats.mtimeNs) : '';
    } else {
      for (const name of generation.names) {
        const stats = access.guarded(name, () => statOf(name));
        if (stats && fileKey(stats) === generation.key) generation.mtime = String(stats.mtimeNs);
      }
    }
    ledger.refresh(generation);
    generation.follower = null;
    generation.dirty = true;
    this.all.delete(follower);
    source.close();
  }

  closeAll(): void {
    for (const follower of this.all.keys()) follower.source.close();
    this.all.clear();
  }
}
