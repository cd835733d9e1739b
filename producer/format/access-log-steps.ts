/** The steps of a compiled log_format: how each field is found in a line and what is written for it. */
import { PLAIN } from './json-bytes.ts';
import type { FieldKind, LogFormat } from './log-format.ts';
import type { FieldRule, Transform } from './transform.ts';

const QUOTE = 0x22;
const SPACE = 0x20;

export const TEXT = 0;
export const NUMBER = 1;
export const REQUEST = 2;
export const CLF = 3;
/** Other times, and every field that a transform looks into: off the fast path. */
export const TIME = 4;
export const RULED = 5;

// Four times a byte, for all four bytes of a word at once.
export const BLANKS = 0x20202020;
export const BLANKS_TOO = 0x21212121;
/** Bytes that a key may be written beyond its end. */
export const KEY_SLACK = 16;

/** Bytes that are written as whole words, four at least: up to sixteen too many, which the next writes cover. */
export interface Key {
  readonly length: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  /** Of keys with more than sixteen bytes. */
  readonly more: Int32Array;
}

export interface Step {
  readonly op: number;
  readonly kind: FieldKind;
  /** `,"name":"`; empty for a field that is left out. */
  readonly key: Key;
  readonly literal: Buffer;
  /** The literal's first four bytes as a word, and which bits of it count. */
  readonly word: number;
  readonly mask: number;
  readonly list: boolean;
  /**
   * Four times the first byte that does not stop the value, where it can be copied by words: 0x20 when it ends at a
   * quote or with the line, 0x21 when it ends at a blank; else 0.
   */
  readonly low: number;
  /** Per byte: 0 where a plain copy of the value goes on. */
  readonly stops: Uint8Array;
  readonly rule: FieldRule;
}

const keyCache = new WeakMap<FieldRule, Key>();

/** `,"name":"`, or nothing for a field that is left out. */
export function keyOf(rule: FieldRule): Key {
  let key = keyCache.get(rule);
  if (key === undefined) {
    const text = Buffer.from(rule.name === null ? '' : `,${JSON.stringify(rule.name)}:"`);
    const padded = Buffer.concat([text, Buffer.alloc(KEY_SLACK)]);
    const word = (k: number) => padded.readInt32LE(4 * k);
    const more = Math.max(0, Math.ceil(text.length / 4) - 4);
    key = {
      length: text.length,
      a: word(0),
      b: word(1),
      c: word(2),
      d: word(3),
      more: Int32Array.from({ length: more }, (_, k) => word(k + 4)),
    };
    keyCache.set(rule, key);
  }
  return key;
}

/** Writes a key and returns the position behind it. */
export function writeKey(view: DataView, at: number, key: Key): number {
  view.setInt32(at, key.a, true);
  view.setInt32(at + 4, key.b, true);
  view.setInt32(at + 8, key.c, true);
  view.setInt32(at + 12, key.d, true);
  const { more } = key;
  for (let k = 0; k < more.length; k++) view.setInt32(at + 16 + 4 * k, more[k]!, true);
  return at + key.length;
}

export function compileStep(field: LogFormat['fields'][number], transform: Transform): Step {
  const rule = transform.rule(field.name);
  const ruled =
    field.kind === 'request'
      ? ['request', 'method', 'path', 'protocol'].some((name) => !transform.rule(name).plain)
      : !rule.plain;
  const literal = Buffer.from(field.literal);
  const stops = PLAIN.map((plain) => 1 - plain);
  if (literal.length > 0) stops[literal[0]!] = 1;
  // The literal's first byte can stand inside a list: nothing is copied unseen.
  if (field.list) stops.fill(1);
  return {
    op: ruled ? RULED : operation(field.kind),
    kind: field.kind,
    key: keyOf(rule),
    literal,
    word: Buffer.concat([literal, Buffer.alloc(4)]).readInt32LE(0),
    mask: literal.length >= 4 ? -1 : (1 << (8 * literal.length)) - 1,
    list: field.list,
    low: lowOf(field.list, literal),
    stops,
    rule,
  };
}

function lowOf(list: boolean, literal: Buffer): number {
  if (list) return 0;
  if (literal.length === 0 || literal[0] === QUOTE) return BLANKS;
  return literal[0] === SPACE ? BLANKS_TOO : 0;
}

function operation(kind: FieldKind): number {
  switch (kind) {
    case 'text':
      return TEXT;
    case 'number':
      return NUMBER;
    case 'request':
      return REQUEST;
    case 'clf':
      return CLF;
    default:
      return TIME;
  }
}

/** As {@link matches}, for a step's literal, most of which are shorter than a word. */
export function follows(view: DataView, bytes: Buffer, at: number, end: number, step: Step): boolean {
  const { length } = step.literal;
  if (at + length > end) return false;
  if (length > 4 || at + 4 > view.byteLength) return matches(bytes, at, end, step.literal);
  return ((view.getInt32(at, true) ^ step.word) & step.mask) === 0;
}

export function matches(bytes: Buffer, at: number, end: number, literal: Buffer): boolean {
  if (at + literal.length > end) return false;
  for (let k = 0; k < literal.length; k++) if (bytes[at + k] !== literal[k]) return false;
  return true;
}
