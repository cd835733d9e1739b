/** Which events `tailrace tap` shows: by tag and text, and no more per second than a person asks for. */
import type { Tapped } from '../producer/spool/tap.ts';

export class Taps {
  readonly #tag: RegExp | null;
  readonly #grep: string | null;
  readonly #limit: number;
  #second = Number.NEGATIVE_INFINITY;
  #shown = 0;
  #hidden = 0;

  constructor({ tag, grep, limit }: { tag?: string; grep?: string; limit: number }) {
    const escaped = tag?.split('*').map((part) => part.replaceAll(/[\\^$.|?+()[\]{}]/g, '\\$&'));
    this.#tag = escaped ? new RegExp(`^${escaped.join('.*')}$`, 's') : null;
    this.#grep = grep ?? null;
    this.#limit = limit;
  }

  wants(tag: string): boolean {
    return this.#tag?.test(tag) ?? true;
  }

  /** @param now milliseconds of a monotonic clock */
  *select(
    chunks: readonly Tapped[],
    now: number,
  ): Generator<{ readonly tag: string; readonly line: string }> {
    if (now - this.#second >= 1000) {
      this.#second = now;
      this.#shown = 0;
    }
    for (const { tag, ndjson } of chunks) {
      for (const line of ndjson.toString().split('\n')) {
        if (line === '' || (this.#grep !== null && !line.includes(this.#grep))) continue;
        if (this.#shown >= this.#limit) this.#hidden++;
        else {
          this.#shown++;
          yield { tag, line };
        }
      }
    }
  }

  /** How many events were left out since the last call. */
  takeHidden(): number {
    const hidden = this.#hidden;
    this.#hidden = 0;
    return hidden;
  }
}
