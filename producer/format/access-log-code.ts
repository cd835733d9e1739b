/**
 * Compiles the steps of a log_format into one JavaScript function: keys, literals and the ends of values are constants
 * in its code, which takes half the time of a loop that reads them from a table for every field.
 *
 * Values and keys go through four or eight bytes at a time: DataView reads and writes are compiled to plain loads and
 * stores, and a few operations on 32 bits tell whether any of four bytes needs a closer look (the "has a byte less
 * than n" test of S. E. Anderson's Bit Twiddling Hacks). Words are read and written beyond the end of a value, and even
 * of the line: there must be {@link WORD_SLACK} bytes of each buffer.
 */
import { CLF, type Key, NUMBER, REQUEST, type Step, TEXT, TIME } from './access-log-steps.ts';
import { MAX_DIGITS } from './access-log-values.ts';
import { CLF_BYTES } from './clock.ts';

/** Answers of a scan that are not positions. */
export const FAILED = -1;
export const MOVED = -2;
export const EXCLUDED = -3;
export const NEEDS_ROOM = -4;

/** Bytes that a scan may read behind a line. */
export const WORD_SLACK = 8;
/** Words that tell one second's time from another: the last one overlaps the one before it. */
export const CLF_WORDS = 7;
/** Words of `2026-11-23T21:04:07Z`. */
export const CLF_TEXT_WORDS = 5;

/** What the compiled function asks of its parser: fields off the fast path, and what it must remember of a line. */
export interface ScanParser {
  /** Where the field that one of the methods read ended. */
  next: number;
  /** The second in which the last line was logged, as it stood there and as it is written. */
  readonly clf: Int32Array;
  readonly clfText: Int32Array;
  /** Reads the time at `i` into the two above; false when it is none. */
  readClf(i: number): boolean;
  /** Places the line by the time that was read last; true when it has to be written to another builder. */
  movesByClf(): boolean;
  /** Each writes a field that begins at `i` to `at` and returns the position behind it, or one of the answers. */
  text(step: number, at: number, i: number, end: number): number;
  number(step: number, at: number, i: number, end: number): number;
  request(step: number, at: number, i: number, end: number): number;
  time(step: number, at: number, i: number, end: number): number;
  ruled(step: number, at: number, i: number, end: number): number;
  /** Where the line ends in which `i` is, without its line break; -1 when it does not end before `end`. */
  lineEnd(i: number, end: number): number;
}

/**
 * Writes the members of the line `view[i, end)`, each with a comma before it, to `out[at]`, and returns the position
 * behind them or one of the answers above.
 */
export type Scan = (
  parser: ScanParser,
  view: DataView,
  out: DataView,
  i: number,
  end: number,
  at: number,
) => number;

export interface RequestKeys {
  readonly method: Key;
  readonly path: Key;
  readonly protocol: Key;
}

const QUOTE = 0x22;
const DASH = 0x2d;
const SPACE = 0x20;
const ZERO = 0x30;
/** Bytes of ` HTTP/1.1`. */
const PROTOCOL_BYTES = 9;

/** An expression: whether the line ends at `i`; its line break, `\n` or `\r\n`, has to be before `end`. */
const AT_END = `(known ? i === end :
  i < end && (view.getUint8(i) === 10 || (i + 1 < end && view.getInt16(i, true) === 0x0a0d)))`;

/** One function for all logs of the same format, so that it is compiled to machine code once. */
const compiled = new Map<string, Scan>();

/**
 * @param open whether `end` is not the line's: the scan finds its line break, before `end`, and sets the parser's `next`
 * to it. Most lines are over where their last field is, and are not searched for their end beforehand.
 */
export function compileScan(prefix: Buffer, steps: readonly Step[], keys: RequestKeys, open = false): Scan {
  const fields = steps.map(
    (step, n) => `{${fieldCode(step, n, keys)}}\ni += ${step.peek ? 0 : step.literal.length};`,
  );
  // Whether `end` is the line's.
  const source = `
    let known = ${!open};
    if (!${follows(prefix, false)}) return ${FAILED};
    i += ${prefix.length};
    ${fields.join('\n')}
    if (!${AT_END}) return ${FAILED};
    parser.next = i;
    return at;`;
  let scan = compiled.get(source);
  if (scan === undefined) {
    scan = new Function('parser', 'view', 'out', 'i', 'end', 'at', source) as Scan;
    compiled.set(source, scan);
  }
  return scan;
}

function fieldCode(step: Step, n: number, keys: RequestKeys): string {
  switch (step.op) {
    case TEXT:
      return textCode(step, n);
    case NUMBER:
      return numberCode(step, n);
    case CLF:
      return clfCode(step);
    case REQUEST:
      return requestCode(step, n, keys);
    case TIME:
      return askParser('time', n, 'at', 'i');
    default:
      return askParser('ruled', n, 'at', 'i');
  }
}

/** A field off the fast path, rewritten from its key on. */
function askParser(method: string, n: number, at: string, i: string): string {
  return `
    if (!known) {
      end = parser.lineEnd(${i}, end);
      if (end < 0) return ${FAILED};
      known = true;
    }
    at = parser.${method}(${n}, ${at}, ${i}, end);
    if (at < 0) {
      parser.next = end;
      return at;
    }
    i = parser.next;`;
}

function textCode(step: Step, n: number): string {
  // The literal's first byte can stand inside a list, or is none that a copy stops at.
  const first = step.literal[0] ?? QUOTE;
  const unread = step.doubts.some((literal) => !(step.spaceless && literal[0] === SPACE));
  if (step.list || unread || (first !== QUOTE && first !== SPACE)) return askParser('text', n, 'at', 'i');
  return `
    const member = at;
    const value = i;
    ${writeKey(step.key)}
    ${copyValue(first === QUOTE && !step.spaceless ? AT_QUOTE : AT_BLANK, step.literal.length === 0)}
    if (!${follows(step.literal)}) {
      // An escape, a quote, a byte above 0x7f, or the literal's first byte without the rest of it.
      ${askParser('text', n, 'member', 'value')}
    } else ${closeMember(step.key, 'i - value === 1')}`;
}

/** Ends a member with its quote, or takes it back when it has no name or its value is "-". */
function closeMember(key: Key, single: string): string {
  if (key.length === 0) return 'at = member;';
  return `if (${single} && view.getUint8(value) === ${DASH}) at = member;
    else out.setUint8(at++, ${QUOTE});`;
}

function numberCode(step: Step, n: number): string {
  if (step.list || step.key.length === 0) return askParser('number', n, 'at', 'i');
  return `
    const member = at;
    const value = i;
    ${writeKey(step.key)}
    at--; // A number has no quote.
    while (i < end) {
      const byte = view.getUint8(i);
      if (byte < ${ZERO} || byte > ${ZERO + 9}) break;
      out.setUint8(at++, byte);
      i++;
    }
    const digits = i - value;
    if (
      digits === 0 || digits > ${MAX_DIGITS} ||
      (digits > 1 && view.getUint8(value) === ${ZERO}) ||
      !${follows(step.literal)}
    ) {
      ${askParser('number', n, 'member', 'value')}
    }`;
}

function clfCode(step: Step): string {
  const word = (k: number) => (k === CLF_WORDS - 1 ? CLF_BYTES - 4 : 4 * k);
  const differences = Array.from(
    { length: CLF_WORDS },
    (_, k) => `(view.getInt32(i + ${word(k)}, true) ^ clf[${k}])`,
  );
  const texts = Array.from(
    { length: CLF_TEXT_WORDS },
    (_, k) => `out.setInt32(at + ${4 * k}, text[${k}], true);`,
  );
  return `
    if (i + ${CLF_BYTES} > end) return ${FAILED};
    const { clf } = parser;
    if ((${differences.join(' | ')}) !== 0 && !parser.readClf(i)) return ${FAILED};
    if (parser.movesByClf()) return ${MOVED};
    i += ${CLF_BYTES};
    ${
      step.key.length === 0
        ? ''
        : `${writeKey(step.key)}
           const text = parser.clfText;
           ${texts.join('\n')}
           at += ${4 * CLF_TEXT_WORDS};
           out.setUint8(at++, ${QUOTE});`
    }
    if (!${follows(step.literal)}) return ${FAILED};`;
}

/** `GET /path HTTP/1.1`: three members; anything else is the parser's. */
function requestCode(step: Step, n: number, { method, path, protocol }: RequestKeys): string {
  if (step.doubts.length > 0) return askParser('request', n, 'at', 'i');
  return `
    const request = i;
    const before = at;
    let plain = false;
    fast: {
      ${writeKey(method)}
      while (i < end) {
        const byte = view.getUint8(i);
        if (byte < 0x41 || byte > 0x5a) break;
        out.setUint8(at++, byte);
        i++;
      }
      if (i === request || i === end || view.getUint8(i) !== ${SPACE}) break fast;
      ${method.length === 0 ? 'at = before;' : `out.setUint8(at++, ${QUOTE});`}
      i++;
      const member = at;
      const value = i;
      ${writeKey(path)}
      ${copyValue(AT_BLANK, false)}
      const after = i + ${PROTOCOL_BYTES};
      if (i === value || after > end) break fast;
      const name = view.getInt32(i + 1, true);
      const version = view.getInt32(i + 5, true);
      // Of the version's digits the upper halves count: what else begins with them needs no escape either.
      if (
        view.getUint8(i) !== ${SPACE} || name !== ${wordOf('HTTP')} ||
        (version & ${wordOf('\xff\xf0\xff\xf0')}) !== ${wordOf('/0.0')}
      ) break fast;
      ${closeMember(path, 'i - value === 1')}
      ${
        protocol.length === 0
          ? ''
          : `${writeKey(protocol)}
             out.setInt32(at, name, true);
             out.setInt32(at + 4, version, true);
             at += 8;
             out.setUint8(at++, ${QUOTE});`
      }
      i = after;
      plain = ${follows(step.literal)};
    }
    if (!plain) {
      ${askParser('request', n, 'before', 'request')}
    }`;
}

/**
 * Where a copied value ends: at a byte below `low` once `flip` was applied to it, and at any backslash or byte above
 * 0x7f. The flip exchanges 0x20 and 0x22, so that control characters and the quote are one range.
 */
interface Ending {
  readonly flip: string;
  readonly low: string;
}
const AT_QUOTE: Ending = { flip: '^ 0x02020202', low: '0x21212121' };
/** Takes `!` for an end too: a value with one is the parser's. */
const AT_BLANK: Ending = { flip: '', low: '0x23232323' };

/**
 * Moves `i` and `at` over a value, copying it; the bytes behind it are overwritten by what follows.
 *
 * @param lineEnds whether the value may end with its line, beyond which words are copied too
 */
function copyValue({ flip, low }: Ending, lineEnds: boolean): string {
  // Exact up to the first byte found: borrows go upwards only.
  const odd = (word: string) =>
    `(${word} | ((${word} ${flip}) - ${low}) | ((${word} ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080`;
  const first = (bits: string) => `(31 - Math.clz32(${bits} & -${bits}) >> 3)`;
  return `
    while (i < end) {
      const a = view.getInt32(i, true);
      const b = view.getInt32(i + 4, true);
      out.setInt32(at, a, true);
      out.setInt32(at + 4, b, true);
      const oddA = ${odd('a')};
      const oddB = ${odd('b')};
      if ((oddA | oddB) !== 0) {
        const plain = oddA !== 0 ? ${first('oddA')} : 4 + ${first('oddB')};
        i += plain;
        at += plain;
        break;
      }
      i += 8;
      at += 8;
    }
    ${lineEnds ? 'if (i > end) { at -= i - end; i = end; }' : ''}`;
}

/** An expression: whether a literal stands at `i`, and for an empty one, whether the line ends there. */
function follows(literal: Buffer, atEnd = true): string {
  if (literal.length === 0) return atEnd ? AT_END : 'true';
  const words: string[] = [];
  for (let k = 0; k < literal.length; k += 4) {
    const bytes = Math.min(4, literal.length - k);
    const mask = bytes === 4 ? '' : ` & ${2 ** (8 * bytes) - 1}`;
    words.push(`(view.getInt32(i + ${k}, true)${mask}) === ${wordOf(literal.toString('latin1', k, k + 4))}`);
  }
  return `(i + ${literal.length} <= end && ${words.join(' && ')})`;
}

/** Writes a key in whole words; up to three bytes too many, which the value covers. */
function writeKey({ length, bytes }: Key): string {
  if (length === 0) return '';
  const words: string[] = [];
  for (let k = 0; k < length; k += 4) words.push(`out.setInt32(at + ${k}, ${bytes.readInt32LE(k)}, true);`);
  return `${words.join('\n')}\nat += ${length};`;
}

/** Up to four characters of latin1 as a little-endian word. */
function wordOf(text: string): number {
  return Buffer.from(text.padEnd(4, '\0'), 'latin1').readInt32LE(0);
}
