/** Opens files to see what they are: a plain one by its bytes, a compressed one by what it decompresses to. */
import type { BigIntStats } from 'node:fs';
import type { Logger } from 'pino';
import { type FileAccess, isOfSystem } from './access.ts';
import { type Content, openCompressed } from './compressed.ts';
import { bytesIn, bytesOf, type Suspect } from './copies.ts';
import type { Follower } from './follower.ts';
import type { Ledger } from './ledger.ts';
import type { Place } from './place.ts';
import { PlainSource, type Source } from './source.ts';

const NOBODY: ReadonlySet<number> = new Set();

/** A file that is going to be read. */
export interface OpenedSource {
  readonly source: Source;
  readonly head: Buffer;
  readonly stats: BigIntStats;
}

/** A file that was opened to see what it is. */
export interface Examined extends Suspect {
  /** Null when it is compressed. */
  readonly source: PlainSource | null;
  /** Bytes of the log in it; -1 when it does not say. */
  readonly size: number;
  readonly open: (offset: number) => Source;
  readonly close: () => void;
}

export interface ExaminerDependencies {
  readonly access: FileAccess;
  readonly ledger: Ledger;
  readonly log: Logger;
  readonly count: (event: 'damaged') => void;
  readonly ready: (follower: Follower) => void;
}

export class Examiner {
  readonly #dependencies: ExaminerDependencies;

  constructor(dependencies: ExaminerDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Opens a file that {@link Examined.close} closes, unless it is read.
   *
   * @param owners users whose links led to its folder
   * @param quiet for a file that nobody asked for: what is wrong with it is neither logged nor counted
   * @returns null when it is gone or refused, `unknown` when that cannot be known yet; `rejected` and `damaged` for as
   * long as it does not change
   */
  examine(
    place: Place,
    compressed: 'gz' | 'zst' | null,
    owners: ReadonlySet<number> = NOBODY,
    quiet = false,
  ): Examined | 'rejected' | 'damaged' | 'unknown' | null {
    return this.#dependencies.access.guarded(place.path, () =>
      compressed === null
        ? this.#examinePlain(place, owners, quiet)
        : this.#examineCompressed(place, compressed, owners, quiet),
    );
  }

  /** What a compressed file decompresses to; null where the file is gone. */
  content(file: string, compressed: 'gz' | 'zst'): Content | null {
    return this.#dependencies.access.guarded(file, () => this.#contentOf(file, compressed));
  }

  #examinePlain(place: Place, owners: ReadonlySet<number>, quiet: boolean): Examined | 'rejected' | null {
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
    owners: ReadonlySet<number>,
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
}
