/** A JSON parser that refuses what any of the readers in docs/archive-format.md refuses of a single line. */
import { isUtf8 } from 'node:buffer';

/** DataFusion from Python. */
const MAX_DEPTH = 63;
const TOKEN =
  /[ \t]*(?:[{}[\],:]|"(?:[^"\\]|\\.)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;

/** Why a strict reader refuses the line, which has no line break; null when none does. */
export function strictFault(line: Buffer): string | null {
  if (!isUtf8(line)) return 'not UTF-8';
  try {
    new Parser(line.toString()).line();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  line(): void {
    if (this.#next() !== '{') throw new Error('not an object');
    this.#object(1);
    if (this.#at !== this.#text.length) throw new Error('more behind the object');
  }

  #next(): string {
    TOKEN.lastIndex = this.#at;
    const match = TOKEN.exec(this.#text);
    if (match === null) throw new Error(`not JSON at ${this.#at}`);
    this.#at = TOKEN.lastIndex;
    return match[0].trimStart();
  }

  #value(token: string, depth: number): void {
    if (token === '{') this.#object(depth + 1);
    else if (token === '[') this.#array(depth + 1);
    else if (token.startsWith('"')) stringOf(token);
    else if (/^[-\d]/.test(token)) checkNumber(token);
    else if (!/^[tfn]/.test(token)) throw new Error(`${token} where a value must be`);
  }

  #object(depth: number): void {
    if (depth > MAX_DEPTH) throw new Error('too deep');
    const names = new Set<string>();
    let token = this.#next();
    if (token === '}') return;
    for (;;) {
      if (!token.startsWith('"')) throw new Error('a name is not a string');
      const name = stringOf(token);
      if (names.has(name)) throw new Error(`${name} comes twice`);
      if (name.includes('\0')) throw new Error('a NUL in a name');
      names.add(name);
      if (this.#next() !== ':') throw new Error('no colon');
      this.#value(this.#next(), depth);
      token = this.#next();
      if (token === '}') return;
      if (token !== ',') throw new Error('no comma');
      token = this.#next();
    }
  }

  #array(depth: number): void {
    if (depth > MAX_DEPTH) throw new Error('too deep');
    let token = this.#next();
    if (token === ']') return;
    for (;;) {
      this.#value(token, depth);
      token = this.#next();
      if (token === ']') return;
      if (token !== ',') throw new Error('no comma');
      token = this.#next();
    }
  }
}

function stringOf(token: string): string {
  // Throws for control characters and unknown escapes.
  const text = JSON.parse(token) as string;
  if (!text.isWellFormed()) throw new Error('half a surrogate pair');
  return text;
}

function checkNumber(token: string): void {
  if (!Number.isFinite(Number(token))) throw new Error(`${token} is beyond any double`);
  const whole = BigInt(/^-?\d+/.exec(token)![0]);
  if (whole >= 1n << 64n || whole < -(1n << 63n)) throw new Error(`${token} is beyond 64 bits`);
}
