/** Splits what was read of a file into lines, or into events of several lines, and gives them to the parser. */

import { keepLine } from '../format/kept.ts';
import { beforeSequence, type LineParser, type Target, TRUNCATED } from '../format/parser.ts';
import type { Transform } from '../format/transform.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * Bytes with which a splitter gets on whatever they are: enough to see that a line is too long, or that one is
 * behind an event that just fits.
 *
 * @param maxLine bytes of the longest line or event
 */
export function turnBytes(maxLine: number, multiline: boolean): number {
  return (multiline ? 2 : 1) * (maxLine + 2) + 1;
}

/** How much of the bytes at the end of what was read is taken. */
export const MORE_TO_COME = 0;
/** All whole lines: an event of several lines is not waited for any longer. */
export const WHOLE_LINES = 1;
/** All: the file has ended, with or without a newline. */
export const ALL = 2;
export type Ending = typeof MORE_TO_COME | typeof WHOLE_LINES | typeof ALL;

export interface Splitter {
  /** Whether the bytes that follow belong to a line that was cut already, and are passed over. */
  skipping: boolean;
  /** Bytes of a character at the least, where it is not one. */
  readonly unit?: 2;
  /**
   * Takes events from `bytes[start, end)` and returns where the first one begins that is not whole.
   * `bytes[end]` must be a newline, which is not part of the file; what stands before `start` is what the file has there.
   * It gets on whenever there are {@link turnBytes} bytes.
   */
  take(bytes: Buffer, start: number, end: number, ending: Ending): number;
}

/** One line, one event. */
export class LineSplitter implements Splitter {
  skipping = false;
  readonly #parser: LineParser;
  readonly #target: Target;
  readonly #maxLine: number;
  readonly #transform: Transform;

  /** @param transform for lines that are cut, as {@link keepLine} takes it */
  constructor(parser: LineParser, target: Target, maxLine: number, transform: Transform) {
    this.#parser = parser;
    this.#target = target;
    this.#maxLine = maxLine;
    this.#transform = transform;
  }

  take(bytes: Buffer, start: number, end: number, ending: Ending): number {
    const parser = this.#parser;
    const maxLine = this.#maxLine;
    let at = start;
    if (this.skipping) {
      const newline = bytes.indexOf(NEWLINE, at);
      if (newline >= end) {
        if (ending === ALL) this.skipping = false;
        return end;
      }
      this.skipping = false;
      at = newline + 1;
    }
    const whole = parser.lines === undefined ? 0 : bytes.lastIndexOf(NEWLINE, end - 1) + 1;
    while (at < end) {
      if (at < whole) at = parser.lines!(bytes, at, whole, maxLine);
      const newline = bytes.indexOf(NEWLINE, at);
      if (newline >= end) break;
      const lineEnd = newline > at && bytes[newline - 1] === RETURN ? newline - 1 : newline;
      if (lineEnd - at <= maxLine) parser.parse(bytes, at, lineEnd);
      else this.#cut(bytes, at);
      at = newline + 1;
    }
    // One byte over may be the return of a line that just fits.
    if (end - at > maxLine + 1 || (ending === ALL && end - at > maxLine)) {
      this.#cut(bytes, at);
      this.skipping = ending !== ALL;
      return end;
    }
    if (ending === ALL && at < end) {
      parser.parse(bytes, at, end);
      return end;
    }
    return at;
  }

  #cut(bytes: Buffer, at: number): void {
    const end = beforeSequence(bytes, at, at + this.#maxLine);
    keepLine(this.#target, this.#transform, bytes, at, end, TRUNCATED);
  }
}

/** Several lines, one event: it begins with a line that matches a pattern and ends before the next such line. */
export class MultilineSplitter implements Splitter {
  skipping = false;
  readonly #parser: LineParser;
  readonly #target: Target;
  readonly #begun: (line: string) => boolean;
  readonly #maxEvent: number;
  readonly #transform: Transform;
  #joined = Buffer.alloc(0);
  #insideLine = false;

  /** @param begins whether an event begins with a line */
  constructor(
    parser: LineParser,
    target: Target,
    begins: (line: string) => boolean,
    maxEvent: number,
    transform: Transform,
  ) {
    this.#parser = parser;
    this.#target = target;
    this.#begun = begins;
    this.#maxEvent = maxEvent;
    this.#transform = transform;
  }

  take(bytes: Buffer, start: number, end: number, ending: Ending): number {
    let line = start;
    if (this.skipping && this.#inside(bytes, start)) {
      line = Math.min(bytes.indexOf(NEWLINE, start) + 1, end);
    }
    let event = line;
    while (line < end) {
      const newline = bytes.indexOf(NEWLINE, line);
      // What has no newline yet may turn out to begin an event, or not.
      if (newline >= end && ending !== ALL) break;
      const lineEnd = newline > line && bytes[newline - 1] === RETURN ? newline - 1 : newline;
      if ((line > event || this.skipping) && this.#begins(bytes, line, lineEnd)) {
        this.#emit(bytes, event, line);
        this.skipping = false;
        event = line;
      }
      line = Math.min(newline + 1, end);
      if (this.skipping) {
        event = line;
      } else if (line - event > this.#maxEvent + 2) {
        this.#cut(bytes, event);
        event = line;
      }
    }
    // A line without an end that is too long by itself: it may begin an event.
    if (end - line > this.#maxEvent + 2) {
      if (this.#begins(bytes, line, line + this.#maxEvent)) {
        this.#emit(bytes, event, line);
        this.#cut(bytes, line);
      } else if (!this.skipping) {
        this.#cut(bytes, event);
      }
      event = end;
    }
    if (ending !== MORE_TO_COME && line > event) {
      this.#emit(bytes, event, line);
      event = line;
    }
    if (event > start) this.#insideLine = bytes[event - 1] !== NEWLINE;
    if (ending === ALL) this.skipping = false;
    return event;
  }

  /** Whether `bytes[start]` goes on with a line of which the beginning was passed over. */
  #inside(bytes: Buffer, start: number): boolean {
    return start > 0 ? bytes[start - 1] !== NEWLINE : this.#insideLine;
  }

  #begins(bytes: Buffer, from: number, to: number): boolean {
    return this.#begun(bytes.toString('utf8', from, to));
  }

  #cut(bytes: Buffer, at: number): void {
    const end = beforeSequence(bytes, at, at + this.#maxEvent);
    keepLine(this.#target, this.#transform, bytes, at, end, TRUNCATED);
    this.skipping = true;
  }

  /** Gives the lines `bytes[from, to)` to the parser without their last line break, and without returns. */
  #emit(bytes: Buffer, from: number, to: number): void {
    if (this.skipping || to <= from) return;
    let end = to;
    if (bytes[end - 1] === NEWLINE) end--;
    if (end > from && bytes[end - 1] === RETURN) end--;
    if (!bytes.subarray(from, end).includes(RETURN)) {
      this.#parser.parse(bytes, from, end);
      return;
    }
    if (this.#joined.length < end - from) this.#joined = Buffer.alloc((end - from) * 2);
    let at = 0;
    for (let i = from; i < end; i++) {
      const byte = bytes[i]!;
      if (byte !== RETURN || bytes[i + 1] !== NEWLINE) this.#joined[at++] = byte;
    }
    this.#parser.parse(this.#joined, 0, at);
  }
}
