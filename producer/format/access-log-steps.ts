/** The steps of a compiled log_format: how each field is found in a line and what is written for it. */
import { isTime } from './access-log-values.ts';
import { type Escape, type FieldKind, isAnchor, type LogField, type LogFormat } from './log-format.ts';
import { compileTimePrefix, type TimePrefix } from './time-format.ts';
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
  /** Whether a value with a space in it is not one of this field. */
  readonly spaceless: boolean;
  readonly rule: FieldRule;
  /** Whether the literal is the beginning of the next field. */
  readonly peek: boolean;
  readonly address: boolean;
  readonly emptyQuotes: boolean;
  /** Reads a time of the format's own. */
  readonly time: TimePrefix | null;
  /** Literals that stand before the field and may not be in its value: a client has shifted the fields with them. */
  readonly doubts: readonly Buffer[];
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

export function compileSteps(format: LogFormat, transform: Transform, timezone?: string): Step[] {
  return format.fields.map((field, n) => {
    const rule = transform.rule(field.name);
    const ruled = namesOf(field).some((name) => !transform.rule(name).plain);
    return {
      op: ruled ? RULED : operation(field.kind),
      kind: field.kind,
      key: keyOf(rule),
      literal: Buffer.from(field.literal),
      list: field.list ?? false,
      spaceless: field.solid === true && field.list !== true && !isTime(field.kind),
      rule,
      peek: field.peek ?? false,
      address: field.address ?? false,
      emptyQuotes: field.emptyQuotes ?? false,
      time: field.kind === 'strftime' ? compileTimePrefix(field.timeFormat!, timezone) : null,
      doubts: doubtsOf(format, n, transform),
    };
  });
}

/** The names that a field's value is written under. */
export function namesOf({ name, kind }: LogField): readonly string[] {
  return kind === 'request' ? ['request', 'method', 'path', 'protocol'] : [name];
}

/**
 * A value with a space in it shifts those behind it into other fields, up to the next literal that no client can
 * write. Where one of these fields is redacted, the last of them is looked at for what does not belong there.
 */
function doubtsOf({ fields, escape: escaping }: LogFormat, n: number, transform: Transform): Buffer[] {
  const last = fields[n]!;
  if (!endsRegion(fields, n, escaping)) return [];
  const region = [last];
  for (let k = n - 1; k >= 0 && !endsRegion(fields, k, escaping); k--) region.unshift(fields[k]!);
  if (region.every(({ solid }) => solid === true)) return [];
  if (!transform.redacts(region.flatMap(namesOf))) return [];
  return region.slice(0, -1).map(({ literal }) => Buffer.from(literal));
}

/** Whether what stands behind a field can be found whatever a client puts into it: a quote, a time, the line's end. */
export function endsRegion(fields: readonly LogField[], n: number, escaping: Escape): boolean {
  const field = fields[n]!;
  const next = fields[n + 1];
  return isTime(field.kind) || next === undefined || isTime(next.kind) || isAnchor(field.literal, escaping);
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
