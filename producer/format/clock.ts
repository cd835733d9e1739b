/** Dates on bytes: the time of access logs read, and times written as RFC 3339 in UTC. */

const DAY_MS = 86_400_000;
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';
/** Bytes of `23/Nov/2026:21:04:07 +0000`. */
export const CLF_BYTES = 26;
/** Bytes of `2026-11-23T21:04:07`. */
const SECONDS_BYTES = 19;
/** Bytes of `2026-11-23T21:04:07.000Z`, the longest that {@link writeTime} writes. */
export const MAX_TIME_BYTES = 24;

/** Days from 1970-01-01 to a date of the proleptic Gregorian calendar; month 1 to 12. */
function daysFromCivil(year: number, month: number, day: number): number {
  // Years that begin in March put the leap day last (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Milliseconds since 1970 of a date and time in UTC, NaN when a part is out of its range. */
export function utc(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number {
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return Number.NaN;
  // 60 is a leap second, which no log's clock counts: it is the next minute's first.
  if (hour > 23 || minute > 59 || second > 60) return Number.NaN;
  return daysFromCivil(year, month, day) * DAY_MS + (hour * 3600 + minute * 60 + second) * 1000;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Month 1 to 12 of an English three-letter name, 0 when it is none. */
export function monthOf(name: string): number {
  const at = MONTHS.indexOf(name);
  return name.length === 3 && at % 3 === 0 ? at / 3 + 1 : 0;
}

/** The decimal number in `bytes[at, at + digits)`, NaN when one of them is not a digit. */
function number(bytes: Uint8Array, at: number, digits: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i++) {
    const digit = bytes[i]! - 0x30;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** Reads `23/Nov/2026:21:04:07 +0000` at `at`; NaN when the bytes there are no such time. */
export function parseClf(bytes: Buffer, at: number): number {
  if (
    bytes[at + 2] !== 0x2f ||
    bytes[at + 6] !== 0x2f ||
    bytes[at + 11] !== 0x3a ||
    bytes[at + 14] !== 0x3a ||
    bytes[at + 17] !== 0x3a ||
    bytes[at + 20] !== 0x20
  )
    return Number.NaN;
  const sign = bytes[at + 21] === 0x2b ? 1 : bytes[at + 21] === 0x2d ? -1 : Number.NaN;
  const offset = sign * (number(bytes, at + 22, 2) * 60 + number(bytes, at + 24, 2));
  const time = utc(
    number(bytes, at + 7, 4),
    monthOf(bytes.toString('latin1', at + 3, at + 6)),
    number(bytes, at, 2),
    number(bytes, at + 12, 2),
    number(bytes, at + 15, 2),
    number(bytes, at + 18, 2),
  );
  return time - offset * 60_000;
}

/** Reads `2026-11-23T21:04:07+00:00`, with a fraction or `Z` too, in `bytes[from, to)`; NaN when it is none. */
export function parseIso(bytes: Buffer, from: number, to: number): number {
  const separator = bytes[from + 10];
  if (
    to - from < SECONDS_BYTES ||
    bytes[from + 4] !== 0x2d ||
    bytes[from + 7] !== 0x2d ||
    (separator !== 0x54 && separator !== 0x74 && separator !== 0x20) ||
    bytes[from + 13] !== 0x3a ||
    bytes[from + 16] !== 0x3a
  )
    return Number.NaN;
  let time = utc(
    number(bytes, from, 4),
    number(bytes, from + 5, 2),
    number(bytes, from + 8, 2),
    number(bytes, from + 11, 2),
    number(bytes, from + 14, 2),
    number(bytes, from + 17, 2),
  );
  let i = from + SECONDS_BYTES;
  if (bytes[i] === 0x2e || bytes[i] === 0x2c) {
    const first = ++i;
    let scale = 1000;
    while (i < to && bytes[i]! >= 0x30 && bytes[i]! <= 0x39) {
      scale /= 10;
      time += (bytes[i++]! - 0x30) * scale;
    }
    if (i === first) return Number.NaN;
    time = Math.floor(time + 1e-6);
  }
  const left = to - i;
  if (left === 1) return bytes[i] === 0x5a || bytes[i] === 0x7a ? time : Number.NaN;
  const colon = bytes[i + 3] === 0x3a ? 1 : 0;
  if (left !== 5 + colon) return Number.NaN;
  const sign = bytes[i] === 0x2b ? 1 : bytes[i] === 0x2d ? -1 : Number.NaN;
  return time - sign * (number(bytes, i + 1, 2) * 60 + number(bytes, i + 3 + colon, 2)) * 60_000;
}

function digits(target: Uint8Array, at: number, value: number, count: number): void {
  for (let i = at + count - 1; i >= at; i--) {
    target[i] = 0x30 + (value % 10);
    value = Math.floor(value / 10);
  }
}

/**
 * Writes a time as RFC 3339 in UTC, `2026-11-23T21:04:07Z`, with milliseconds where there are any, and returns the
 * position behind it. `time` is whole milliseconds since 1970, in the years 0 to 9999.
 */
export function writeTime(target: Uint8Array, at: number, time: number): number {
  const day = Math.floor(time / DAY_MS);
  const ms = time - day * DAY_MS;
  // The inverse of daysFromCivil, from the same source.
  const z = day + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const m = Math.floor((5 * dayOfYear + 2) / 153);
  const month = m < 10 ? m + 3 : m - 9;
  digits(target, at, yearOfEra + era * 400 + (month <= 2 ? 1 : 0), 4);
  digits(target, at + 5, month, 2);
  digits(target, at + 8, dayOfYear - Math.floor((153 * m + 2) / 5) + 1, 2);
  digits(target, at + 11, Math.floor(ms / 3_600_000), 2);
  digits(target, at + 14, Math.floor(ms / 60_000) % 60, 2);
  digits(target, at + 17, Math.floor(ms / 1000) % 60, 2);
  target[at + 4] = 0x2d;
  target[at + 7] = 0x2d;
  target[at + 10] = 0x54;
  target[at + 13] = 0x3a;
  target[at + 16] = 0x3a;
  at += SECONDS_BYTES;
  if (ms % 1000 !== 0) {
    target[at] = 0x2e;
    digits(target, at + 1, ms % 1000, 3);
    at += 4;
  }
  target[at] = 0x5a;
  return at + 1;
}

const scratch = Buffer.alloc(MAX_TIME_BYTES);

/** A time as {@link writeTime} writes it. */
export function timeText(time: number): string {
  return scratch.toString('latin1', 0, writeTime(scratch, 0, time));
}
