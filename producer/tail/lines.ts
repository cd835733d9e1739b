/** Splits what was read of a file into lines, or into events of several lines, and gives them to the parser. */
import { beforeSequence, type LineParser, type Target, TRUNCATED, writeMessage } from '../format/parser.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;

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
  /**
   * Takes events from `bytes[start, end)` and returns where the first one begins that is not whole.
   * `bytes[end]` must be a newline, which is not part of the file.
   */
  take(bytes: Buffer, start: number, end: number, ending: Ending): number;
}

/** One line, one event. */
export class LineSplitter implements Splitter {
  skipping = false;
  readonly #parser: LineParser;
  readonly #target: Target;
  readonly #maxLine: number;
  readonly #added: Buffer;

  /** @param added members for lines that are cut, as {@link writeMessage} takes them */
  constructor(parser: LineParser, target: Target, maxLine: number, added: Buffer) {
    this.#parser = parser;
    this.#target = target;
    this.#maxLine = maxLine;
    this.#added = added;
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
    while (at < end) {
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
    writeMessage(this.#target, bytes, at, end, TRUNCATED, this.#added);
  }
}

/** Several lines, one event: it begins with a line that matches a pattern and ends before the next such line. */
export class MultilineSplitter implements Splitter {
  skipping = false;
  readonly #parser: LineParser;
  readonly #target: Target;
  readonly #start: RegExp;
  readonly #maxEvent: number;
  readonly #added: Buffer;
  #joined = Buffer.alloc(0);

  constructor(parser: LineParser, target: Target, start: RegExp, maxEvent: number, added: Buffer) {
    this.#parser = parser;
    this.#target = target;
    this.#start = start;
    this.#maxEvent = maxEvent;
    this.#added = added;
  }

  take(bytes: Buffer, start: number, end: number, ending: Ending): number {
    let event = start;
    let line = start;
    while (line < end) {
      const newline = bytes.indexOf(NEWLINE, line);
      // What has no newline yet may turn out to begin an event, or not.
      if (newline >= end && ending !== ALL) break;
      const lineEnd = newline > line && bytes[newline - 1] === RETURN ? newline - 1 : newline;
      if ((line > event || this.skipping) && this.#start.test(bytes.toString('utf8', line, lineEnd))) {
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
    if (this.skipping) event = line;
    else if (end - event > this.#maxEvent + 2) {
      this.#cut(bytes, event);
      event = end;
    }
    if (ending !== MORE_TO_COME && line > event) {
      this.#emit(bytes, event, line);
      event = line;
    }
    if (ending === ALL) this.skipping = false;
    return event;
  }

  #cut(bytes: Buffer, at: number): void {
    const end = beforeSequence(bytes, at, at + this.#maxEvent);
    writeMessage(this.#target, bytes, at, end, TRUNCATED, this.#added);
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
