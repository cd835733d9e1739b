/** Turns the texts of clients that speak JSON into the msgpack that all else works on. */
import { malformed, RefusedError } from './errors.ts';
import { stringHead } from './msgpack-write.ts';

/**
 * Turns a JSON text into msgpack, keys in their order, repeated ones included, integers with all their digits.
 *
 * Arrays and maps get the heads of four bytes of length: their number of values is known only at their end.
 *
 * @returns null for white space alone
 * @throws RefusedError if it is not JSON
 */
export function jsonToMsgpack(bytes: Buffer, at: number, end: number): Buffer | null {
  // Letter for byte: strings turn back into bytes as they are, and are checked where all strings are.
  const text = bytes.toString('latin1', at, end);
  const parser = new Parser(text);
  try {
    if (!parser.begins()) return null;
    parser.value(0);
    parser.end();
  } catch (error) {
    throw error instanceof RefusedError ? error : malformed(`not JSON: ${(error as Error).message}`);
  }
  return parser.msgpack;
}

/** Levels that the parser follows, which calls itself for each. */
const MAX_JSON_DEPTH = 500;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
/** The next bracket, or string with whatever brackets are in it. */
const STRUCTURE = /[[\]{}]|"(?:[^"\\]|\\.)*"/g;
const SPACE = /[ \t\n\r]*/y;
const ESCAPE = /\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)/g;
const NO_UTF8 = Buffer.of(0xff);
/** Digits and sign of the longest integer of 64 bits. */
const INTEGER_LETTERS = 20;
const ARRAY32 = 0xdd;
const MAP32 = 0xdf;

class Parser {
  readonly #text: string;
  #at = 0;
  /** The numbers of the value at work that no msgpack number holds, or that JSON's readers would refuse. */
  #odd = '';
  /** How many maps the value at work is in. */
  #maps = 0;
  /** One buffer for all values: an object for each would be many times the size of the text. */
  #out: Buffer;
  #length = 0;

  constructor(text: string) {
    this.#text = text;
    this.#out = Buffer.allocUnsafeSlow(Math.max(64, text.length));
  }

  get msgpack(): Buffer {
    return this.#out.subarray(0, this.#length);
  }

  /** Whether there is more than white space. */
  begins(): boolean {
    this.#space();
    return this.#at < this.#text.length;
  }

  value(depth: number): void {
    this.#space();
    const letter = this.#text[this.#at];
    if (depth > MAX_JSON_DEPTH && (letter === '{' || letter === '[')) {
      this.#asText();
      return;
    }
    if (letter === '{') this.#container(depth, MAP32, '}');
    else if (letter === '[') this.#container(depth, ARRAY32, ']');
    else if (letter === '"') this.#string();
    else if (this.#word('true')) this.#byte(0xc3);
    else if (this.#word('false')) this.#byte(0xc2);
    else if (this.#word('null')) this.#byte(0xc0);
    else this.#number();
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) throw malformed('JSON that goes on after its end');
  }

  #container(depth: number, type: number, close: '}' | ']'): void {
    this.#at++;
    this.#byte(type);
    const place = this.#length;
    this.#reserve(4);
    this.#length += 4;
    let count = 0;
    const outer = this.#odd;
    if (type === MAP32) this.#maps++;
    for (;;) {
      this.#space();
      if (this.#text[this.#at] === close && count === 0) break;
      const key = this.#length;
      if (close === '}') {
        this.#string();
        this.#space();
        if (this.#text[this.#at++] !== ':') throw malformed('JSON without a colon behind a key');
        this.#odd = '';
      }
      const keyEnd = this.#length;
      this.value(depth + 1);
      count++;
      if (close === '}' && this.#odd !== '') {
        // The key once more, as the writer of lines says such numbers.
        this.#copy(key, keyEnd);
        this.#str(this.#odd);
        count++;
      }
      if (close === '}') this.#odd = outer;
      this.#space();
      const next = this.#text[this.#at];
      if (next === close) break;
      if (next !== ',') throw malformed('JSON without a comma between values');
      this.#at++;
    }
    this.#at++;
    if (type === MAP32) this.#maps--;
    this.#out.writeUInt32BE(count, place);
  }

  /** Takes a value as the text that it is: one nested so deep is kept as text whatever becomes of it. */
  #asText(): void {
    const start = this.#at;
    let depth = 0;
    do {
      STRUCTURE.lastIndex = this.#at;
      const letter = STRUCTURE.exec(this.#text)?.[0];
      if (letter === undefined) throw malformed('JSON that ends inside a value');
      this.#at = STRUCTURE.lastIndex;
      if (letter === '{' || letter === '[') depth++;
      else if (letter === '}' || letter === ']') depth--;
    } while (depth > 0);
    this.#str(this.#text.slice(start, this.#at));
  }

  #string(): void {
    const start = this.#at;
    if (this.#text[start] !== '"') throw malformed('JSON without a string where one must be');
    let end = start;
    let backslashes: number;
    do {
      end = this.#text.indexOf('"', end + 1);
      if (end < 0) throw malformed('a JSON string without an end');
      backslashes = 0;
      while (this.#text[end - 1 - backslashes] === '\\') backslashes++;
    } while (backslashes % 2 === 1);
    this.#at = end + 1;
    const quoted = this.#text.slice(start, end + 1);
    // Throws for control characters and unknown escapes.
    JSON.parse(quoted);
    this.#str(quoted.includes('\\') ? unescaped(quoted.slice(1, -1)) : quoted.slice(1, -1));
  }

  #number(): void {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) throw malformed('a value that is not JSON');
    this.#at = NUMBER.lastIndex;
    const number = Number(match[0]);
    if (match[1] === undefined && match[2] === undefined) this.#integer(match[0]);
    else if (Number.isFinite(number)) this.#double(number);
    else this.#oddNumber(match[0]);
  }

  #integer(digits: string): void {
    const number = Number(digits);
    if (number >= 0 && number < 0x80) {
      this.#byte(number);
      return;
    }
    const big = digits.length <= INTEGER_LETTERS ? BigInt(digits) : null;
    this.#reserve(9);
    if (big !== null && big >= 0n && big < 1n << 64n) {
      this.#byte(0xcf);
      this.#length = this.#out.writeBigUInt64BE(big, this.#length);
    } else if (big !== null && big < 0n && big >= -(1n << 63n)) {
      this.#byte(0xd3);
      this.#length = this.#out.writeBigInt64BE(big, this.#length);
    } else if (String(number) === digits) {
      this.#double(number);
    } else {
      this.#oddNumber(digits);
    }
  }

  /** A number that no number of msgpack holds: null and, in a map, its digits under the key once more. */
  #oddNumber(digits: string): void {
    if (this.#maps === 0) {
      this.#str(digits);
      return;
    }
    this.#byte(0xc0);
    this.#odd += this.#odd === '' ? digits : `, ${digits}`;
  }

  #double(value: number): void {
    this.#byte(0xcb);
    this.#reserve(8);
    this.#length = this.#out.writeDoubleBE(value, this.#length);
  }

  /** A str of these bytes, or of letters that each stand for one. */
  #str(text: Buffer | string): void {
    const head = stringHead(text.length);
    this.#reserve(head.length + text.length);
    this.#length += head.copy(this.#out, this.#length);
    this.#length +=
      typeof text === 'string'
        ? this.#out.write(text, this.#length, 'latin1')
        : text.copy(this.#out, this.#length);
  }

  /** What is in the output from `from` to `to` once more. */
  #copy(from: number, to: number): void {
    this.#reserve(to - from);
    this.#length += this.#out.copy(this.#out, this.#length, from, to);
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.#out[this.#length++] = byte;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#out.length * 2));
    this.#out.copy(larger, 0, 0, this.#length);
    this.#out = larger;
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #space(): void {
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    this.#at = SPACE.lastIndex;
  }
}

/** The bytes of a JSON string's inside, itself given with a letter for each byte. */
function unescaped(text: string): Buffer {
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  let from = 0;
  for (const match of text.matchAll(ESCAPE)) {
    length += bytes.write(text.slice(from, match.index), length, 'latin1');
    const letters = JSON.parse(`"${match[0]}"`) as string;
    // Half a surrogate pair is not a character: it becomes a byte that is not UTF-8 either, and is counted with those.
    length += letters.isWellFormed() ? bytes.write(letters, length) : NO_UTF8.copy(bytes, length);
    from = match.index + match[0].length;
  }
  length += bytes.write(text.slice(from), length, 'latin1');
  return bytes.subarray(0, length);
}
