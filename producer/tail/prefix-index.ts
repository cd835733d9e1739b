/** Generations by their first bytes: most are the only ones of theirs, and one that is gone leaves nothing behind. */
import type { Generation } from './generation.ts';

export class PrefixIndex {
  /** A set only where several begin with the same bytes. */
  readonly #byPrefix = new Map<number, Generation | Set<Generation>>();

  /** Different first bytes. */
  get size(): number {
    return this.#byPrefix.size;
  }

  of(prefix: number): Iterable<Generation> {
    const found = this.#byPrefix.get(prefix);
    if (found === undefined) return [];
    return found instanceof Set ? found : [found];
  }

  add(prefix: number, generation: Generation): void {
    const found = this.#byPrefix.get(prefix);
    if (found === undefined) this.#byPrefix.set(prefix, generation);
    else if (found instanceof Set) found.add(generation);
    else if (found !== generation) this.#byPrefix.set(prefix, new Set([found, generation]));
  }

  delete(prefix: number, generation: Generation): void {
    const found = this.#byPrefix.get(prefix);
    if (found === generation) this.#byPrefix.delete(prefix);
    else if (found instanceof Set && found.delete(generation) && found.size === 0)
      this.#byPrefix.delete(prefix);
  }
}
