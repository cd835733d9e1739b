/**
 * Divides a line of an access log between its fields when a client has put separators into their values. Nothing that
 * a client sends can hold a time with the literal behind it, nor an unescaped quote: from these the line is divided,
 * and between two of them from both ends, by the values that only the server makes.
 */
import { endsRegion } from './access-log-steps.ts';
import { isTime } from './access-log-values.ts';
import type { LogField, LogFormat } from './log-format.ts';

/** Times that are tried as the one of the line: a client can send any number of them. */
const MAX_CANDIDATES = 8;

export interface Span {
  readonly field: LogField;
  readonly from: number;
  readonly to: number;
}

export interface Division {
  readonly spans: readonly Span[];
  /** Runs of spans, first and one past the last, between which a client may have moved the borders. */
  readonly doubtful: readonly (readonly [number, number])[];
}

/** Length of the field's time at a position of the line; -1 when there is none. */
export type TimeLength = (field: LogField, line: string, at: number) => number;

interface Region {
  readonly fields: readonly LogField[];
  readonly isTime: boolean;
  /** The literal that the region ends before. */
  readonly end: string;
}

/** @returns divides a line, or gives null when it is not of the format */
export function compileDivision(
  format: LogFormat,
  timeLength: TimeLength,
): (line: string) => Division | null {
  const regions: Region[] = [];
  let from = 0;
  format.fields.forEach((field, n) => {
    if (!endsRegion(format.fields, n, format.escape)) return;
    const fields = format.fields.slice(from, n + 1);
    regions.push({ fields, isTime: isTime(field.kind), end: field.literal });
    from = n + 1;
  });
  const divide = (line: string, first: number, at: number): Division | null => {
    let division: Division = { spans: [], doubtful: [] };
    for (let r = first; r < regions.length; r++) {
      const region = regions[r]!;
      const next = regions[r + 1];
      if (!region.isTime && next?.isTime) {
        for (const end of timeCandidates(line, at, region, next, timeLength)) {
          const left = divideRegion(line, region.fields, at, end);
          const right = left && divide(line, r + 1, end + region.end.length);
          if (left && right) return join(division, left, right);
        }
        return null;
      }
      const end = region.isTime
        ? timeEnd(line, at, region, timeLength)
        : anchorAt(line, at, region.end, format);
      const part = end < 0 ? null : divideRegion(line, region.fields, at, end);
      if (part === null) return null;
      division = join(division, part);
      at = end + region.end.length;
    }
    return at === line.length ? division : null;
  };
  return (line) => (line.startsWith(format.prefix) ? divide(line, 0, format.prefix.length) : null);
}

function join(...parts: readonly Division[]): Division {
  const spans: Span[] = [];
  const doubtful: (readonly [number, number])[] = [];
  for (const part of parts) {
    doubtful.push(...part.doubtful.map(([from, to]) => [from + spans.length, to + spans.length] as const));
    spans.push(...part.spans);
  }
  return { spans, doubtful };
}

function* timeCandidates(
  line: string,
  from: number,
  region: Region,
  time: Region,
  timeLength: TimeLength,
): Generator<number> {
  let tried = 0;
  for (let at = line.indexOf(region.end, from); at >= 0; at = line.indexOf(region.end, at + 1)) {
    if (timeEnd(line, at + region.end.length, time, timeLength) < 0) continue;
    yield at;
    if (++tried === MAX_CANDIDATES) return;
  }
}

function timeEnd(line: string, at: number, { fields, end }: Region, timeLength: TimeLength): number {
  const length = timeLength(fields[0]!, line, at);
  return length >= 0 && line.startsWith(end, at + length) ? at + length : -1;
}

function anchorAt(line: string, from: number, literal: string, { escape: escaping }: LogFormat): number {
  if (literal === '') return line.length;
  for (let i = from; i < line.length; i++) {
    if (line.startsWith(literal, i)) return i;
    if (line[i] === '\\' && (escaping === 'apache' || escaping === 'json')) i++;
  }
  return -1;
}

/** Divides what stands between two borders: the server's own values from both ends, what is left between the others. */
function divideRegion(line: string, fields: readonly LogField[], from: number, to: number): Division | null {
  // Whatever looks like a list may be what a client wrote at the end of its header.
  return divideBetween(line, fields, from, to, true) ?? divideBetween(line, fields, from, to, false);
}

function divideBetween(
  line: string,
  fields: readonly LogField[],
  from: number,
  to: number,
  lists: boolean,
): Division | null {
  const left: Span[] = [];
  const right: Span[] = [];
  let first = 0;
  let last = fields.length - 1;
  for (; first < last && fields[first]!.solid; first++) {
    const field = fields[first]!;
    const end = valueEnd(line, field, from, to, lists);
    if (end < 0) return null;
    left.push({ field, from, to: end });
    from = end + skipped(field);
  }
  for (; last > first && fields[last]!.solid && !fields[last]!.list; last--) {
    const before = fields[last - 1]!;
    const at = line.lastIndexOf(before.literal, to - before.literal.length);
    if (at < from) return null;
    right.unshift({ field: fields[last]!, from: at + skipped(before), to });
    to = at;
  }
  const middle: Span[] = [];
  for (let n = first; n < last; n++) {
    const field = fields[n]!;
    const end = valueEnd(line, field, from, to, lists);
    if (end < 0) return null;
    middle.push({ field, from, to: end });
    from = end + skipped(field);
  }
  middle.push({ field: fields[last]!, from, to });
  const rest = line.slice(from, to);
  const foreign = ({ field, from, to }: Span): boolean =>
    field.solid === true && field.list !== true && !isTime(field.kind) && line.slice(from, to).includes(' ');
  if ([...left, ...middle, ...right].some(foreign)) return null;
  const shifted = fields.slice(first, last).some(({ literal }) => rest.includes(literal));
  return {
    spans: [...left, ...middle, ...right],
    doubtful: shifted ? [[left.length, left.length + middle.length]] : [],
  };
}

function skipped({ literal, peek }: LogField): number {
  return peek ? 0 : literal.length;
}

function valueEnd(line: string, field: LogField, from: number, to: number, lists: boolean): number {
  const { literal } = field;
  if (field.address && literal.startsWith(':')) {
    const run = /^[^ "]*/.exec(line.slice(from, to))![0];
    const colon = run.lastIndexOf(':');
    return colon >= 0 && line.startsWith(literal, from + colon) ? from + colon : -1;
  }
  for (let at = line.indexOf(literal, from); at >= 0; at = line.indexOf(literal, at + 1)) {
    if (at + literal.length > to) return -1;
    if (!(lists && field.list && literal.startsWith(' ') && isInList(line, at))) return at;
  }
  return -1;
}

/** Whether the space at `at` stands between the parts of `0.001, 0.002 : 0.003`. */
function isInList(line: string, at: number): boolean {
  return line[at - 1] === ',' || line.startsWith(': ', at + 1) || line.endsWith(' :', at);
}
