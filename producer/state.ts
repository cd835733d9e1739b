/** The state of one station as it goes into each cut: JSON values by key, of which a cut carries the changed ones. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Changed keys of a section; null means that the key is gone. */
export type Changes = Record<string, Json>;

/** A keyed JSON state that remembers what changed since the last cut. A value is never null: null means absence. */
export class StateMap {
  readonly #values: Map<string, Json>;
  readonly #changed = new Set<string>();

  constructor(values: Iterable<readonly [string, Json]> = []) {
    this.#values = new Map(values);
  }

  get(key: string): Json | undefined {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  set(key: string, value: Exclude<Json, null>): void {
    this.#values.set(key, value);
    this.#changed.add(key);
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#changed.add(key);
  }

  get size(): number {
    return this.#values.size;
  }

  entries(): IterableIterator<[string, Json]> {
    return this.#values.entries();
  }

  get dirty(): boolean {
    return this.#changed.size > 0;
  }

  /** What changed since the last call, and forgets it: the cut that takes it must become durable or be tried again. */
  takeChanges(): Changes {
    const changes: Changes = {};
    for (const key of this.#changed) changes[key] = this.#values.get(key) ?? null;
    this.#changed.clear();
    return changes;
  }

  /** All of it, as the first cut of a segment carries it. */
  all(): Changes {
    return Object.fromEntries(this.#values);
  }
}
