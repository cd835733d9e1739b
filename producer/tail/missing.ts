/** Generations that were not found under their own inode: they are looked for under any name, where they lay and next to it. */
import type { Logger } from 'pino';
import type { FileAccess } from './access.ts';
import type { Generation } from './generation.ts';

export class Missing {
  readonly #access: FileAccess;
  readonly #log: Logger;
  readonly #gone: () => void;
  /** Whether a whole look did not find them. */
  readonly #searched = new Map<Generation, boolean>();

  /** @param gone called with each one that is given up */
  constructor(access: FileAccess, log: Logger, gone: () => void) {
    this.#access = access;
    this.#log = log;
    this.#gone = gone;
  }

  /** Whether some generation is looked for. */
  get any(): boolean {
    return this.#searched.size > 0;
  }

  seek(generation: Generation): void {
    generation.sought = true;
    this.#searched.set(generation, false);
  }

  /** Looks for a generation no longer: it was found, or is not worth it. */
  forget(generation: Generation): void {
    this.#searched.delete(generation);
    generation.sought = false;
  }

  /** @param look looks once more, in each folder once, at where files lay that held what is missing */
  search(look: (places: readonly string[]) => void): void {
    look(Array.from(this.#searched.keys(), ({ at }) => at));
    for (const [generation, missed] of this.#searched) {
      if (!generation.sought) this.#searched.delete(generation);
      // What cannot be opened now may be opened later.
      else if (this.#access.refuses(generation.at) || this.#access.refuses(generation.log)) continue;
      // Into a folder that had been looked at it may have been moved meanwhile: only a look that began later tells.
      else if (missed) this.#giveUp(generation);
      else this.#searched.set(generation, true);
    }
  }

  #giveUp(generation: Generation): void {
    this.forget(generation);
    generation.ended = true;
    generation.dirty = true;
    const { fingerprint, offset } = generation.read;
    if (fingerprint.bytes === 0) return;
    // It goes on there should it come back, as the files of a disk that is mounted late do.
    this.#gone();
    this.#log.warn(
      { file: generation.at, offset },
      'a file that was being read is gone: what was written to it after this offset cannot be read',
    );
  }
}
