/** Files in other encodings than UTF-8: their lines are decoded before a format sees them. */
import { TextDecoder } from 'node:util';
import type { LineParser } from '../format/parser.ts';
import { ALL, type Ending, type Splitter } from './lines.ts';

/** Labels of the WHATWG encoding standard that Node.js decodes, with the names that people use. */
const ALIASES: Readonly<Record<string, string>> = {
  'utf-16': 'utf-16le',
  utf16: 'utf-16le',
  ucs2: 'utf-16le',
  sjis: 'shift_jis',
  cp932: 'shift_jis',
  euckr: 'euc-kr',
  cp949: 'euc-kr',
  eucjp: 'euc-jp',
};

/** @throws RangeError for an encoding that is not known */
export function decoderOf(encoding: string): TextDecoder {
  const lower = encoding.toLowerCase();
  return new TextDecoder(ALIASES[lower] ?? lower);
}

/** Gives a format the lines of a file as UTF-8. What is not of the encoding becomes U+FFFD. */
export class DecodingParser implements LineParser {
  readonly #decoder: TextDecoder;
  readonly #parser: LineParser;

  constructor(decoder: TextDecoder, parser: LineParser) {
    this.#decoder = decoder;
    this.#parser = parser;
  }

  parse(bytes: Buffer, start: number, end: number): void {
    const decoded = Buffer.from(this.#decoder.decode(bytes.subarray(start, end)));
    this.#parser.parse(decoded, 0, decoded.length);
  }
}

/** Splits UTF-16 into lines, of which each is decoded: its line breaks are two bytes, at an even position of the file. */
export class WideSplitter implements Splitter {
  skipping = false;
  readonly unit = 2;
  readonly #decoder: TextDecoder;
  readonly #inner: Splitter;
  /** Position of the byte in a unit that is the character's own where that is below 256. */
  readonly #low: 0 | 1;
  readonly #maxLine: number;

  /**
   * @param inner takes each line by itself, in UTF-8
   * @param maxLine bytes of the longest line in UTF-16
   */
  constructor(decoder: TextDecoder, inner: Splitter, maxLine: number) {
    this.#decoder = decoder;
    this.#inner = inner;
    this.#low = decoder.encoding === 'utf-16be' ? 1 : 0;
    this.#maxLine = maxLine;
  }

  take(bytes: Buffer, start: number, end: number, ending: Ending): number {
    const last = end - ((end - start) % 2);
    let line = start;
    for (let i = start; i < last; i += 2) {
      if (bytes[i + this.#low] !== 0x0a || bytes[i + 1 - this.#low] !== 0) continue;
      if (!this.skipping) this.#emit(bytes, line, i);
      this.skipping = false;
      line = i + 2;
    }
    if (this.skipping) line = last;
    else if (last - line > this.#maxLine) {
      this.#emit(bytes, line, last);
      this.skipping = true;
      line = last;
    }
    if (ending !== ALL) return line;
    if (line < end && !this.skipping) this.#emit(bytes, line, last);
    this.skipping = false;
    return end;
  }

  #emit(bytes: Buffer, from: number, to: number): void {
    // A whole line, with the newline behind it that every splitter wants.
    const text = Buffer.from(`${this.#decoder.decode(bytes.subarray(from, to))}\n\n`);
    this.#inner.take(text, 0, text.length - 1, ALL);
    this.#inner.skipping = false;
  }
}
