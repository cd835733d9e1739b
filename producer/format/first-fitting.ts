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
  /** As {@link LineParser.lines}. */
  lines?(bytes: Buffer, start: number, end: number, maxLine: number): number;
}

export class FirstFitting implements LineParser {
  readonly #parsers: readonly Attempt[];
  readonly #target: Target;
  readonly #transform: Transform;
  readonly #hosts: Attempt | undefined;
  #last: Attempt;

  /** @param hosts the one of `parsers` that alone takes lines that begin with `host:port ` */
  constructor(parsers: readonly Attempt[], target: Target, transform: Transform, hosts?: Attempt) {
    this.#hosts = hosts;
    this.#parsers = hosts === undefined ? parsers : parsers.filter((parser) => parser !== hosts);
    this.#target = target;
    this.#transform = transform;
    this.#last = parsers[0]!;
  }

  lines(bytes: Buffer, start: number, end: number, maxLine: number): number {
    return this.#last.lines?.(bytes, start, end, maxLine) ?? start;
  }

  parse(bytes: Buffer, start: number, end: number): void {
    const hosts = this.#hosts;
    if (hosts !== undefined && beginsWithPort(bytes, start, end)) {
      if (hosts.attempt(bytes, start, end) || hosts.recover?.(bytes, start, end)) return;
    }
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

/** Whether the first word is `host:port`: one colon and digits behind it, which no name or address of a client has. */
function beginsWithPort(bytes: Buffer, start: number, end: number): boolean {
  let colon = -1;
  let i = start;
  for (; i < end && bytes[i] !== 0x20; i++) {
    const byte = bytes[i]!;
    if (byte === 0x3a && colon < 0) colon = i;
    else if (colon >= 0 && !(byte >= 0x30 && byte <= 0x39)) return false;
  }
  return colon > start && i > colon + 1;
}
