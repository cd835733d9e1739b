/** The JSON form of the protocol: texts found in the stream, and turned into the msgpack that all else works on. */
import { malformed, RefusedError } from './errors.ts';
import { readHead } from './message.ts';
import { MAX_DEPTH } from './msgpack-scan.ts';
import { mapHead, stringHead } from './msgpack-write.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether the first byte of a connection says that its client speaks JSON. */
export function isJsonStart(byte: number): boolean {
  return byte === 0x7b || byte === 0x5b;
}

/** As MessageScanner, for JSON texts behind each other; white space between them belongs to the next one. */
export class JsonScanner {
  readonly #maxBytes: number;
  #start = 0;
  #at = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  begin(offset: number): void {
    this.#start = offset;
    this.#at = offset;
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
  }

  moved(by: number): void {
    this.#start -= by;
    this.#at -= by;
  }

  /**
   * @returns the offset behind the text, or -1 when it goes on after `end`
   * @throws RefusedError when what stands there is no array, or longer than the maximum
   */
  scan(bytes: Uint8Array, end: number): number {
    let at = this.#at;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE && this.#depth > 0) {
        this.#inString = true;
      } else if (byte === 0x5b || byte === 0x7b) {
        this.#depth++;
      } else if (byte === 0x5d || byte === 0x7d) {
        if (--this.#depth === 0) {
          this.#at = at + 1;
          return at + 1;
        }
        if (this.#depth < 0) throw malformed('a JSON text that closes what it has not opened');
      } else if (this.#depth === 0 && !isSpace(byte)) {
        throw malformed('JSON that is no array');
      }
    }
    if (end - this.#start > this.#maxBytes) {
      throw new RefusedError('too_large', `a message of more than ${this.#maxBytes} bytes`);
    }
    this.#at = at;
    return -1;
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** The ack of a JSON message; `value` is the id as msgpack. */
export function jsonAck(value: Buffer): Buffer {
  const head = readHead(value, 0);
  const id = head?.kind === 'bytes' ? value.toString('utf8', head.at, head.end) : '';
  return Buffer.from(JSON.stringify({ ack: id }));
}

/**
 * Turns a JSON text into msgpack, keys in their order, repeated ones included, integers with all their digits.
 *
 * @returns null for white space alone
 * @throws RefusedError when it is no JSON
 */
export function jsonToMsgpack(bytes: Buffer, at: number, end: number): Buffer | null {
  // Letter for byte: strings become bytes again as they are, and are checked where all strings are.
  const text = bytes.toString('latin1', at, end);
  if (text.trim() === '') return null;
  const parts: Buffer[] = [];
  try {
    const parser = new Parser(text, parts);
    parser.value(0);
    parser.end();
  } catch (error) {
    throw error instanceof RefusedError ? error : malformed(`no JSON: ${(error as Error).message}`);
  }
  return Buffer.concat(parts);
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;
const ESCAPE = /\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)/g;
const NO_UTF8 = Buffer.of(0xff);
const NIL = Buffer.of(0xc0);
const TRUE = Buffer.of(0xc3);
const FALSE = Buffer.of(0xc2);

class Parser {
  readonly #text: string;
  readonly #parts: Buffer[];
  #at = 0;

  constructor(text: string, parts: Buffer[]) {
    this.#text = text;
    this.#parts = parts;
  }

  value(depth: number): void {
    if (depth > MAX_DEPTH) throw new RefusedError('too_deep', `values nested deeper than ${MAX_DEPTH}`);
    this.#space();
    const letter = this.#text[this.#at];
    if (letter === '{') this.#container(depth, '}');
    else if (letter === '[') this.#container(depth, ']');
    else if (letter === '"') this.#string();
    else if (this.#word('true')) this.#parts.push(TRUE);
    else if (this.#word('false')) this.#parts.push(FALSE);
    else if (this.#word('null')) this.#parts.push(NIL);
    else this.#number();
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) throw malformed('JSON that goes on after its end');
  }

  #container(depth: number, close: '}' | ']'): void {
    this.#at++;
    const place = this.#parts.push(NIL) - 1;
    let count = 0;
    for (;;) {
      this.#space();
      if (this.#text[this.#at] === close && count === 0) break;
      if (close === '}') {
        this.#string();
        this.#space();
        if (this.#text[this.#at++] !== ':') throw malformed('JSON without a colon behind a key');
      }
      this.value(depth + 1);
      count++;
      this.#space();
      const next = this.#text[this.#at];
      if (next === close) break;
      if (next !== ',') throw malformed('JSON without a comma between values');
      this.#at++;
    }
    this.#at++;
    this.#parts[place] = close === '}' ? mapHead(count) : arrayHead(count);
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
    const bytes = unescaped(quoted.slice(1, -1));
    this.#parts.push(stringHead(bytes.length), bytes);
  }

  #number(): void {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) throw malformed('a value that is no JSON');
    this.#at = NUMBER.lastIndex;
    if (match[1] === undefined && match[2] === undefined) this.#parts.push(packInteger(match[0]));
    else this.#parts.push(packDouble(Number(match[0])));
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
  if (!text.includes('\\')) return Buffer.from(text, 'latin1');
  const pieces: Buffer[] = [];
  let from = 0;
  for (const match of text.matchAll(ESCAPE)) {
    pieces.push(Buffer.from(text.slice(from, match.index), 'latin1'));
    const letters = JSON.parse(`"${match[0]}"`) as string;
    // Half a surrogate pair is no character: it becomes a byte that is no UTF-8 either, and is counted with those.
    pieces.push(letters.isWellFormed() ? Buffer.from(letters) : NO_UTF8);
    from = match.index + match[0].length;
  }
  pieces.push(Buffer.from(text.slice(from), 'latin1'));
  return Buffer.concat(pieces);
}

function packInteger(digits: string): Buffer {
  const number = Number(digits);
  if (number >= 0 && number < 0x80) return Buffer.of(number);
  const bytes = Buffer.alloc(9);
  const big = BigInt(digits);
  if (big >= 0n && big < 1n << 64n) {
    bytes[0] = 0xcf;
    bytes.writeBigUInt64BE(big, 1);
  } else if (big < 0n && big >= -(1n << 63n)) {
    bytes[0] = 0xd3;
    bytes.writeBigInt64BE(big, 1);
  } else if (String(number) === digits) {
    return packDouble(number);
  } else {
    // No msgpack number holds it: its digits are kept as a string.
    const text = Buffer.from(digits);
    return Buffer.concat([stringHead(text.length), text]);
  }
  return bytes;
}

function packDouble(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xcb;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function arrayHead(count: number): Buffer {
  if (count < 16) return Buffer.of(0x90 | count);
  const bytes = Buffer.alloc(5);
  bytes[0] = 0xdd;
  bytes.writeUInt32BE(count, 1);
  return bytes;
}
