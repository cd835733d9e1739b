/** The steps of a compiled log_format: how each field is found in a line and what is written for it. */
import type { FieldKind, LogFormat } from './log-format.ts';
import type { FieldRule, Transform } from './transform.ts';

export const TEXT = 0;
export const NUMBER = 1;
export const REQUEST = 2;
export const CLF = 3;
/** Other times, and every field that a transform looks into: off the fast path. */
export const TIME = 4;
const RULED = 5;

export interface Key {
  readonly length: number;
  /** `,"name":"` with a few bytes behind it, so that it can be read by words; empty for a field that is left out. */
  readonly bytes: Buffer;
}

export interface Step {
  readonly op: number;
  readonly kind: FieldKind;
  readonly key: Key;
  readonly literal: Buffer;
  readonly list: boolean;
  readonly rule: FieldRule;
}

const keyCache = new WeakMap<FieldRule, Key>();

/** `,"name":"`, or nothing for a field that is left out. */
export function keyOf(rule: FieldRule): Key {
  let key = keyCache.get(rule);
  if (key === undefined) {
    const text = Buffer.from(rule.name === null ? '' : `,${JSON.stringify(rule.name)}:"`);
    key = { length: text.length, bytes: Buffer.concat([text, Buffer.alloc(3)]) };
    keyCache.set(rule, key);
  }
  return key;
}

/** Writes a key and returns the position behind it. */
export function writeKey(out: Buffer, at: number, { length, bytes }: Key): number {
  for (let k = 0; k < length; k++) out[at++] = bytes[k]!;
  return at;
}

export function compileStep(field: LogFormat['fields'][number], transform: Transform): Step {
  const rule = transform.rule(field.name);
  const ruled =
    field.kind === 'request'
      ? ['request', 'method', 'path', 'protocol'].some((name) => !transform.rule(name).plain)
      : !rule.plain;
  return {
    op: ruled ? RULED : operation(field.kind),
    kind: field.kind,
    key: keyOf(rule),
    literal: Buffer.from(field.literal),
    list: field.list,
    rule,
  };
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

export function matches(bytes: Buffer, at: number, end: number, literal: Buffer): boolean {
  if (at + literal.length > end) return false;
  for (let k = 0; k < literal.length; k++) if (bytes[at + k] !== literal[k]) return false;
  return true;
}
