/**
 * Buffers in which long lines are put together, for all shards of a process: a line of KCL's can have 13 MB, and a buffer
 * for each of 64 shards would be most of a worker's memory.
 */
export class LineSlots {
  readonly #free: Buffer[];
  readonly #waiting: ((buffer: Buffer) => void)[] = [];

  /** @param slots how many long lines may come in at the same time; further ones wait in their pipes */
  constructor(slots: number) {
    this.#free = Array.from({ length: slots }, () => Buffer.alloc(0));
  }

  /** Resolves to a buffer of any length, to be given back, or a longer one in its place. */
  acquire(): Promise<Buffer> {
    const free = this.#free.pop();
    return free ? Promise.resolve(free) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  release(buffer: Buffer): void {
    const next = this.#waiting.shift();
    if (next) next(buffer);
    else this.#free.push(buffer);
  }
}
