/** Formats that make an object of each line: where convenience counts for more than speed. */
import { isUtf8 } from 'node:buffer';
import { keepLine } from './kept.ts';
import { type LineParser, MAX_EVENT_BYTES, type Target, UNPARSED } from './parser.ts';
import type { Transform } from './transform.ts';

/** An event's fields and its time, milliseconds since 1970; null for the time of its arrival. */
export interface ParsedRecord {
  readonly record: Record<string, unknown>;
  readonly time: number | null;
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
    const { clock } = this.#target;
    const parsed = this.#parse(bytes.toString('utf8', start, end), clock.now);
    if (parsed !== null) {
      if (!this.#transform.apply(parsed.record)) {
        this.#target.tally.excluded++;
        return;
      }
      if (writeRecord(this.#target, parsed.record, parsed.time, bytes.subarray(start, end))) return;
    }
    keepLine(this.#target, this.#transform, bytes, start, end, UNPARSED);
  }
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
  const text = JSON.stringify(record);
  const length = Buffer.byteLength(text) + 1;
  if (length > MAX_EVENT_BYTES) return false;
  if (!isUtf8(source)) tally.replaced++;
  if (time === null) tally.timeless++;
  const builder = builders.at(time ?? clock.now);
  builder.reserve(length);
  builder.buffer.write(text, builder.length);
  builder.buffer[builder.length + length - 1] = 0x0a;
  tally.events++;
  builder.commit(builder.length + length);
  return true;
}
