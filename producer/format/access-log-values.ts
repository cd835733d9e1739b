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
    kind === 'microseconds' ||
    kind === 'strftime'
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

/** The parts of the request that {@link splitRequest} found last; the protocol is empty where there is none. */
export const requestParts = { methodEnd: 0, pathFrom: 0, pathTo: 0, protocolFrom: 0 };

/** Characters of a token (RFC 9110, section 5.6.2), which a method is. */
const TOKEN = new Uint8Array(256);
for (const byte of Buffer.from(
  "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
))
  TOKEN[byte] = 1;

/** A protocol and no more: what a client puts behind it belongs to the path. */
const PROTOCOL = /^HTTP\/\d(?:\.\d)?$/;
const LONGEST_PROTOCOL = 8;

/** Splits `METHOD path HTTP/x` or `METHOD path` into {@link requestParts}; false when it is neither. */
export function splitRequest(bytes: Buffer, from: number, to: number): boolean {
  let i = from;
  while (i < to && TOKEN[bytes[i]!] === 1) i++;
  if (i === from || i >= to || bytes[i] !== SPACE) return false;
  requestParts.methodEnd = i;
  while (i < to && bytes[i] === SPACE) i++;
  if (i === to) return false;
  let space = to - 1;
  while (space > i && bytes[space] !== SPACE) space--;
  const named = space === i ? i : space + 1;
  const protocol = to - named <= LONGEST_PROTOCOL && PROTOCOL.test(bytes.toString('latin1', named, to));
  let pathTo = protocol ? Math.max(space, i) : to;
  while (pathTo > i && bytes[pathTo - 1] === SPACE) pathTo--;
  if (protocol && named === i) pathTo = i;
  requestParts.pathFrom = i;
  requestParts.pathTo = pathTo;
  requestParts.protocolFrom = protocol ? named : to;
  return true;
}

/** Where a value ends that is an address with a colon behind it: at the last one before a blank or a quote. */
export function addressEnd(bytes: Buffer, from: number, end: number): number {
  let colon = -1;
  for (let i = from; i < end && bytes[i] !== SPACE && bytes[i] !== 0x22; i++)
    if (bytes[i] === COLON) colon = i;
  return colon;
}

export function readTime(kind: FieldKind, bytes: Buffer, from: number, to: number): number {
  if (kind === 'clf') return to - from === CLF_BYTES ? parseClf(bytes, from) : Number.NaN;
  if (kind === 'iso') return parseIso(bytes, from, to);
  if (!isNumber(bytes, from, to) && !(kind === 'microseconds' && to - from === 16)) return Number.NaN;
  const value = Number(bytes.toString('latin1', from, to));
  return Math.round(kind === 'seconds' ? value * 1000 : kind === 'milliseconds' ? value : value / 1000);
}
