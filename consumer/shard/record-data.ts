/**
 * Takes the data of records out of KCL's lines before they are parsed: a line of 13 MB would become a string of that
 * length, its data strings once more, and all of it garbage.
 */

const KEY = Buffer.from('"data":"');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const EQUALS = 0x3d;
/** Characters decoded at a time, whole groups of four: strings of this length never leave the young generation. */
const PIECE = 16 * 1024;
/** In front of a number; base64 has no such character. */
const MARK = '#';

export class RecordData {
  readonly #held = new Map<string, Buffer>();
  #taken = 0;

  /**
   * The line with a mark in place of each record's data. Within JSON, `"data":"` is always a key: inside a string its
   * quotes would be escaped.
   */
  take(line: Buffer): string {
    let text = '';
    let from = 0;
    for (let at = line.indexOf(KEY); at !== -1; at = line.indexOf(KEY, from)) {
      const start = at + KEY.length;
      const end = line.indexOf(QUOTE, start);
      // A key that ends in `"data`, or a string that is not plain base64, stays what it is.
      if (end === -1 || line[at - 1] === BACKSLASH) break;
      const data = decode(line, start, end);
      if (data === null) break;
      const mark = `${MARK}${this.#taken++}`;
      this.#held.set(mark, data);
      text += line.toString('utf8', from, start) + mark;
      from = end;
    }
    return text + line.toString('utf8', from, line.length);
  }

  /** The data of a record, once. */
  of(text: string): Buffer {
    const held = this.#held.get(text);
    if (held === undefined) return Buffer.from(text, 'base64');
    this.#held.delete(text);
    return held;
  }
}

/** The bytes of base64 text; null for what is not plain base64 in whole groups. */
function decode(line: Buffer, start: number, end: number): Buffer | null {
  const length = end - start;
  if (length % 4 !== 0) return null;
  const padding = line[end - 1] !== EQUALS ? 0 : line[end - 2] !== EQUALS ? 1 : 2;
  const data = Buffer.allocUnsafeSlow((length / 4) * 3 - padding);
  let to = 0;
  for (let at = start; at < end; at += PIECE)
    to += data.write(line.toString('latin1', at, Math.min(at + PIECE, end)), to, 'base64');
  return to === data.length ? data : null;
}
