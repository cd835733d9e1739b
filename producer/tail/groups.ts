/** Splits what was read of a file into groups of lines that only the lines themselves delimit. */
import type { Grouping } from '../format/container.ts';
import { keepLine } from '../format/kept.ts';
import { beforeSequence, type LineParser, type Target, TRUNCATED } from '../format/parser.ts';
import type { Transform } from '../format/transform.ts';
import { ALL, type Ending, MORE_TO_COME, type Splitter } from './lines.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** An event that ends with the line that matches. */
export function endsWith(pattern: RegExp): Grouping {
  return {
    reset: () => undefined,
    needsMore: (bytes, from, to) => !pattern.test(bytes.toString('utf8', from, to)),
  };
}

export class GroupSplitter implements Splitter {
  skipping = false;
  readonly #parser: LineParser;
  readonly #target: Target;
  readonly #grouping: Grouping;
  readonly #maxEvent: number;
  readonly #transform: Transform;
  #joined = Buffer.alloc(0);

  constructor(
    parser: LineParser,
    target: Target,
    grouping: Grouping,
    maxEvent: number,
    transform: Transform,
  ) {
    this.#parser = parser;
    this.#target = target;
    this.#grouping = grouping;
    this.#maxEvent = maxEvent;
    this.#transform = transform;
  }

  take(bytes: Buffer, start: number, end: number, ending: Ending): number {
    let line = start;
    if (this.skipping) {
      const newline = bytes.indexOf(NEWLINE, line);
      if (newline >= end) {
        if (ending === ALL) this.skipping = false;
        return end;
      }
      this.skipping = false;
      line = newline + 1;
    }
    let group = line;
    this.#grouping.reset();
    while (line < end) {
      const newline = bytes.indexOf(NEWLINE, line);
      if (newline >= end && ending !== ALL) break;
      const lineEnd = newline > line && bytes[newline - 1] === RETURN ? newline - 1 : newline;
      const next = Math.min(newline + 1, end);
      if (lineEnd - line > this.#maxEvent) {
        this.#emit(bytes, group, line);
        this.#cut(bytes, line);
        group = next;
        this.#grouping.reset();
      } else if (next - group > this.#maxEvent + 2) {
        // Its lines are too long together: those before this one are an event that ends without its end.
        this.#emit(bytes, group, line);
        group = line;
        this.#grouping.reset();
        continue;
      } else if (!this.#grouping.needsMore(bytes, line, lineEnd)) {
        this.#emit(bytes, group, next);
        group = next;
      }
      line = next;
    }
    if (end - line > this.#maxEvent + 2) {
      this.#emit(bytes, group, line);
      this.#cut(bytes, line);
      this.skipping = ending !== ALL;
      return end;
    }
    if (ending !== MORE_TO_COME && line > group) {
      this.#emit(bytes, group, line);
      group = line;
    }
    return group;
  }

  #cut(bytes: Buffer, at: number): void {
    const end = beforeSequence(bytes, at, at + this.#maxEvent);
    keepLine(this.#target, this.#transform, bytes, at, end, TRUNCATED);
  }

  /** Gives the lines `bytes[from, to)` to the parser without their last line break, and without returns before others. */
  #emit(bytes: Buffer, from: number, to: number): void {
    if (to <= from) return;
    let end = to;
    if (bytes[end - 1] === NEWLINE) end--;
    if (end > from && bytes[end - 1] === RETURN) end--;
    if (!bytes.subarray(from, end).includes('\r\n')) {
      this.#parser.parse(bytes, from, end);
      return;
    }
    if (this.#joined.length < end - from) this.#joined = Buffer.alloc((end - from) * 2);
    let at = 0;
    for (let i = from; i < end; i++) {
      if (bytes[i] !== RETURN || bytes[i + 1] !== NEWLINE) this.#joined[at++] = bytes[i]!;
    }
    this.#parser.parse(this.#joined, 0, at);
  }
}
