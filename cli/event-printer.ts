/** Prints the lines of archived events that are asked for: as they are, or some of their fields, or their number. */
import { once } from 'node:events';
import { TIME_FIELDS } from '../archive/field-types.ts';
import type { Block, EventRange } from '../archive/reading.ts';
import { plainLines } from '../base/human.ts';
import { type EventFilter, eventTime, fieldOf } from './event-filter.ts';

export interface PrinterOptions {
  readonly range: EventRange | null;
  readonly filter: EventFilter | null;
  /** Where an event's time is; the first field that has one counts. */
  readonly timeKeys: readonly string[];
  /** Only these fields of each event, in this order. */
  readonly fields: readonly string[] | null;
  /** Counts the events instead of printing them. */
  readonly count: boolean;
}

/** What forward inputs name the time of a record that has a `time` of its own, and what everything else does. */
export const TIME_KEYS: readonly string[] = TIME_FIELDS;

const NEWLINE = 0x0a;
/** A line longer than any archived event is printed in pieces: it need not end at all. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

export class EventPrinter {
  readonly #options: PrinterOptions;
  /** Events printed or counted. */
  events = 0;
  /** Of those, the ones without a time of their own within the archived hour, chosen by that of their block. */
  timeless = 0;

  constructor(options: PrinterOptions) {
    this.#options = options;
  }

  /** @param hour of the object, whole hours since 1970 */
  async print(block: Block, hour: number): Promise<void> {
    const { range, filter, fields, count } = this.#options;
    const isInside = range === null || (block.firstTime >= range.from && block.lastTime <= range.to);
    if (isInside && filter === null && fields === null && !count && !process.stdout.isTTY) {
      for await (const piece of block.lines) await writeOut(piece);
      return;
    }
    for await (const whole of wholeLines(block.lines)) {
      const kept: string[] = [];
      for (const line of linesOf(whole)) {
        const text = this.#choose(line, hour, isInside);
        if (text === null) continue;
        this.events += 1;
        if (!count) kept.push(text);
      }
      if (kept.length === 0) continue;
      const text = `${kept.join('\n')}\n`;
      await writeOut(process.stdout.isTTY ? plainLines(text) : text);
    }
  }

  /** What is printed of a line; null when nothing is. */
  #choose(line: string, hour: number, isInside: boolean): string | null {
    const { range, filter, timeKeys, fields } = this.#options;
    if (isInside && filter === null && fields === null) return line;
    const event = eventOf(line);
    if (!isInside && range !== null) {
      const time = eventTime(event, hour, timeKeys);
      if (time === null) this.timeless += 1;
      else if (time < range.from || time > range.to) return null;
    }
    if (filter !== null && !filter(line, event)) return null;
    if (fields === null) return line;
    const chosen = fields.map((name) => [name, event === null ? undefined : fieldOf(event, name)]);
    return JSON.stringify(Object.fromEntries(chosen.filter(([, value]) => value !== undefined)));
  }
}

/** The object that a line is; null when it is not one. */
export function eventOf(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

export async function writeOut(data: Buffer | string): Promise<void> {
  const { stdout } = process;
  if (data.length > 0 && !stdout.write(data)) await once(stdout, 'drain');
}

/** Whole lines together, as text. */
export async function* wholeLines(pieces: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<string> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const piece of pieces) {
    let end = piece.lastIndexOf(NEWLINE) + 1;
    heldBytes += piece.length;
    if (end === 0 && heldBytes > MAX_LINE_BYTES) end = piece.length;
    if (end === 0) {
      held.push(piece);
      continue;
    }
    yield Buffer.concat([...held, piece.subarray(0, end)]).toString();
    held = [piece.subarray(end)];
    heldBytes = piece.length - end;
  }
  const rest = Buffer.concat(held).toString();
  if (rest !== '') yield rest;
}

/** The lines of such a text. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
