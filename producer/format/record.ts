/** Formats that make an object of each line: where convenience counts for more than speed. */
import { isUtf8 } from 'node:buffer';
import { replaceLoneSurrogates } from '../../base/lone-surrogates.ts';
import { withoutNulNames } from '../../base/nul-escapes.ts';
import { hideText, keepLine } from './kept.ts';
import { type LineParser, MAX_EVENT_BYTES, type Target, UNPARSED } from './parser.ts';
import type { Transform } from './transform.ts';

/** An event's fields and its time, milliseconds since 1970; null for the time of its arrival. */
export interface ParsedRecord {
  readonly record: Record<string, unknown>;
  readonly time: number | null;
  /** Fields between which a client may have moved the borders: what hides one of them hides that in all. */
  readonly shifted?: readonly string[];
  /** The field that holds text which an inner format did not take. */
  readonly unparsed?: string | undefined;
  /** Whether a part of the text is missing. */
  readonly truncated?: boolean;
  /** Whether the line is a header or a comment and not an event. */
  readonly header?: boolean;
}

/** Makes an event of a line; null when the line is not of the format. */
export type RecordParser = (line: string, now: number) => ParsedRecord | null;

export class RecordLineParser implements LineParser {
  readonly #target: Target;
  readonly #transform: Transform;
  readonly #parse: RecordParser;

  constructor(parse: RecordParser, target: Target, transform: Transform) {
    this.#parse = parse;
    this.#target = target;
    this.#transform = transform;
  }

  parse(bytes: Buffer, start: number, end: number): void {
    const parsed = this.#parse(bytes.toString('utf8', start, end), this.#target.clock.now);
    if (parsed !== null && takeRecord(this.#target, this.#transform, parsed, bytes.subarray(start, end)))
      return;
    keepLine(this.#target, this.#transform, bytes, start, end, UNPARSED);
  }
}

/**
 * Transforms and writes an event; false when it is too long for one.
 *
 * @param source the line that it was made of
 */
export function takeRecord(
  target: Target,
  transform: Transform,
  parsed: ParsedRecord,
  source: Buffer,
): boolean {
  const { record, shifted = [], unparsed, truncated, header } = parsed;
  if (header) {
    target.tally.headers++;
    return true;
  }
  if (!transform.selects(record)) {
    target.tally.excluded++;
    return true;
  }
  if (shifted.length > 0 && transform.redacts(shifted)) {
    const redact = transform.textRedaction(shifted);
    for (const name of shifted) {
      const value = record[name];
      if (typeof value === 'string') record[name] = redact === null ? '***' : redact(value);
    }
  }
  if (typeof record['request'] === 'string' && transform.redacts(['method', 'path', 'protocol'])) {
    record['request'] = transform
      .requestRule()
      .redact.reduce((text, redact) => redact(text), record['request']);
  }
  if (unparsed !== undefined) {
    target.tally.unparsed++;
    hideText(target, transform, record, unparsed);
  }
  transform.change(record);
  if (unparsed !== undefined) record['_unparsed'] = true;
  if (truncated) record['_truncated'] = true;
  return writeRecord(target, record, parsed.time, source);
}

/**
 * Writes an event; false when it is too long for one.
 *
 * @param time milliseconds since 1970, null for the time of arrival
 * @param source the line that it was made of
 */
export function writeRecord(
  { tally, builders, clock }: Target,
  record: Record<string, unknown>,
  time: number | null,
  source: Buffer,
): boolean {
  let text = JSON.stringify(record);
  if (text.includes('\\u0000')) {
    const { value, replaced } = withoutNulNames(record);
    tally.adjusted += replaced;
    text = JSON.stringify(value);
  }
  const length = Buffer.byteLength(text) + 1;
  if (length > MAX_EVENT_BYTES) return false;
  if (!isUtf8(source)) tally.replaced++;
  if (time === null) tally.timeless++;
  const builder = builders.at(time ?? clock.now);
  builder.reserve(length);
  builder.buffer.write(text, builder.length);
  builder.buffer[builder.length + length - 1] = 0x0a;
  // A pattern without the flag u may cut a pair of surrogates in two.
  if (text.includes('\\ud'))
    tally.replaced += replaceLoneSurrogates(builder.buffer, builder.length, builder.length + length - 1);
  tally.events++;
  builder.commit(builder.length + length);
  return true;
}
