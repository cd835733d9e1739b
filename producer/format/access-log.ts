/**
 * Access logs on bytes: a compiled log_format reads one field after the other up to the literal behind it and writes
 * its JSON in the same pass. No object and no string per line. What is not plain is read here; the rest is code that is
 * made for the format (access-log-code.ts).
 *
 * The time is in the middle of a line and decides which builder the line goes to, so a line is written
 * on the guess that it belongs where the line before it went; at the turn of an hour it is written once more.
 */
import type { Builder } from '../builder.ts';
import {
  CLF_TEXT_WORDS,
  CLF_WORDS,
  compileScan,
  EXCLUDED,
  FAILED,
  MOVED,
  NEEDS_ROOM,
  type Scan,
  type ScanParser,
  WORD_SLACK,
} from './access-log-code.ts';
import { AccessLogRecords } from './access-log-record.ts';
import { CLF, compileSteps, type Key, keyOf, matches, type Step, writeKey } from './access-log-steps.ts';
import {
  addressEnd,
  inList,
  isNumber,
  isTime,
  MAX_TIME,
  readTime,
  requestParts,
  splitRequest,
} from './access-log-values.ts';
import { CLF_BYTES, MAX_TIME_BYTES, parseClf, writeTime } from './clock.ts';
import { decodeEscapes } from './escapes.ts';
import type { Attempt } from './first-fitting.ts';
import { MAX_GROWTH, stringRoom, viewOf, writeString } from './json-bytes.ts';
import { keepLine } from './kept.ts';
import type { LogFormat } from './log-format.ts';
import { type LineParser, MAX_EVENT_BYTES, type Target, UNPARSED } from './parser.ts';
import type { FieldRule, Transform } from './transform.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const DASH = 0x2d;
const COLON = 0x3a;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** Bytes of the longest line that is not searched for its end beforehand. */
const OPEN_LINE = 4096;
/** Bytes that a time as text has at most. */
const MAX_TIME_TEXT = 100;
const EMPTY: Buffer = Buffer.alloc(0);

export class AccessLogParser implements Attempt, LineParser, ScanParser {
  readonly #target: Target;
  readonly #transform: Transform;
  readonly #steps: readonly Step[];
  readonly #scan: Scan;
  /** For lines whose end is not known; null where a line break may be part of one. */
  readonly #openScan: Scan | null;
  readonly #escape: LogFormat['escape'];
  readonly #timed: boolean;
  /** Bytes of an event besides its values. */
  readonly #frame: number;
  readonly #keys: Readonly<Record<'request' | 'method' | 'path' | 'protocol', Key>>;
  readonly #requestRule: FieldRule;
  /** For lines that a client has made hard to tell apart. */
  readonly #records: AccessLogRecords;
  #builder: Builder | null = null;
  #placed = false;
  next = 0;
  #included = 0;
  /** Bytes that the line may need at most besides a lengthened value, and that were found missing for one. */
  #rest = 0;
  #missing = 0;
  #scratch = Buffer.alloc(4096);
  #line = Buffer.alloc(4096);

  readonly clf = new Int32Array(CLF_WORDS);
  readonly clfText = new Int32Array(CLF_TEXT_WORDS);
  #clfTime = Number.NaN;

  // Views of the two buffers in use, replaced when the buffers are.
  #bytes: Buffer = EMPTY;
  #bytesView = new DataView(EMPTY.buffer);
  #out: Buffer = EMPTY;
  #outView = new DataView(EMPTY.buffer);

  constructor(format: LogFormat, target: Target, transform: Transform, timezone?: string) {
    this.#target = target;
    this.#transform = transform;
    this.#escape = format.escape;
    this.#steps = compileSteps(format, transform, timezone);
    this.#requestRule = transform.requestRule();
    this.#records = new AccessLogRecords(format, target, transform, timezone);
    this.#timed = this.#steps.some((step) => step.op === CLF || isTime(step.kind));
    const key = (name: string) => keyOf(transform.rule(name));
    this.#keys = {
      request: key('request'),
      method: key('method'),
      path: key('path'),
      protocol: key('protocol'),
    };
    const prefix = Buffer.from(format.prefix);
    this.#scan = compileScan(prefix, this.#steps, this.#keys);
    const broken = [prefix, ...this.#steps.map(({ literal }) => literal)].some(
      (literal) => literal.includes(NEWLINE) || literal.includes(RETURN),
    );
    this.#openScan = broken ? null : compileScan(prefix, this.#steps, this.#keys, true);
    this.#frame =
      this.#steps.reduce((sum, step) => sum + step.key.length + 1, 0) +
      Object.values(this.#keys).reduce((sum, name) => sum + name.length + 1, 0) +
      transform.added.length +
      MAX_TIME_BYTES +
      2 * WORD_SLACK;
  }

  parse(bytes: Buffer, start: number, end: number): void {
    if (this.attempt(bytes, start, end) || this.#records.attempt(bytes, start, end)) return;
    keepLine(this.#target, this.#transform, bytes, start, end, UNPARSED);
  }

  /** Takes a line whose fields no client has shifted; false, and nothing written, for any other. */
  attempt(bytes: Buffer, start: number, end: number): boolean {
    if (end + WORD_SLACK > bytes.length) {
      const copied = this.#copied(bytes, start, end);
      bytes = copied;
      end -= start;
      start = 0;
    }
    this.#use(bytes);
    const room = end - start <= 8192 ? (end - start) * MAX_GROWTH : stringRoom(bytes, start, end);
    return this.#write(this.#scan, start, end, room + this.#frame);
  }

  /** As {@link LineParser.lines}. */
  lines(bytes: Buffer, start: number, end: number, maxLine: number): number {
    const scan = this.#openScan;
    if (scan === null) return start;
    const last = Math.min(end, bytes.length - WORD_SLACK);
    const longest = Math.min(maxLine + 1, OPEN_LINE);
    const room = longest * MAX_GROWTH + this.#frame;
    this.#use(bytes);
    let at = start;
    while (at < last && this.#write(scan, at, Math.min(last, at + longest), room))
      at = this.next + (bytes[this.next] === RETURN ? 2 : 1);
    return at;
  }

  #use(bytes: Buffer): void {
    if (bytes === this.#bytes) return;
    this.#bytes = bytes;
    this.#bytesView = viewOf(bytes);
  }

  #write(scan: Scan, start: number, end: number, room: number): boolean {
    const { tally, clock } = this.#target;
    const { replaced } = tally;
    this.#rest = room;
    this.#placed = false;
    // The guess may be a builder that was let go since: it has no buffer then, and the line's time leads elsewhere.
    let builder = this.#builder;
    if (builder === null || !this.#timed) builder = this.#place(clock.now, !this.#timed);
    let at: number;
    for (;;) {
      builder.reserve(room);
      const from = builder.length;
      if (builder.buffer !== this.#out) {
        this.#out = builder.buffer;
        this.#outView = viewOf(builder.buffer);
      }
      this.#included = 0;
      at = scan(this, this.#bytesView, this.#outView, start, end, from);
      if (at === MOVED) {
        tally.replaced = replaced;
        builder = this.#builder!;
      } else if (at === NEEDS_ROOM) {
        tally.replaced = replaced;
        room += this.#missing;
      } else {
        if (at >= 0) at = this.#finish(builder.buffer, from, at);
        if (at - from > MAX_EVENT_BYTES) at = FAILED;
        break;
      }
    }
    if (at >= 0) {
      tally.events++;
      builder.commit(at);
      return true;
    }
    // Nothing was written after all.
    tally.replaced = replaced;
    if (at === EXCLUDED) tally.excluded++;
    return at === EXCLUDED;
  }

  /** Takes a line whose fields a client may have shifted. */
  recover(bytes: Buffer, start: number, end: number): boolean {
    return this.#records.attempt(bytes, start, end);
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

  /** Adds the members of every event, and makes one of the members in `out[from, at)`. */
  #finish(out: Buffer, from: number, at: number): number {
    const { inclusions, added } = this.#transform;
    if (this.#included < inclusions) return EXCLUDED;
    for (let k = 0; k < added.length; k++) out[at++] = added[k]!;
    if (at === from) out[at++] = COMMA;
    // Every member begins with a comma; the first one's becomes the brace.
    out[from] = 0x7b;
    out[at++] = 0x7d;
    out[at++] = 0x0a;
    return at;
  }

  /** A line at the end of its buffer, with room behind it. */
  #copied(bytes: Buffer, start: number, end: number): Buffer {
    if (this.#line.length < end - start + WORD_SLACK)
      this.#line = Buffer.alloc((end - start) * 2 + WORD_SLACK);
    bytes.copy(this.#line, 0, start, end);
    return this.#line;
  }

  /** Where the value that begins at `i` ends: before the step's literal, or -1 when that does not follow. */
  #valueEnd(step: Step, bytes: Buffer, i: number, end: number): number {
    const literal = step.literal;
    if (literal.length === 0) return end;
    if (step.address && literal[0] === COLON) {
      const colon = addressEnd(bytes, i, end);
      return matches(bytes, colon, end, literal) ? colon : -1;
    }
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

  /** Whether something is in a value that does not belong to it: it may be another field's, shifted by a client. */
  #doubtful(step: Step, from: number, to: number): boolean {
    if (step.spaceless) for (let i = from; i < to; i++) if (this.#bytes[i] === SPACE) return true;
    return step.doubts.some((literal) => {
      for (let i = from; i < to; i++) if (matches(this.#bytes, i, to, literal)) return true;
      return false;
    });
  }

  text(n: number, at: number, i: number, end: number): number {
    const step = this.#steps[n]!;
    const to = this.#valueEnd(step, this.#bytes, i, end);
    if (to < 0 || this.#doubtful(step, i, to)) return FAILED;
    this.next = to;
    if (step.emptyQuotes && isEmptyQuotes(this.#bytes, i, to)) i = to;
    return this.#member(step.key, this.#out, at, this.#bytes, i, to);
  }

  /** Writes a member with a string value, unless it is "-" or has no name; returns the position behind it. */
  #member(key: Key, out: Buffer, at: number, bytes: Buffer, from: number, to: number): number {
    if (key.length === 0 || (to - from === 1 && bytes[from] === DASH)) return at;
    at = writeKey(out, at, key);
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
  number(n: number, at: number, i: number, end: number): number {
    const step = this.#steps[n]!;
    const bytes = this.#bytes;
    const out = this.#out;
    const to = this.#valueEnd(step, bytes, i, end);
    if (to < 0 || this.#doubtful(step, i, to)) return FAILED;
    this.next = to;
    if (!isNumber(bytes, i, to)) return this.#member(step.key, out, at, bytes, i, to);
    if (step.key.length === 0) return at;
    at = writeKey(out, at, step.key) - 1;
    for (let k = i; k < to; k++) out[at++] = bytes[k]!;
    return at;
  }

  /** A request off the fast path: escapes, spaces in the path, no protocol, no request at all. */
  request(n: number, at: number, i: number, end: number): number {
    const bytes = this.#bytes;
    const out = this.#out;
    const step = this.#steps[n]!;
    const to = this.#valueEnd(step, bytes, i, end);
    if (to < 0 || this.#doubtful(step, i, to)) return FAILED;
    this.next = to;
    const { request, method, path, protocol } = this.#keys;
    if (!splitRequest(bytes, i, to)) return this.#member(request, out, at, bytes, i, to);
    const { methodEnd, pathFrom, pathTo, protocolFrom } = requestParts;
    at = this.#member(method, out, at, bytes, i, methodEnd);
    if (pathTo > pathFrom) at = this.#member(path, out, at, bytes, pathFrom, pathTo);
    return protocolFrom === to ? at : this.#member(protocol, out, at, bytes, protocolFrom, to);
  }

  lineEnd(i: number, end: number): number {
    const bytes = this.#bytes;
    const newline = bytes.indexOf(NEWLINE, i);
    if (newline < 0 || newline >= end) return -1;
    return newline > i && bytes[newline - 1] === RETURN ? newline - 1 : newline;
  }

  readClf(at: number): boolean {
    const bytes = this.#bytes;
    const time = parseClf(bytes, at);
    if (!(time >= 0)) return false;
    this.#clfTime = time;
    writeTime(this.#scratch, 0, time);
    for (let k = 0; k < CLF_TEXT_WORDS; k++) this.clfText[k] = this.#scratch.readInt32LE(4 * k);
    for (let k = 0; k < CLF_WORDS - 1; k++) this.clf[k] = bytes.readInt32LE(at + 4 * k);
    this.clf[CLF_WORDS - 1] = bytes.readInt32LE(at + CLF_BYTES - 4);
    return true;
  }

  movesByClf(): boolean {
    return this.#moves(this.#clfTime);
  }

  /** Reads a time and sets where it ends; NaN when there is none. */
  #time(step: Step, i: number, end: number): number {
    const bytes = this.#bytes;
    if (step.time !== null) {
      const text = bytes.toString('latin1', i, Math.min(end, i + MAX_TIME_TEXT));
      const found = step.time(text, this.#target.clock.now);
      if (found === null || !matches(bytes, i + found.length, end, step.literal)) return Number.NaN;
      this.next = i + found.length;
      return found.time;
    }
    const to = this.#valueEnd(step, bytes, i, end);
    if (to < 0) return Number.NaN;
    this.next = to;
    return readTime(step.kind, bytes, i, to);
  }

  time(n: number, at: number, i: number, end: number): number {
    const step = this.#steps[n]!;
    const time = this.#time(step, i, end);
    if (!(time >= 0 && time < MAX_TIME)) return FAILED;
    if (this.#moves(time)) return MOVED;
    if (step.key.length === 0) return at;
    at = writeKey(this.#out, at, step.key);
    at = writeTime(this.#out, at, time);
    this.#out[at++] = QUOTE;
    return at;
  }

  /** A field that transforms look into, as a string. */
  ruled(n: number, at: number, i: number, end: number): number {
    const step = this.#steps[n]!;
    const bytes = this.#bytes;
    const out = this.#out;
    if (isTime(step.kind)) {
      const time = this.#time(step, i, end);
      if (!(time >= 0 && time < MAX_TIME)) return FAILED;
      if (this.#moves(time)) return MOVED;
      const length = writeTime(this.#scratch, 0, time);
      return this.#ruledValue(step.rule, out, at, this.#scratch.toString('latin1', 0, length), false);
    }
    const to = this.#valueEnd(step, bytes, i, end);
    if (to < 0 || this.#doubtful(step, i, to)) return FAILED;
    this.next = to;
    if (step.emptyQuotes && isEmptyQuotes(bytes, i, to)) i = to;
    if (step.kind !== 'request') {
      const number = step.kind === 'number' && isNumber(bytes, i, to);
      return this.#ruledSpan(step.rule, out, at, bytes, i, to, number);
    }
    const rule = (name: string) => this.#transform.rule(name);
    if (!splitRequest(bytes, i, to)) return this.#ruledSpan(this.#requestRule, out, at, bytes, i, to, false);
    const { methodEnd, pathFrom, pathTo, protocolFrom } = requestParts;
    at = this.#ruledSpan(rule('method'), out, at, bytes, i, methodEnd, false);
    if (at >= 0 && pathTo > pathFrom)
      at = this.#ruledSpan(rule('path'), out, at, bytes, pathFrom, pathTo, false);
    if (at >= 0 && protocolFrom < to)
      at = this.#ruledSpan(rule('protocol'), out, at, bytes, protocolFrom, to, false);
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
    at = writeKey(out, at, key) - 1;
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

/** The `""` that Apache writes for a user whose name is empty. */
function isEmptyQuotes(bytes: Buffer, from: number, to: number): boolean {
  return to - from === 2 && bytes[from] === QUOTE && bytes[from + 1] === QUOTE;
}

function hasBackslash(bytes: Buffer, from: number, to: number): boolean {
  // Not indexOf: it would go on to the end of the buffer.
  for (let i = from; i < to; i++) if (bytes[i] === 0x5c) return true;
  return false;
}
