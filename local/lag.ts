/** How far the archive is behind what was made: the age of the oldest event that is not archived yet. */

/** Follows two counts of which the second runs after the first. */
export class Lag {
  /** When each count of made events was first seen, oldest first; only those not archived yet. */
  readonly #seen: { readonly at: number; readonly made: number }[] = [];

  /** @returns milliseconds since the oldest event that is not archived yet was made; 0 when there is none */
  update(at: number, made: number, archived: number): number {
    if (made > (this.#seen.at(-1)?.made ?? 0)) this.#seen.push({ at, made });
    while (this.#seen[0] !== undefined && this.#seen[0].made <= archived) this.#seen.shift();
    const oldest = this.#seen[0];
    return oldest === undefined ? 0 : at - oldest.at;
  }
}
