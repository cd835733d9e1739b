/** The memory for the batches of all shards of a process: each may have the largest batch while all together fit. */
import type { BatchLimits } from '../../archive/writer/shard-archiver.ts';

/** What counts against it: the records of one shard that no commit covers. */
export interface Holder {
  readonly pendingBytes: number;
}

export class Budget {
  readonly #maxBytes: number;
  readonly #maxAge: number;
  #memory: number;
  readonly #holders = new Set<Holder>();

  constructor(batch: { readonly max_bytes: number; readonly max_age: number; readonly memory: number }) {
    this.#maxBytes = batch.max_bytes;
    this.#maxAge = batch.max_age;
    this.#memory = batch.memory;
  }

  /** @returns the limits of the holder's batch, as they are whenever they are read */
  add(holder: Holder): BatchLimits {
    this.#holders.add(holder);
    const limit = (): number => this.#limit();
    return {
      maxAge: this.#maxAge,
      get maxBytes() {
        return limit();
      },
    };
  }

  /** Allows so many bytes in all, where the launcher divides the memory between processes. */
  restrict(bytes: number): void {
    this.#memory = bytes;
  }

  remove(holder: Holder): void {
    this.#holders.delete(holder);
  }

  /** When all of it is used, whoever has more than an equal share commits with its next call. */
  #limit(): number {
    let used = 0;
    for (const { pendingBytes } of this.#holders) used += pendingBytes;
    if (used < this.#memory) return this.#maxBytes;
    return Math.max(1, Math.min(this.#maxBytes, Math.floor(this.#memory / Math.max(1, this.#holders.size))));
  }
}
