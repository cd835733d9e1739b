/**
 * Access logs on bytes: a compiled log_format as a list of steps, each of which reads one field up to the literal
 * behind it and writes its JSON in the same pass. No object and no string per line.
 *
 * Values and keys go through four or eight bytes at a time where they can: DataView reads are compiled to plain loads,
 * and a few operations on 32 bits tell whether any of four bytes needs a closer look (the "has a byte less than n"
 * test of S. E. Anderson's Bit Twiddling Hacks).
 *
 * The time stands in the middle of a line and decides about the builder that the line goes to, so a line is written
 * on the guess that it belongs where the line before it went; at the turn of an hour it is written once more.
 */
import type { Builder } from '../builder.ts';
import {
  BLANKS_TOO,
  CLF,
  compileStep,
  follows,
  KEY_SLACK,
  type Key,
  keyOf,
  matches,
  NUMBER,
  REQUEST,
  type Step,
  TEXT,
  TIME,
  writeKey,
} from './access-log-steps.ts';
import {
  inList,
  isDigit,
  isNumber,
  isTime,
  MAX_DIGITS,
  MAX_TIME,
  readTime,
  splitRequest,
} from './access-log-values.ts';
import { CLF_BYTES, MAX_TIME_BYTES, parseClf, writeTime } from './clock.ts';
import { decodeEscapes } from './escapes.ts';
import { MAX_GROWTH, stringRoom, viewOf, writeString } from './json-bytes.ts';
import type { LogFormat } from './log-format.ts';
import { type LineParser, MAX_EVENT_BYTES, type Target, UNPARSED, writeMessage } from './parser.ts';
import type { FieldRule, Transform } from './transform.ts';

/** Answers of a scan that are no position. */
const FAILED = -1;
const MOVED = -2;
const EXCLUDED = -3;
const NEEDS_ROOM = -4;

const QUOTE = 0x22;
const COMMA = 0x2c;
const DASH = 0x2d;
const SPACE = 0x20;
const ZERO = 0x30;
/** Words that tell one second's time from another: the last one overlaps the one before it. */
const CLF_WORDS = 7;
/** Words of `2026-11-23T21:04:07Z`. */
const CLF_TEXT_WORDS = 5;
const EMPTY: Buffer = Buffer.alloc(0);

// Four times a byte, for all four bytes of a word at once.
const ONES = 0x01010101;
const HIGHS = 0x80808080;
const QUOTES = 0x22222222;
const BACKSLASHES = 0x5c5c5c5c;

export class AccessLogParser implements LineParser {
  readonly #target: Target;
  readonly #transform: Transform;
  readonly #steps: readonly Step[];
  readonly #prefix: Buffer;
  readonly #escape: LogFormat['escape'];
  readonly #timed: boolean;
  /** Bytes of an event besides its values. */
  readonly #frame: number;
  readonly #keys: Readonly<Record<'request' | 'method' | 'path' | 'protocol', Key>>;
  #builder: Builder | null = null;
  #placed = false;
  /** Where the field that was read last ended. */
  #next = 0;
  #included = 0;
  /** Bytes that the line may need at most besides a lengthened value, and that were found missing for one. */
  #rest = 0;
  #missing = 0;
  #scratch = Buffer.alloc(4096);

  // The second in which the last line was logged, as it stood there and as it is written.
  readonly #clf = new Int32Array(CLF_WORDS);
  readonly #clfText = new Int32Array(CLF_TEXT_WORDS);
  #clfTime = Number.NaN;

  // Views of the two buffers at work, made anew when they are others.
  #bytes: Buffer = EMPTY;
  #bytesView = new DataView(EMPTY.buffer);
  #out: Buffer = EMPTY;
  #outView = new DataView(EMPTY.buffer);

  constructor(format: LogFormat, target: Target, transform: Transform) {
    this.#target = target;
    this.#transform = transform;
    this.#prefix = Buffer.from(format.prefix);
    this.#escape = format.escape;
    this.#steps = format.fields.map((field) => compileStep(field, transform));
    this.#timed = this.#steps.some((step) => step.op === CLF || isTime(step.kind));
    const key = (name: string) => keyOf(transform.rule(name));
    this.#keys = {
      request: key('request'),
      method: key('method'),
      path: key('path'),
      protocol: key('protocol'),
    };
    this.#frame =
      this.#steps.reduce((sum, step) => sum + step.key.length + 1, 0) +
      Object.values(this.#keys).reduce((sum, name) => sum + name.length + 1, 0) +
      transform.added.length +
      MAX_TIME_BYTES +
      2 * KEY_SLACK;
  }

  parse(bytes: Buffer, start: number, end: number): void {
    const target = this.#target;
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#bytesView = viewOf(bytes);
    }
    let room =
      (end - start <= 8192 ? (end - start) * MAX_GROWTH : stringRoom(bytes, start, end)) + this.#frame;
    this.#rest = room;
    this.#placed = false;
    // The guess may be a builder that was let go since: it has no buffer then, and the line's time leads elsewhere.
    let builder = this.#builder;
    if (builder === null || !this.#timed) builder = this.#place(target.clock.now, !this.#timed);
    let at: number;
    for (;;) {
      builder.reserve(room);
      const from = builder.length;
      if (builder.buffer !== this.#out) {
        this.#out = builder.buffer;
        this.#outView = viewOf(builder.buffer);
      }
      at = this.#scan(builder.buffer, from, bytes, start, end);
      if (at === MOVED) {
        builder = this.#builder!;
      } else if (at === NEEDS_ROOM) {
        room += this.#missing;
      } else {
        if (at - from > MAX_EVENT_BYTES) at = FAILED;
        break;
      }
    }
    if (at >= 0) {
      target.tally.events++;
      builder.commit(at);
    } else if (at === EXCLUDED) {
      target.tally.excluded++;
    } else {
      writeMessage(target, bytes, start, end, UNPARSED, this.#transform.added);
    }
  }

  #place(time: number, placed: boolean): Builder {
    const builder = this.#target.builders.at(time);
    this.#builder = builder;
    this.#placed = placed;
    return builder;
  }

  /** Tells the builders the time of the line; true when the line has to be written to another builder. */
  #moves(time: number): boolean {
    if (this.#placed) return false;
    const before = this.#builder;
    return this.#place(time, true) !== before;
  }

  /** Writes the event at `out[from]`, and returns the position behind it or one of the answers above. */
  #scan(out: Buffer, from: number, bytes: Buffer, start: number, end: number): number {
    const steps = this.#steps;
    const prefix = this.#prefix;
    const view = this.#bytesView;
    const outView = this.#outView;
    let i = start;
    for (let k = 0; k < prefix.length; k++, i++) if (bytes[i] !== prefix[k]) return FAILED;
    if (i > end) return FAILED;
    this.#included = 0;
    let at = from;
    for (let s = 0; s < steps.length; s++) {
      const step = steps[s]!;
      const literal = step.literal;
      switch (step.op) {
        case TEXT: {
          const { length } = step.key;
          const stops = step.stops;
          const before = at;
          at = writeKey(outView, at, step.key);
          const value = i;
          const low = step.low;
          if (low !== 0) {
            for (; i + 8 <= end; i += 8, at += 8) {
              const a = view.getInt32(i, true);
              const b = view.getInt32(i + 4, true);
              const odd =
                a |
                b |
                (a - low) |
                (b - low) |
                ((a ^ QUOTES) - ONES) |
                ((b ^ QUOTES) - ONES) |
                ((a ^ BACKSLASHES) - ONES) |
                ((b ^ BACKSLASHES) - ONES);
              if ((odd & HIGHS) !== 0) break;
              outView.setInt32(at, a, true);
              outView.setInt32(at + 4, b, true);
            }
            while (i + 4 <= end) {
              const a = view.getInt32(i, true);
              const odd = (a | (a - low) | ((a ^ QUOTES) - ONES) | ((a ^ BACKSLASHES) - ONES)) & HIGHS;
              outView.setInt32(at, a, true);
              if (odd !== 0) {
                // The lowest bit is exact: borrows go upwards only.
                const bytesBefore = (31 - Math.clz32(odd & -odd)) >> 3;
                i += bytesBefore;
                at += bytesBefore;
                break;
              }
              i += 4;
              at += 4;
            }
          }
          while (i < end && stops[bytes[i]!] === 0) out[at++] = bytes[i++]!;
          if (i < end ? !(literal.length > 0 && follows(view, bytes, i, end, step)) : literal.length > 0) {
            // An escape, a quote, a byte above 0x7f, or the literal's first byte without the rest of it.
            at = this.#text(step, out, before, bytes, value, end);
            if (at < 0) return at;
            i = this.#next;
          } else if (length === 0 || (i === value + 1 && bytes[value] === DASH)) {
            at = before;
          } else {
            out[at++] = QUOTE;
          }
          break;
        }
        case NUMBER: {
          const { length } = step.key;
          const before = at;
          // Without the quote.
          if (length > 0) at = writeKey(outView, at, step.key) - 1;
          const value = i;
          for (; i < end; i++) {
            const byte = bytes[i]!;
            if (byte < ZERO || byte > 0x39) break;
            out[at++] = byte;
          }
          const digits = i - value;
          if (
            digits === 0 ||
            digits > MAX_DIGITS ||
            (digits > 1 && bytes[value] === ZERO) ||
            length === 0 ||
            step.list ||
            (literal.length === 0 ? i < end : !follows(view, bytes, i, end, step))
          ) {
            at = this.#number(step, out, before, bytes, value, end);
            if (at < 0) return at;
            i = this.#next;
          }
          break;
        }
        case CLF: {
          if (i + CLF_BYTES > end) return FAILED;
          const cached = this.#clf;
          let same = view.getInt32(i + CLF_BYTES - 4, true) ^ cached[CLF_WORDS - 1]!;
          for (let k = 0; k < CLF_WORDS - 1; k++) same |= view.getInt32(i + 4 * k, true) ^ cached[k]!;
          if (same !== 0 && !this.#readClf(bytes, i)) return FAILED;
          if (this.#moves(this.#clfTime)) return MOVED;
          i += CLF_BYTES;
          if (step.key.length > 0) {
            at = this.#key(step.key, at);
            const text = this.#clfText;
            for (let k = 0; k < CLF_TEXT_WORDS; k++) outView.setInt32(at + 4 * k, text[k]!, true);
            at += 4 * CLF_TEXT_WORDS;
            out[at++] = QUOTE;
          }
          if (literal.length === 0 ? i < end : !follows(view, bytes, i, end, step)) return FAILED;
          break;
        }
        case REQUEST:
          at = this.#request(step, out, at, bytes, i, end);
          if (at < 0) return at;
          i = this.#next;
          break;
        case TIME:
          at = this.#time(step, out, at, bytes, i, end);
          if (at < 0) return at;
          i = this.#next;
          break;
        default:
          at = this.#ruled(step, out, at, bytes, i, end);
          if (at < 0) return at;
          i = this.#next;
      }
      i += literal.length;
    }
    if (i !== end) return FAILED;
    if (this.#included < this.#transform.inclusions) return EXCLUDED;
    const added = this.#transform.added;
    for (let k = 0; k < added.length; k++) out[at++] = added[k]!;
    if (at === from) out[at++] = COMMA;
    // Every member begins with a comma; the first one's becomes the brace.
    out[from] = 0x7b;
    out[at++] = 0x7d;
    out[at++] = 0x0a;
    return at;
  }

  /** Where the value that begins at `i` ends: before the step's literal, or -1 when that does not follow. */
  #valueEnd(step: Step, bytes: Buffer, i: number, end: number): number {
    const literal = step.literal;
    if (literal.length === 0) return end;
    const escaped = this.#escape === 'apache' || this.#escape === 'json';
    const first = literal[0]!;
    for (const last = end - literal.length; i <= last; i++) {
      const byte = bytes[i]!;
      if (byte === first && matches(bytes, i, end, literal)) {
        if (!(step.list && first === SPACE && inList(bytes, i))) return i;
      } else if (escaped && byte === 0x5c) {
        i++;
      }
    }
    return -1;
  }

  /** A text value off the fast path, from its key on. */
  #text(step: Step, out: Buffer, at: number, bytes: Buffer, i: number, end: number): number {
    const to = this.#valueEnd(step, bytes, i, end);
    if (to < 0) return FAILED;
    this.#next = to;
    return this.#member(step.key, out, at, bytes, i, to);
  }

  /** Writes a member with a string value, unless it is "-" or has no name; returns the position behind it. */
  #member(key: Key, out: Buffer, at: number, bytes: Buffer, from: number, to: number): number {
    if (key.length === 0 || (to - from === 1 && bytes[from] === DASH)) return at;
    at = this.#key(key, at);
    if (this.#escape === 'none' || !hasBackslash(bytes, from, to)) {
      at = writeString(out, at, bytes, from, to, this.#target.tally);
    } else {
      const scratch = this.#room(to - from);
      const length = decodeEscapes(scratch, bytes, from, to, this.#escape);
      at = writeString(out, at, scratch, 0, length, this.#target.tally);
    }
    out[at++] = QUOTE;
    return at;
  }

  #room(bytes: number): Buffer {
    if (this.#scratch.length < bytes) this.#scratch = Buffer.alloc(bytes * 2);
    return this.#scratch;
  }

  /** A number that is more than a few digits, or no number at all: then it stays a string. */
  #number(step: Step, out: Buffer, at: number, bytes: Buffer, i: number, end: number): number {
    const to = this.#valueEnd(step, bytes, i, end);
    if (to < 0) return FAILED;
    this.#next = to;
    if (!isNumber(bytes, i, to)) return this.#member(step.key, out, at, bytes, i, to);
    if (step.key.length === 0) return at;
    at = this.#key(step.key, at) - 1;
    for (let k = i; k < to; k++) out[at++] = bytes[k]!;
    return at;
  }

  /** `GET /path HTTP/1.1`: three members; anything else is kept as one. */
  #request(step: Step, out: Buffer, at: number, bytes: Buffer, i: number, end: number): number {
    const { method, path } = this.#keys;
    const literal = step.literal;
    const stops = step.stops;
    const before = at;
    const value = i;
    at = this.#key(method, at);
    for (; i < end; i++) {
      const byte = bytes[i]!;
      if (byte < 0x41 || byte > 0x5a) break;
      out[at++] = byte;
    }
    if (i === value || i === end || bytes[i] !== SPACE)
      return this.#wholeRequest(step, out, before, bytes, value, end);
    if (method.length === 0) at = before;
    else out[at++] = QUOTE;
    i++;
    const afterMethod = at;
    at = this.#key(path, at);
    const pathFrom = i;
    const view = this.#bytesView;
    const outView = this.#outView;
    while (i + 4 <= end) {
      const a = view.getInt32(i, true);
      const odd = (a | (a - BLANKS_TOO) | ((a ^ QUOTES) - ONES) | ((a ^ BACKSLASHES) - ONES)) & HIGHS;
      outView.setInt32(at, a, true);
      if (odd !== 0) {
        const bytesBefore = (31 - Math.clz32(odd & -odd)) >> 3;
        i += bytesBefore;
        at += bytesBefore;
        break;
      }
      i += 4;
      at += 4;
    }
    for (; i < end; i++) {
      const byte = bytes[i]!;
      if (stops[byte] !== 0 || byte === SPACE) break;
      out[at++] = byte;
    }
    // The common end: ` HTTP/1.1` and the literal.
    if (
      i > pathFrom &&
      i + 9 <= end &&
      bytes[i] === SPACE &&
      bytes[i + 1] === 0x48 &&
      bytes[i + 2] === 0x54 &&
      bytes[i + 3] === 0x54 &&
      bytes[i + 4] === 0x50 &&
      bytes[i + 5] === 0x2f &&
      bytes[i + 7] === 0x2e &&
      isDigit(bytes[i + 6]!) &&
      isDigit(bytes[i + 8]!) &&
      (literal.length === 0 ? i + 9 === end : follows(view, bytes, i + 9, end, step))
    ) {
      if (path.length === 0 || (i === pathFrom + 1 && bytes[pathFrom] === DASH)) at = afterMethod;
      else out[at++] = QUOTE;
      const protocol = this.#keys.protocol;
      if (protocol.length > 0) {
        at = this.#key(protocol, at);
        outView.setInt32(at, view.getInt32(i + 1, true), true);
        outView.setInt32(at + 4, view.getInt32(i + 5, true), true);
        at += 8;
        out[at++] = QUOTE;
      }
      this.#next = i + 9;
      return at;
    }
    return this.#wholeRequest(step, out, before, bytes, value, end);
  }

  /** A request off the fast path: escapes, spaces in the path, no protocol, no request at all. */
  #wholeRequest(step: Step, out: Buffer, at: number, bytes: Buffer, i: number, end: number): number {
    const to = this.#valueEnd(step, bytes, i, end);
    if (to < 0) return FAILED;
    this.#next = to;
    const { request, method, path, protocol } = this.#keys;
    const parts = splitRequest(bytes, i, to);
    if (parts < 0) return this.#member(request, out, at, bytes, i, to);
    const space = bytes.indexOf(SPACE, i);
    at = this.#member(method, out, at, bytes, i, space);
    at = this.#member(path, out, at, bytes, space + 1, parts);
    return parts === to ? at : this.#member(protocol, out, at, bytes, parts + 1, to);
  }

  #readClf(bytes: Buffer, at: number): boolean {
    const time = parseClf(bytes, at);
    if (!(time >= 0)) return false;
    this.#clfTime = time;
    writeTime(this.#scratch, 0, time);
    for (let k = 0; k < CLF_TEXT_WORDS; k++) this.#clfText[k] = this.#scratch.readInt32LE(4 * k);
    for (let k = 0; k < CLF_WORDS - 1; k++) this.#clf[k] = bytes.readInt32LE(at + 4 * k);
    this.#clf[CLF_WORDS - 1] = bytes.readInt32LE(at + CLF_BYTES - 4);
    return true;
  }

  #key(key: Key, at: number): number {
    return writeKey(this.#outView, at, key);
  }

  #time(step: Step, out: Buffer, at: number, bytes: Buffer, i: number, end: number): number {
    const to = this.#valueEnd(step, bytes, i, end);
    if (to < 0) return FAILED;
    this.#next = to;
    const time = readTime(step.kind, bytes, i, to);
    if (!(time >= 0 && time < MAX_TIME)) return FAILED;
    if (this.#moves(time)) return MOVED;
    if (step.key.length === 0) return at;
    at = this.#key(step.key, at);
    at = writeTime(out, at, time);
    out[at++] = QUOTE;
    return at;
  }

  /** A field that transforms look into, as a string. */
  #ruled(step: Step, out: Buffer, at: number, bytes: Buffer, i: number, end: number): number {
    const to = this.#valueEnd(step, bytes, i, end);
    if (to < 0) return FAILED;
    if (isTime(step.kind)) {
      const time = readTime(step.kind, bytes, i, to);
      if (!(time >= 0 && time < MAX_TIME)) return FAILED;
      if (this.#moves(time)) return MOVED;
      this.#next = to;
      const length = writeTime(this.#scratch, 0, time);
      return this.#ruledValue(step.rule, out, at, this.#scratch.toString('latin1', 0, length), false);
    }
    this.#next = to;
    if (step.kind !== 'request') {
      const number = step.kind === 'number' && isNumber(bytes, i, to);
      return this.#ruledSpan(step.rule, out, at, bytes, i, to, number);
    }
    const rule = (name: string) => this.#transform.rule(name);
    const parts = splitRequest(bytes, i, to);
    if (parts < 0) return this.#ruledSpan(rule('request'), out, at, bytes, i, to, false);
    const space = bytes.indexOf(SPACE, i);
    at = this.#ruledSpan(rule('method'), out, at, bytes, i, space, false);
    if (at >= 0) at = this.#ruledSpan(rule('path'), out, at, bytes, space + 1, parts, false);
    if (at >= 0 && parts < to) at = this.#ruledSpan(rule('protocol'), out, at, bytes, parts + 1, to, false);
    return at;
  }

  #ruledSpan(
    rule: FieldRule,
    out: Buffer,
    at: number,
    bytes: Buffer,
    from: number,
    to: number,
    number: boolean,
  ): number {
    if (to - from === 1 && bytes[from] === DASH) return at;
    if (rule.plain && !number) return this.#member(keyOf(rule), out, at, bytes, from, to);
    const scratch = this.#room(to - from);
    const length = decodeEscapes(scratch, bytes, from, to, this.#escape);
    return this.#ruledValue(rule, out, at, scratch.toString('utf8', 0, length), number);
  }

  #ruledValue(rule: FieldRule, out: Buffer, at: number, value: string, number: boolean): number {
    for (const pattern of rule.exclude) if (pattern.test(value)) return EXCLUDED;
    for (const pattern of rule.include) {
      if (!pattern.test(value)) return EXCLUDED;
      this.#included++;
    }
    if (rule.name === null) return at;
    let redacted = value;
    for (const redact of rule.redact) redacted = redact(redacted);
    const text = number && rule.redact.length === 0 ? value : JSON.stringify(redacted);
    const key = keyOf(rule);
    at = this.#key(key, at) - 1;
    // A redaction may lengthen a value beyond the room that was made for the line.
    if (text.length > value.length) {
      const need = at + text.length * 3 + this.#rest;
      if (need > out.length) {
        this.#missing = need - out.length;
        return NEEDS_ROOM;
      }
    }
    return at + out.write(text, at);
  }
}

function hasBackslash(bytes: Buffer, from: number, to: number): boolean {
  // Not indexOf: it would go on to the end of the buffer.
  for (let i = from; i < to; i++) if (bytes[i] === 0x5c) return true;
  return false;
}
