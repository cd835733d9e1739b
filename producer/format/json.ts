/**
 * JSON lines on bytes: an object is checked byte by byte and then copied as it stands; the time is picked out of it
 * on the way. Only its own members are looked at by transforms whose names are not paths into nested objects.
 */
import { replaceLoneSurrogates } from '../../base/lone-surrogates.ts';
import { nulEscapes, REPLACEMENT } from '../../base/nul-escapes.ts';
import { type Builder, MAX_DEPTH } from '../builder.ts';
import { MAX_TIME_BYTES, parseIso } from './clock.ts';
import { lookUp } from './finish.ts';
import { PLAIN, plainBytes, sequenceLength, viewOf } from './json-bytes.ts';
import { keepLine } from './kept.ts';
import { MemberNames } from './member-names.ts';
import { type LineParser, MAX_EVENT_BYTES, type Target, UNPARSED } from './parser.ts';
import type { TimeParser } from './time-format.ts';
import type { FieldRule, Transform } from './transform.ts';

const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const INVALID = -1;
/** A number of fewer letters, without an exponent, is one that every reader holds; no whole part has more that is within 64 bits. */
const LEAST_ODD_LETTERS = 20;

interface KeyRule {
  readonly name: Buffer;
  readonly isTime: boolean;
  /** Null for the time's key where no transform touches it. */
  readonly rule: FieldRule | null;
  /** `,"name":` of the key it gets; empty where it is left out. */
  readonly key: Buffer;
}

export interface JsonOptions {
  readonly timeKey: string;
  readonly parseTime: TimeParser;
  /** Whether the time can be read as ISO 8601 without making a string. */
  readonly isoFirst: boolean;
}

export class JsonParser implements LineParser {
  readonly #target: Target;
  readonly #transform: Transform;
  readonly #options: JsonOptions;
  readonly #keys: readonly KeyRule[];
  readonly #nested: boolean;
  /** Of a time inside of objects: the name of the member that it is in; empty for one of the event's own members. */
  readonly #timeRoot: string;
  /** Members that were found, four numbers each: name from and to, value from and to. */
  #members = new Int32Array(4 * 64);
  #count = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #view = viewOf(this.#bytes);
  /** Whether the line has a byte above 0x7f that is not part of valid UTF-8. */
  #broken = false;
  /** Whether the line has an escape of a surrogate, which may be half a pair. */
  #surrogates = false;
  /** Escapes in the line's strings so far, and whether one of them is in the name of a member. */
  #escapes = 0;
  /** Whether the line's names and numbers were changed for strict readers. */
  #adjusted = false;
  /** The numbers of the value at work that not every reader holds. */
  #oddNumbers = '';
  #escapedName = false;
  /** Of the object that is open at each depth. */
  readonly #names: MemberNames[] = [];
  /** What strict readers need instead, by position: in and behind names, and for odd numbers. */
  #inNames: Change[] = [];
  #odd: Change[] = [];

  constructor(options: JsonOptions, target: Target, transform: Transform) {
    this.#options = options;
    this.#target = target;
    this.#transform = transform;
    this.#nested = [...transform.fields].some((field) => field.includes('.'));
    const [root = '', ...path] = options.timeKey.split('.');
    this.#timeRoot = path.length > 0 ? root : '';
    const names = new Set([options.timeKey, ...transform.fields]);
    this.#keys = [...names].map((name) => {
      const rule = transform.fields.has(name) ? transform.rule(name) : null;
      return {
        name: Buffer.from(name),
        isTime: name === options.timeKey,
        rule,
        key: Buffer.from(rule === null || rule.name === null ? '' : `,${JSON.stringify(rule.name)}:`),
      };
    });
  }

  parse(bytes: Buffer, start: number, end: number): void {
    const target = this.#target;
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = viewOf(bytes);
    }
    while (start < end && isSpace(bytes[start]!)) start++;
    while (end > start && isSpace(bytes[end - 1]!)) end--;
    this.#count = 0;
    this.#broken = false;
    this.#surrogates = false;
    this.#escapedName = false;
    this.#oddNumbers = '';
    if (this.#inNames.length > 0) this.#inNames = [];
    if (this.#odd.length > 0) this.#odd = [];
    if (bytes[start] !== OPEN_BRACE || start >= end || this.#object(bytes, start, end, 1, true) !== end) {
      keepLine(target, this.#transform, bytes, start, end, UNPARSED);
      return;
    }
    // The text of an odd number comes under its name once more, and is counted when it gets its suffix.
    if (this.#odd.length > 0 || this.#inNames.length > 0) {
      const changes = this.#odd.length > 0 ? this.#odd : this.#inNames;
      if (changes === this.#inNames) this.#target.tally.adjusted += changes.length;
      const adjusted = withChanges(bytes, start, end, changes);
      this.#adjusted = true;
      this.parse(adjusted, 0, adjusted.length);
      this.#adjusted = false;
      return;
    }
    const time = this.#time(bytes);
    if (this.#transform.identity) this.#copy(bytes, start, end, time);
    // Rules go by the name's bytes: an escape spells a name with others, and a name that came twice is another one now.
    else if (this.#nested || this.#escapedName || (this.#adjusted && this.#transform.hides))
      this.#asRecord(bytes, start, end, time);
    else this.#rewrite(bytes, start, end, time);
  }

  /** The builder of the event's time, or of its arrival. */
  #builder(time: number): Builder {
    const { builders, clock, tally } = this.#target;
    if (time >= 0) return builders.at(time);
    tally.timeless++;
    return builders.at(clock.now);
  }

  #copy(bytes: Buffer, start: number, end: number, time: number): void {
    // U+FFFD has three bytes where one stood at least.
    const room = (end - start) * (this.#broken ? 3 : 1) + 1;
    if (room > MAX_EVENT_BYTES) {
      keepLine(this.#target, this.#transform, bytes, start, end, UNPARSED);
      return;
    }
    const builder = this.#builder(time);
    builder.reserve(room);
    let at = this.#span(builder.buffer, builder.length, bytes, start, end);
    this.#wholeCharacters(builder.buffer, builder.length, at);
    builder.buffer[at++] = 0x0a;
    this.#target.tally.events++;
    builder.commit(at);
  }

  /** Strict readers refuse a whole object for half a surrogate pair. */
  #wholeCharacters(out: Buffer, from: number, to: number): void {
    if (this.#surrogates) this.#target.tally.replaced += replaceLoneSurrogates(out, from, to);
  }

  /** Copies checked JSON, with invalid UTF-8 replaced. */
  #span(out: Buffer, at: number, bytes: Buffer, from: number, to: number): number {
    if (!this.#broken) {
      if (to - from > 64) return at + bytes.copy(out, at, from, to);
      for (let i = from; i < to; i++) out[at++] = bytes[i]!;
      return at;
    }
    for (let i = from; i < to; ) {
      const length = bytes[i]! < 0x80 ? 1 : sequenceLength(bytes, i, to);
      if (length > 0) {
        for (const next = i + length; i < next; i++) out[at++] = bytes[i]!;
      } else {
        out[at++] = 0xef;
        out[at++] = 0xbf;
        out[at++] = 0xbd;
        this.#target.tally.replaced++;
        i -= length;
      }
    }
    return at;
  }

  /** Writes the members one by one, those with rules by their rules. */
  #rewrite(bytes: Buffer, start: number, end: number, time: number): void {
    const { tally } = this.#target;
    const transform = this.#transform;
    const members = this.#members;
    const changed: (string | null)[] = [];
    let included = 0;
    let extra = transform.added.length + MAX_TIME_BYTES;
    for (let m = 0; m < this.#count; m++) {
      const rule = this.#ruleOf(bytes, m)?.rule ?? null;
      changed.push(null);
      if (rule === null) continue;
      extra += 256;
      if (rule.plain) continue;
      const value: unknown = JSON.parse(bytes.toString('utf8', members[4 * m + 2]!, members[4 * m + 3]!));
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      if (rule.exclude.some((pattern) => pattern.test(text))) {
        tally.excluded++;
        return;
      }
      for (const pattern of rule.include) if (pattern.test(text)) included++;
      if (rule.redact.length === 0) continue;
      const redacted = JSON.stringify(rule.redact.reduce((before, redact) => redact(before), text));
      changed[m] = redacted;
      extra += redacted.length * 3;
    }
    if (included < transform.inclusions) {
      tally.excluded++;
      return;
    }
    const room = (end - start) * (this.#broken ? 3 : 1) + extra + 8;
    const builder = this.#builder(time);
    builder.reserve(room);
    const out = builder.buffer;
    const from = builder.length;
    let at = from;
    for (let m = 0; m < this.#count; m++) {
      const keyed = this.#ruleOf(bytes, m);
      const valueFrom = members[4 * m + 2]!;
      const valueTo = members[4 * m + 3]!;
      if (keyed === null || keyed.rule === null) {
        out[at++] = COMMA;
        at = this.#span(out, at, bytes, members[4 * m]! - 1, members[4 * m + 1]! + 1);
        out[at++] = COLON;
        at = this.#span(out, at, bytes, valueFrom, valueTo);
      } else if (keyed.key.length > 0) {
        at += keyed.key.copy(out, at);
        const text = changed[m]!;
        if (text === null) at = this.#span(out, at, bytes, valueFrom, valueTo);
        else at += out.write(text, at);
      }
    }
    at += transform.added.copy(out, at);
    if (at === from) at++;
    out[from] = OPEN_BRACE;
    out[at++] = CLOSE_BRACE;
    out[at++] = 0x0a;
    if (at - from > MAX_EVENT_BYTES) {
      keepLine(this.#target, transform, bytes, start, end, UNPARSED);
      return;
    }
    this.#wholeCharacters(out, from, at - 1);
    tally.events++;
    builder.commit(at);
  }

  /** Names that lead into nested objects need the object. */
  #asRecord(bytes: Buffer, start: number, end: number, time: number): void {
    const { tally } = this.#target;
    const record = parseExact(bytes.toString('utf8', start, end)) as Record<string, unknown>;
    if (!this.#transform.apply(record)) {
      tally.excluded++;
      return;
    }
    const text = JSON.stringify(record);
    const length = Buffer.byteLength(text) + 1;
    if (length > MAX_EVENT_BYTES) {
      keepLine(this.#target, this.#transform, bytes, start, end, UNPARSED);
      return;
    }
    if (this.#broken) tally.replaced++;
    const builder = this.#builder(time);
    builder.reserve(length);
    builder.buffer.write(text, builder.length);
    builder.buffer[builder.length + length - 1] = 0x0a;
    this.#wholeCharacters(builder.buffer, builder.length, builder.length + length - 1);
    tally.events++;
    builder.commit(builder.length + length);
  }

  /** The event's time in milliseconds, NaN when it says none. */
  #time(bytes: Buffer): number {
    const { parseTime, isoFirst } = this.#options;
    const members = this.#members;
    for (let m = 0; m < this.#count; m++) {
      if (this.#ruleOf(bytes, m)?.isTime !== true) continue;
      let from = members[4 * m + 2]!;
      let to = members[4 * m + 3]!;
      if (bytes[from] === QUOTE) {
        from++;
        to--;
      }
      if (isoFirst) {
        const time = parseIso(bytes, from, to);
        if (time >= 0) return time;
      }
      return parseTime(bytes.toString('utf8', from, to), this.#target.clock.now);
    }
    return this.#timeRoot === '' ? Number.NaN : this.#nestedTime(bytes);
  }

  #nestedTime(bytes: Buffer): number {
    const members = this.#members;
    for (let m = 0; m < this.#count; m++) {
      const from = members[4 * m]!;
      if (bytes.toString('utf8', from, members[4 * m + 1]!) !== this.#timeRoot) continue;
      const value: unknown = JSON.parse(bytes.toString('utf8', members[4 * m + 2]!, members[4 * m + 3]!));
      const time = lookUp(value, this.#options.timeKey.slice(this.#timeRoot.length + 1));
      if (typeof time !== 'string' && typeof time !== 'number') continue;
      return this.#options.parseTime(String(time), this.#target.clock.now);
    }
    return Number.NaN;
  }

  /** The rule of a member, by its name's bytes. */
  #ruleOf(bytes: Buffer, member: number): KeyRule | null {
    const from = this.#members[4 * member]!;
    const length = this.#members[4 * member + 1]! - from;
    outer: for (const rule of this.#keys) {
      const { name } = rule;
      if (name.length !== length) continue;
      for (let k = 0; k < length; k++) if (bytes[from + k] !== name[k]) continue outer;
      return rule;
    }
    return null;
  }

  #note(nameFrom: number, nameTo: number, valueFrom: number, valueTo: number): void {
    if (this.#members.length < 4 * (this.#count + 1)) {
      const larger = new Int32Array(this.#members.length * 2);
      larger.set(this.#members);
      this.#members = larger;
    }
    const at = 4 * this.#count++;
    this.#members[at] = nameFrom;
    this.#members[at + 1] = nameTo;
    this.#members[at + 2] = valueFrom;
    this.#members[at + 3] = valueTo;
  }

  /** The position behind the object that begins at `i`, or INVALID. */
  #object(bytes: Buffer, i: number, end: number, depth: number, noted: boolean): number {
    if (depth > MAX_DEPTH) return INVALID;
    i = skipSpace(bytes, i + 1, end);
    if (i < end && bytes[i] === CLOSE_BRACE) return i + 1;
    const names = this.#namesAt(depth);
    const outer = this.#oddNumbers;
    for (;;) {
      if (i >= end || bytes[i] !== QUOTE) return INVALID;
      const nameFrom = i + 1;
      const escapes = this.#escapes;
      i = this.#string(bytes, i, end);
      if (i < 0) return INVALID;
      const isEscaped = this.#escapes !== escapes;
      if (noted && isEscaped) this.#escapedName = true;
      const nameTo = i - 1;
      if (isEscaped) this.#replaceNuls(bytes, nameFrom, nameTo);
      if (isEscaped || this.#broken || !names.takes(bytes, nameFrom, nameTo)) {
        const text = names.suffixOf(bytes, nameFrom, nameTo);
        if (text !== '') this.#inNames.push({ at: nameTo, to: nameTo, text: Buffer.from(text) });
      }
      i = skipSpace(bytes, i, end);
      if (i >= end || bytes[i] !== COLON) return INVALID;
      i = skipSpace(bytes, i + 1, end);
      const valueFrom = i;
      this.#oddNumbers = '';
      i = this.#value(bytes, i, end, depth);
      if (i < 0) return INVALID;
      if (this.#oddNumbers !== '') this.#odd.push(member(bytes, nameFrom, nameTo, this.#oddNumbers, i));
      this.#oddNumbers = outer;
      if (noted) this.#note(nameFrom, nameTo, valueFrom, i);
      i = skipSpace(bytes, i, end);
      if (i >= end) return INVALID;
      if (bytes[i] === CLOSE_BRACE) return i + 1;
      if (bytes[i] !== COMMA) return INVALID;
      i = skipSpace(bytes, i + 1, end);
    }
  }

  /** DataFusion refuses a file for a NUL in a name. */
  #replaceNuls(bytes: Buffer, from: number, to: number): void {
    for (const at of nulEscapes(bytes, from, to))
      this.#inNames.push({ at, to: at + REPLACEMENT.length, text: REPLACEMENT });
  }

  #namesAt(depth: number): MemberNames {
    let names = this.#names[depth];
    if (names === undefined) {
      names = new MemberNames();
      while (this.#names.length < depth) this.#names.push(new MemberNames());
      this.#names[depth] = names;
    }
    names.begin();
    return names;
  }

  #array(bytes: Buffer, i: number, end: number, depth: number): number {
    if (depth > MAX_DEPTH) return INVALID;
    i = skipSpace(bytes, i + 1, end);
    if (i < end && bytes[i] === CLOSE_BRACKET) return i + 1;
    for (;;) {
      i = this.#value(bytes, i, end, depth);
      if (i < 0) return INVALID;
      i = skipSpace(bytes, i, end);
      if (i >= end) return INVALID;
      if (bytes[i] === CLOSE_BRACKET) return i + 1;
      if (bytes[i] !== COMMA) return INVALID;
      i = skipSpace(bytes, i + 1, end);
    }
  }

  #value(bytes: Buffer, i: number, end: number, depth: number): number {
    if (i >= end) return INVALID;
    switch (bytes[i]) {
      case QUOTE:
        return this.#string(bytes, i, end);
      case OPEN_BRACE:
        return this.#object(bytes, i, end, depth + 1, false);
      case OPEN_BRACKET:
        return this.#array(bytes, i, end, depth + 1);
      case 0x74:
        return word(bytes, i, end, TRUE);
      case 0x66:
        return word(bytes, i, end, FALSE);
      case 0x6e:
        return word(bytes, i, end, NULL);
      default:
        return this.#number(bytes, i, end);
    }
  }

  /** As {@link number}; an odd one becomes null. */
  #number(bytes: Buffer, i: number, end: number): number {
    let to = number(bytes, i, end);
    const hasExponent = to < INVALID;
    if (hasExponent) to = ~to;
    if (!hasExponent && to - i < LEAST_ODD_LETTERS) return to;
    const text = bytes.toString('latin1', i, to);
    if (isOdd(text)) {
      this.#odd.push({ at: i, to, text: NULL });
      this.#oddNumbers += this.#oddNumbers === '' ? text : `, ${text}`;
    }
    return to;
  }

  /** The position behind the string whose first quote is at `i`, or INVALID. */
  #string(bytes: Buffer, i: number, end: number): number {
    const view = this.#view;
    i++;
    for (;;) {
      while (i + 4 <= end) {
        const plain = plainBytes(view.getInt32(i, true));
        i += plain;
        if (plain < 4) break;
      }
      while (i < end && PLAIN[bytes[i]!] === 1) i++;
      if (i >= end) return INVALID;
      const byte = bytes[i]!;
      if (byte === QUOTE) return i + 1;
      if (byte >= 0x80) {
        const length = sequenceLength(bytes, i, end);
        if (length < 0) this.#broken = true;
        i += Math.abs(length);
      } else if (byte === BACKSLASH) {
        const next = i + 1 < end ? bytes[i + 1]! : 0;
        if (ESCAPES[next] === 0) return INVALID;
        this.#escapes++;
        if (next === 0x75) {
          if (i + 6 > end) return INVALID;
          for (let k = 2; k < 6; k++) if (HEX_DIGIT[bytes[i + k]!] === 0) return INVALID;
          // The letter d, whatever its case, and after it 8 or more.
          if ((bytes[i + 2]! | 0x20) === 0x64 && bytes[i + 3]! >= 0x38) this.#surrogates = true;
          i += 6;
        } else {
          i += 2;
        }
      } else {
        return INVALID;
      }
    }
  }
}

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');
const ESCAPES = new Uint8Array(256);
for (const byte of Buffer.from('"\\/bfnrtu')) ESCAPES[byte] = 1;
const HEX_DIGIT = new Uint8Array(256);
for (const byte of Buffer.from('0123456789abcdefABCDEF')) HEX_DIGIT[byte] = 1;

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
}

function skipSpace(bytes: Buffer, i: number, end: number): number {
  while (i < end && isSpace(bytes[i]!)) i++;
  return i;
}

function word(bytes: Buffer, i: number, end: number, text: Buffer): number {
  if (i + text.length > end) return INVALID;
  for (let k = 0; k < text.length; k++) if (bytes[i + k] !== text[k]) return INVALID;
  return i + text.length;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** The position behind a number (RFC 8259, section 6), its complement when it has an exponent, or INVALID. */
function number(bytes: Buffer, i: number, end: number): number {
  if (bytes[i] === 0x2d) i++;
  if (i >= end || !isDigit(bytes[i])) return INVALID;
  if (bytes[i] === 0x30) i++;
  else while (i < end && isDigit(bytes[i])) i++;
  if (i < end && bytes[i] === 0x2e) {
    const first = ++i;
    while (i < end && isDigit(bytes[i])) i++;
    if (i === first) return INVALID;
  }
  if (i < end && (bytes[i] === 0x65 || bytes[i] === 0x45)) {
    i++;
    if (i < end && (bytes[i] === 0x2b || bytes[i] === 0x2d)) i++;
    const first = i;
    while (i < end && isDigit(bytes[i])) i++;
    if (i === first) return INVALID;
    return ~i;
  }
  return i;
}

/** Whether a number is beyond any double, or its whole part beyond 64 bits, which pandas refuses. */
function isOdd(text: string): boolean {
  if (!Number.isFinite(Number(text))) return true;
  const digits = /^-?\d+/.exec(text)![0];
  if (digits.length > LEAST_ODD_LETTERS) return true;
  const whole = BigInt(digits);
  return whole !== BigInt.asIntN(64, whole) && whole !== BigInt.asUintN(64, whole);
}

/** A further member of the same name, for the text of the numbers that are null in the one before. */
function member(bytes: Buffer, nameFrom: number, nameTo: number, numbers: string, at: number): Change {
  const name = bytes.subarray(nameFrom, nameTo);
  return { at, to: at, text: Buffer.concat([Buffer.from(',"'), name, Buffer.from(`":"${numbers}"`)]) };
}

interface Change {
  readonly at: number;
  readonly to: number;
  readonly text: Buffer;
}

function withChanges(bytes: Buffer, start: number, end: number, changes: readonly Change[]): Buffer {
  const parts: Buffer[] = [];
  let from = start;
  for (const { at, to, text } of changes) {
    parts.push(bytes.subarray(from, at), text);
    from = to;
  }
  return Buffer.concat([...parts, bytes.subarray(from, end)]);
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
interface ExactJson {
  parse(text: string, reviver: Reviver): unknown;
  rawJSON(text: string): unknown;
}

/** Parses JSON so that numbers beyond what a double holds come out as they went in, as strings where none comes near. */
export function parseExact(text: string): unknown {
  if (!/\d[\d.]{15}|\d[eE]/.test(text)) return JSON.parse(text);
  const exact = JSON as unknown as ExactJson;
  return exact.parse(text, (_, value, { source }) => {
    if (typeof value !== 'number' || source === undefined || String(value) === source) return value;
    return Number.isFinite(value) ? exact.rawJSON(source) : source;
  });
}
