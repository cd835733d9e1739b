/** Times in text, by a format as strptime and fluentd know it. */
import { monthOf, utc } from './clock.ts';
import { FormatError } from './errors.ts';
import { epoch, guessTime, iso } from './time-guess.ts';
import { timeZone } from './time-zone.ts';
import { zoneMinutes } from './zone-names.ts';

/** Reads a time; NaN when the text is none. `now` fills in a year that the text does not say. */
export type TimeParser = (text: string, now: number) => number;

const DAY_MS = 86_400_000;
const MONTH =
  '(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';

/** Directives: the pattern of each, and the part of the time that it gives. */
const DIRECTIVES: Readonly<Record<string, readonly [pattern: string, part: string | null]>> = {
  Y: [String.raw`\d{4}`, 'year'],
  y: [String.raw`\d{2}`, 'shortYear'],
  m: [String.raw`\d{1,2}`, 'month'],
  d: [String.raw`[ \d]?\d`, 'day'],
  e: [String.raw`[ \d]?\d`, 'day'],
  j: [String.raw`\d{1,3}`, 'dayOfYear'],
  b: [MONTH, 'monthName'],
  B: [MONTH, 'monthName'],
  h: [MONTH, 'monthName'],
  H: [String.raw`[ \d]?\d`, 'hour'],
  k: [String.raw`[ \d]?\d`, 'hour'],
  I: [String.raw`[ \d]?\d`, 'hour12'],
  l: [String.raw`[ \d]?\d`, 'hour12'],
  p: ['[AaPp][Mm]', 'half'],
  M: [String.raw`\d{1,2}`, 'minute'],
  S: [String.raw`\d{1,2}`, 'second'],
  L: [String.raw`\d{1,9}`, 'fraction'],
  N: [String.raw`\d{1,9}`, 'fraction'],
  f: [String.raw`\d{1,9}`, 'fraction'],
  z: [String.raw`(?:[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?)`, 'zone'],
  Z: [String.raw`(?:[A-Za-z]{1,5}|[+-]\d{2}:?\d{2})`, 'zone'],
  s: [String.raw`-?\d{1,11}`, 'epoch'],
  Q: [String.raw`-?\d{1,14}`, 'epochMs'],
  a: ['[A-Za-z]{3,9}', null],
  A: ['[A-Za-z]{3,9}', null],
  n: [String.raw`\s+`, null],
  t: [String.raw`\s+`, null],
  '%': ['%', null],
};

const COMPOSED: Readonly<Record<string, string>> = {
  T: '%H:%M:%S',
  X: '%H:%M:%S',
  R: '%H:%M',
  r: '%I:%M:%S %p',
  F: '%Y-%m-%d',
  D: '%m/%d/%y',
  x: '%m/%d/%y',
  c: '%a %b %e %H:%M:%S %Y',
  v: '%e-%b-%Y',
  '+': '%a %b %e %H:%M:%S %Z %Y',
};

/**
 * @param format directives of strptime, or `iso8601`, `unix` (seconds, with or without a fraction), `unix_ms`,
 *   `unix_us`, `unix_ns`; undefined for whatever the text looks like
 * @param zone the zone of times that name none; undefined for that of this host
 * @throws FormatError for a directive or zone that is not known
 */
export function compileTimeFormat(format: string | undefined, zone?: string): TimeParser {
  const parse = compile(format, zone);
  let lastText = '';
  let lastTime = Number.NaN;
  // Lines of one second carry one text, most of the time.
  return (text, now) => {
    if (text !== lastText) {
      lastTime = parse(text, now);
      lastText = text;
    }
    return lastTime;
  };
}

/** Units in a millisecond. */
const EPOCHS: Readonly<Record<string, number>> = {
  unix: 0.001,
  unix_ms: 1,
  unix_us: 1000,
  unix_ns: 1_000_000,
};

function compile(format: string | undefined, zone: string | undefined): TimeParser {
  const toUtc = timeZone(zone);
  if (format === undefined) return (text) => guessTime(text, toUtc);
  if (format === 'iso8601') return (text) => iso(text, toUtc);
  const perMs = EPOCHS[format];
  if (perMs !== undefined) return (text) => epoch(text, perMs);
  const read = compileDirectives(format, toUtc, '^\\s*', '$');
  return (text, now) => read(text, now)?.time ?? Number.NaN;
}

/** A time at the beginning of a text, and how much of it that is; null when none stands there. */
export type TimePrefix = (
  text: string,
  now: number,
) => { readonly time: number; readonly length: number } | null;

/** @throws FormatError as {@link compileTimeFormat} */
export function compileTimePrefix(format: string, zone?: string): TimePrefix {
  return compileDirectives(format, timeZone(zone), '^', '');
}

function compileDirectives(
  format: string,
  toUtc: (wall: number) => number,
  begin: string,
  end: string,
): TimePrefix {
  const parts: string[] = [];
  const expanded = format.replace(/%([TXRrFDxcv+])/g, (_, letter: string) => COMPOSED[letter]!);
  const pattern = expanded.replace(/%[-0^#:]*\d?([A-Za-z%])|\s+|[^%\s]|%/g, (whole, letter?: string) => {
    if (letter === undefined) {
      if (whole === '%') throw new FormatError(`time_format ${JSON.stringify(format)} ends in the middle`);
      return /\s/.test(whole) ? String.raw`\s+` : whole.replace(/[.*+?^${}()|[\]\\/]/, '\\$&');
    }
    const directive = DIRECTIVES[letter];
    if (!directive) throw new FormatError(`time_format: ${whole} is not a known directive`);
    if (directive[1] === null) return directive[0];
    parts.push(directive[1]);
    return `(${directive[0]})`;
  });
  const regexp = new RegExp(`${begin}${pattern}${end}`);
  const has = (part: string) => parts.includes(part);
  // A zone that the format itself spells: the Z of `%FT%TZ`, the GMT of HTTP's dates.
  const spelledUtc = !has('zone') && /%[-0^#:]*\d?[A-Za-z]Z$|[^A-Za-z](?:UTC|GMT)$/.test(expanded);
  const date = has('day') || has('dayOfYear');
  if (!has('epoch') && !has('epochMs') && !date && !has('hour') && !has('hour12')) {
    throw new FormatError(`time_format ${JSON.stringify(format)} says no time`);
  }
  return (text, now) => {
    const match = regexp.exec(text);
    if (!match) return null;
    const value: Record<string, string> = spelledUtc ? { zone: 'UTC' } : {};
    for (let i = 0; i < parts.length; i++) value[parts[i]!] = match[i + 1]!;
    const time = assemble(value, toUtc, now);
    return Number.isNaN(time) ? null : { time, length: match[0].length };
  };
}

function assemble(value: Record<string, string>, toUtc: (wall: number) => number, now: number): number {
  const fraction = value.fraction === undefined ? 0 : Math.floor(Number(`0.${value.fraction}`) * 1000 + 1e-6);
  if (value.epochMs !== undefined) return Number(value.epochMs);
  if (value.epoch !== undefined) return Number(value.epoch) * 1000 + fraction;
  const today = new Date(now);
  let hour = Number(value.hour ?? 0);
  if (value.hour12 !== undefined) {
    const hour12 = Number(value.hour12);
    if (hour12 < 1 || hour12 > 12) return Number.NaN;
    hour = (hour12 % 12) + (/^p/i.test(value.half ?? '') ? 12 : 0);
  }
  let month = today.getUTCMonth() + 1;
  let day = today.getUTCDate();
  if (value.month !== undefined) month = Number(value.month);
  if (value.monthName !== undefined) month = monthOf(value.monthName.slice(0, 3));
  if (value.day !== undefined) day = Number(value.day);
  else if (value.month !== undefined || value.monthName !== undefined) day = 1;
  const wallAt = (year: number) => {
    if (value.dayOfYear !== undefined) {
      const first = utc(year, 1, 1, hour, Number(value.minute ?? 0), Number(value.second ?? 0));
      const dayOfYear = Number(value.dayOfYear);
      return dayOfYear >= 1 && dayOfYear <= 366 ? first + (dayOfYear - 1) * DAY_MS : Number.NaN;
    }
    return utc(year, month, day, hour, Number(value.minute ?? 0), Number(value.second ?? 0));
  };
  const timeAt = (year: number) => {
    const wall = wallAt(year) + fraction;
    return value.zone === undefined ? toUtc(wall) : wall - zoneMinutes(value.zone) * 60_000;
  };
  if (value.year !== undefined) return timeAt(Number(value.year));
  if (value.shortYear !== undefined) {
    const short = Number(value.shortYear);
    return timeAt(short + (short < 69 ? 2000 : 1900));
  }
  // No year: the latest one that does not lie ahead, with a day's grace for clocks and zones.
  const year = today.getUTCFullYear();
  for (const candidate of [year + 1, year, year - 1, year - 2, year - 3, year - 4]) {
    const time = timeAt(candidate);
    if (time <= now + DAY_MS) return time;
  }
  return Number.NaN;
}
