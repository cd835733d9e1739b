/** The generations of the ledger that a file may hold, each with what tells whether it does. */
import type { BigIntStats } from 'node:fs';
import * as path from 'node:path';
import type { FileAccess } from './access.ts';
import { type Bytes, bytesIn, bytesOf, contains, mayBeCopy } from './copies.ts';
import type { Candidate, Whereabouts } from './decide.ts';
import type { Examined, Examiner } from './examine.ts';
import { begins, FINGERPRINT_BYTES } from './fingerprint.ts';
import type { Generation } from './generation.ts';
import type { Ledger } from './ledger.ts';
import type { Place } from './place.ts';
import { holds } from './position.ts';
import type { PowerLoss } from './power-loss.ts';
import { compressionOf } from './rotation.ts';
import { birthOf, PlainSource } from './source.ts';

export class Candidates {
  readonly #ledger: Ledger;
  readonly #access: FileAccess;
  readonly #examiner: Examiner;
  readonly #powerLoss: PowerLoss;

  constructor(ledger: Ledger, access: FileAccess, examiner: Examiner, powerLoss: PowerLoss) {
    this.#ledger = ledger;
    this.#access = access;
    this.#examiner = examiner;
    this.#powerLoss = powerLoss;
  }

  /**
   * What a file may hold by what it is alone: the generation that it held when it was last looked at.
   *
   * @param known that generation
   */
  known(place: Place, file: Examined, known: Generation | null): Candidate<Generation>[] {
    return known ? [this.#candidate(place, known, known, beginsAs(known, file), file)] : [];
  }

  /** What a file may hold by its content. */
  of(place: Place, file: Examined, known: Generation | null): Candidate<Generation>[] {
    const found = this.#ledger
      .candidates(file.head, path.dirname(place.target))
      .filter(({ generation }) => generation.read.fingerprint.bytes > 0 || generation === known)
      .map(({ generation, begins }) => this.#candidate(place, generation, known, begins, file));
    return found.some(({ generation }) => generation === known)
      ? found
      : [...found, ...this.known(place, file, known)];
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
    const { follower } = generation;
    const opaque = follower !== null && !(follower.source instanceof PlainSource);
    // Of a head that is longer than the file only the original says whether the file may be a copy.
    const may = (): boolean =>
      !longer || (generation !== known && where !== 'copies' && (opaque || copyable() !== false));
    let mayBegin: boolean | undefined;
    const { source } = file;
    const all =
      source === null
        ? begins && !longer
        : !longer && file.size >= read.offset && holds(source, file.head, read, generation === known);
    return {
      generation,
      offset: read.offset,
      whole: generation.whole,
      ended: generation.ended,
      noted: generation.noted,
      sure: read.fingerprint.bytes === FINGERPRINT_BYTES,
      sameFile: generation === known,
      // Thousands of logs may begin as a file of a few bytes does, and the first that it is ends the search.
      get begins() {
        mayBegin ??= (begins || longer) && may();
        return mayBegin;
      },
      longer,
      holds: all,
      cut:
        generation === known &&
        !all &&
        begins &&
        source !== null &&
        this.#powerLoss.isIn(source, file.stats, read),
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
    for (const name of generation.names) {
      const compressed = compressionOf(name);
      if (compressed === 'other') continue;
      if (compressed !== null) {
        const content = this.#examiner.content(name, compressed);
        return content instanceof Buffer && ask(bytesIn(content), null, () => true);
      }
      const own = this.#access.open(name, undefined, true);
      if (own === null || own === 'rejected') continue;
      try {
        return ask(bytesOf(own.source), own.stats, () => holds(own.source, own.head, read, true));
      } finally {
        own.source.close();
      }
    }
    return false;
  }
}

function beginsAs({ read: { fingerprint } }: Generation, { head }: Examined): boolean {
  return fingerprint.bytes === 0 || begins(head, fingerprint);
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
