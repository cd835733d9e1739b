/**
 * Access logs as objects: lines that a client has made hard to tell apart, and formats whose options the scan on bytes
 * does not know. Where the borders of fields may be moved, what hides one of them hides that in all of them.
 */
import { namesOf } from './access-log-steps.ts';
import { isNumber, isTime, MAX_TIME, readTime, requestParts, splitRequest } from './access-log-values.ts';
import { CLF_BYTES, timeText } from './clock.ts';
import { compileDivision, type Division, type Span } from './divide.ts';
import { decodeEscapes } from './escapes.ts';
import type { Attempt } from './first-fitting.ts';
import type { LogField, LogFormat } from './log-format.ts';
import type { Target } from './parser.ts';
import { type ParsedRecord, writeRecord } from './record.ts';
import { compileTimePrefix, type TimePrefix } from './time-format.ts';
import type { Transform } from './transform.ts';

const MASK = '***';
/** Characters that a time has at most. */
const MAX_TIME_TEXT = 100;

type Fields = Record<string, unknown>;

/** What is done to the fields of a line before transforms see them; gives the event's time. */
export type FinishRecord = (record: Fields, time: number | null, now: number) => number | null;

export class AccessLogRecords implements Attempt {
  readonly #target: Target;
  readonly #transform: Transform;
  readonly #format: LogFormat;
  readonly #finish: FinishRecord;
  readonly #divide: (line: string) => Division | null;
  readonly #times = new Map<LogField, TimePrefix>();
  /** The event's time, as the division found it. */
  #time: number | null = null;

  constructor(
    format: LogFormat,
    target: Target,
    transform: Transform,
    timezone: string | undefined,
    finish: FinishRecord = (_, time) => time,
  ) {
    this.#target = target;
    this.#transform = transform;
    this.#format = format;
    this.#finish = finish;
    for (const field of format.fields) {
      if (field.kind === 'strftime') this.#times.set(field, compileTimePrefix(field.timeFormat!, timezone));
    }
    this.#divide = compileDivision(format, (field, line, at) => this.#timeLength(field, line, at));
  }

  /** Takes a line; false, and nothing written, when it is not of the format. */
  attempt(bytes: Buffer, start: number, end: number): boolean {
    this.#time = null;
    const line = bytes.toString('latin1', start, end);
    const division = this.#divide(line);
    if (division === null) return false;
    const record: Fields = {};
    for (const span of division.spans) this.#set(record, span.field, line.slice(span.from, span.to));
    const time = this.#finish(record, this.#time, this.#target.clock.now);
    if (!this.#transform.selects(record)) {
      this.#target.tally.excluded++;
      return true;
    }
    for (const [from, to] of division.doubtful) this.#hide(record, division.spans.slice(from, to), line);
    if (typeof record.request === 'string') {
      record.request = this.#transform
        .requestRule()
        .redact.reduce((text, redact) => redact(text), record.request);
    }
    this.#transform.change(record);
    return writeRecord(this.#target, record, time, bytes.subarray(start, end));
  }

  /** The event of a text; null when it is not of the format. What is to be hidden between shifted fields is. */
  record(text: string): ParsedRecord | null {
    this.#time = null;
    const line = Buffer.from(text).toString('latin1');
    const division = this.#divide(line);
    if (division === null) return null;
    const record: Fields = {};
    for (const span of division.spans) this.#set(record, span.field, line.slice(span.from, span.to));
    const time = this.#finish(record, this.#time, this.#target.clock.now);
    for (const [from, to] of division.doubtful) this.#hide(record, division.spans.slice(from, to), line);
    return { record, time };
  }

  #set(record: Fields, field: LogField, raw: string): void {
    if (raw === '-') return;
    if (isTime(field.kind)) {
      if (this.#time !== null) record[field.name] = timeText(this.#time);
      return;
    }
    if (field.kind === 'request') {
      this.#setRequest(record, raw);
      return;
    }
    const bytes = Buffer.from(raw, 'latin1');
    const number = field.kind === 'number' && isNumber(bytes, 0, bytes.length);
    const value = field.emptyQuotes && raw === '""' ? '' : this.#decode(raw);
    record[field.name] = number ? Number(raw) : value;
  }

  #setRequest(record: Fields, raw: string): void {
    const bytes = Buffer.from(raw, 'latin1');
    if (!splitRequest(bytes, 0, bytes.length)) {
      record.request = this.#decode(raw);
      return;
    }
    const { methodEnd, pathFrom, pathTo, protocolFrom } = requestParts;
    record.method = this.#decode(raw.slice(0, methodEnd));
    if (pathTo > pathFrom) record.path = this.#decode(raw.slice(pathFrom, pathTo));
    if (protocolFrom < raw.length) record.protocol = this.#decode(raw.slice(protocolFrom));
  }

  #decode(raw: string): string {
    const bytes = Buffer.from(raw, 'latin1');
    return bytes.toString('utf8', 0, decodeEscapes(bytes, bytes, 0, bytes.length, this.#format.escape));
  }

  /** Hides in fields whose borders a client may have moved what is to be hidden in any of them. */
  #hide(record: Fields, spans: readonly Span[], line: string): void {
    const names = spans.flatMap(({ field }) => namesOf(field));
    if (!this.#transform.redacts(names)) return;
    const redact = this.#transform.textRedaction(names);
    if (redact === null) {
      for (const name of names) if (typeof record[name] === 'string') record[name] = MASK;
      return;
    }
    const whole = line.slice(spans[0]!.from, spans.at(-1)!.to);
    let rest = redact(this.#decode(whole));
    if (rest === this.#decode(whole)) return;
    for (const name of names) delete record[name];
    for (const { field } of spans) {
      const end = field === spans.at(-1)!.field ? -1 : rest.indexOf(field.literal);
      record[field.name] = end < 0 ? rest : rest.slice(0, end);
      if (end < 0) return;
      rest = rest.slice(end + field.literal.length);
    }
  }

  #timeLength(field: LogField, line: string, at: number): number {
    const format = this.#times.get(field);
    let time: number;
    let length: number;
    if (format !== undefined) {
      const found = format(line.slice(at, at + MAX_TIME_TEXT), this.#target.clock.now);
      if (found === null) return -1;
      ({ time, length } = found);
    } else {
      length =
        field.kind === 'clf' ? CLF_BYTES : /^[-+\d:.TZ]*/.exec(line.slice(at, at + MAX_TIME_TEXT))![0].length;
      if (field.kind === 'clf' && line[at + 2] !== '/') return -1;
      const bytes = Buffer.from(line.slice(at, at + length), 'latin1');
      time = readTime(field.kind, bytes, 0, bytes.length);
    }
    if (!(time >= 0 && time < MAX_TIME)) return -1;
    this.#time = time;
    return length;
  }
}
