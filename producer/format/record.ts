/** Formats that make an object of each line: where convenience counts for more than speed. */
import { isUtf8 } from 'node:buffer';
import { type LineParser, MAX_EVENT_BYTES, type Target, UNPARSED, writeMessage } from './parser.ts';
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
    const { tally, builders, clock } = this.#target;
    const parsed = this.#parse(bytes.toString('utf8', start, end), clock.now);
    if (parsed !== null) {
      if (!this.#transform.apply(parsed.record)) {
        tally.excluded++;
        return;
      }
      const text = JSON.stringify(parsed.record);
      const length = Buffer.byteLength(text) + 1;
      if (length <= MAX_EVENT_BYTES) {
        if (!isUtf8(bytes.subarray(start, end))) tally.replaced++;
        if (parsed.time === null) tally.timeless++;
        const builder = builders.at(parsed.time ?? clock.now);
        builder.reserve(length);
        builder.buffer.write(text, builder.length);
        builder.buffer[builder.length + length - 1] = 0x0a;
        tally.events++;
        builder.commit(builder.length + length);
        return;
      }
    }
    writeMessage(this.#target, bytes, start, end, UNPARSED, this.#transform.added);
  }
}
