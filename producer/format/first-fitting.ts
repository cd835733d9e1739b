/** Several formats of access logs at once: a line is of the first that takes it, tried from the one before it on. */
import { keepLine } from './kept.ts';
import { type LineParser, type Target, UNPARSED } from './parser.ts';
import type { Transform } from './transform.ts';

/** A parser that can be one of several. */
export interface Attempt {
  /** Takes a line; false, and nothing written, when it is not of the format. */
  attempt(bytes: Buffer, start: number, end: number): boolean;
  /** The same for a line in which a client may have shifted the fields, when no other parser took it. */
  recover?(bytes: Buffer, start: number, end: number): boolean;
}

export class FirstFitting implements LineParser {
  readonly #parsers: readonly Attempt[];
  readonly #target: Target;
  readonly #transform: Transform;
  #last: Attempt;

  constructor(parsers: readonly Attempt[], target: Target, transform: Transform) {
    this.#parsers = parsers;
    this.#target = target;
    this.#transform = transform;
    this.#last = parsers[0]!;
  }

  parse(bytes: Buffer, start: number, end: number): void {
    if (this.#last.attempt(bytes, start, end)) return;
    for (const parser of this.#parsers) {
      if (parser === this.#last || !parser.attempt(bytes, start, end)) continue;
      this.#last = parser;
      return;
    }
    if (this.#parsers.some((parser) => parser.recover?.(bytes, start, end))) return;
    keepLine(this.#target, this.#transform, bytes, start, end, UNPARSED);
  }
}
