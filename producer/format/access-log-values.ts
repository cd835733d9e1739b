/** Values of access logs on bytes: numbers, requests, times and lists. */
import { CLF_BYTES, parseClf, parseIso } from './clock.ts';
import type { FieldKind } from './log-format.ts';

const COMMA = 0x2c;
const COLON = 0x3a;
const DASH = 0x2d;
const SPACE = 0x20;
const ZERO = 0x30;
/** Digits that a double holds exactly. */
export const MAX_DIGITS = 15;
/** Year 10000: RFC 3339 ends before it. */
export const MAX_TIME = 253_402_300_800_000;

export function isTime(kind: FieldKind): boolean {
  return (
    kind === 'clf' ||
    kind === 'iso' ||
    kind === 'seconds' ||
    kind === 'milliseconds' ||
    kind === 'microseconds'
  );
}

/** Whether the space at `i` stands between the parts of `0.001, 0.002 : 0.003`. */
export function inList(bytes: Buffer, i: number): boolean {
  const before = bytes[i - 1];
  return (
    before === COMMA ||
    (before === COLON && bytes[i - 2] === SPACE) ||
    (bytes[i + 1] === COLON && bytes[i + 2] === SPACE)
  );
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39;
}

/** Whether the bytes are a JSON number that a double holds: `-0.25`, `17`; no exponent. */
export function isNumber(bytes: Buffer, from: number, to: number): boolean {
  let i = bytes[from] === DASH ? from + 1 : from;
  const whole = i;
  while (i < to && isDigit(bytes[i]!)) i++;
  if (i === whole || (i - whole > 1 && bytes[whole] === ZERO) || to - from > MAX_DIGITS + 2) return false;
  if (i === to) return i - whole <= MAX_DIGITS;
  if (bytes[i] !== 0x2e) return false;
  const fraction = ++i;
  while (i < to && isDigit(bytes[i]!)) i++;
  return i === to && i > fraction;
}

/**
 * Where the path of `METHOD path HTTP/x` ends: at its last space where a protocol follows, else at the end; -1 when
 * it is no request of that form.
 */
export function splitRequest(bytes: Buffer, from: number, to: number): number {
  let i = from;
  while (i < to && bytes[i]! >= 0x41 && bytes[i]! <= 0x5a) i++;
  if (i === from || i + 1 >= to || bytes[i] !== SPACE) return -1;
  const path = i + 1;
  let space = to - 1;
  while (space > path && bytes[space] !== SPACE) space--;
  if (space === path || bytes[space] !== SPACE) return to;
  const protocol =
    to - space > 6 &&
    bytes[space + 1] === 0x48 &&
    bytes[space + 2] === 0x54 &&
    bytes[space + 3] === 0x54 &&
    bytes[space + 4] === 0x50 &&
    bytes[space + 5] === 0x2f;
  return protocol ? space : to;
}

export function readTime(kind: FieldKind, bytes: Buffer, from: number, to: number): number {
  if (kind === 'clf') return to - from === CLF_BYTES ? parseClf(bytes, from) : Number.NaN;
  if (kind === 'iso') return parseIso(bytes, from, to);
  if (!isNumber(bytes, from, to) && !(kind === 'microseconds' && to - from === 16)) return Number.NaN;
  const value = Number(bytes.toString('latin1', from, to));
  return Math.round(kind === 'seconds' ? value * 1000 : kind === 'milliseconds' ? value : value / 1000);
}
