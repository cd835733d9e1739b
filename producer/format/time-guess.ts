/** Times whose format nobody gave: RFC 3339 and its relatives, those of access logs, of mail, of C, and numbers. */
import { monthOf, parseIso, utc } from './clock.ts';
import { namedZone, type ToUtc } from './time-zone.ts';
import { zoneMinutes } from './zone-names.ts';

const NUMBER = /^-?\d{1,19}(?:\.\d+)?(?:[eE][+-]?\d{1,2})?$/;

/** A number of units since 1970, of which there are `perMs` in a millisecond; NaN for another text. */
export function epoch(text: string, perMs: number): number {
  return NUMBER.test(text) ? Math.round(Number(text) / perMs) : Number.NaN;
}

/** Units by their size: in seconds each bound is the year 5138, in the unit that follows it is 1973. */
function anyEpoch(text: string): number {
  const size = Math.abs(epoch(text, 1));
  if (size < 1e11) return epoch(text, 0.001);
  if (size < 1e14) return epoch(text, 1);
  return epoch(text, size < 1e17 ? 1000 : 1_000_000);
}

const isoBytes = Buffer.alloc(64);

export function iso(text: string, toUtc: ToUtc): number {
  if (text.length < 19 || text.length > 60) return Number.NaN;
  const zoned = /(?:[Zz]|[+-]\d{2}:?\d{2})$/.test(text.slice(19));
  const length = isoBytes.write(zoned ? text : `${text}Z`, 'latin1');
  const time = parseIso(isoBytes, 0, length);
  return zoned ? time : toUtc(time);
}

const YEAR = String.raw`(?<year>\d{4})`;
const DAY = String.raw`(?<day>\d{1,2})`;
const MONTH = '(?<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*';
const FRACTION = String.raw`(?:[.,](?<fraction>\d+))?`;
/** AM or PM may follow; Java has written a narrow no-break space before them since JDK 20. */
const CLOCK = String.raw`(?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2})${FRACTION})?(?:[ \u00a0\u202f]?(?<half>[AaPp])\.?[Mm]\.?)?`;
/** An offset, then perhaps a name as Go writes it behind, or a name alone: an abbreviation, or a region as PHP writes it. */
const ZONE = String.raw`(?: ?(?<zone>[Zz]|[+-]\d{2}(?::?\d{2})?|[A-Z]{2,5})(?: \(?[A-Z]{2,5}\)?| [+-]\d{4})?| (?<region>[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+))?`;
/** The region that Java's ZonedDateTime writes behind its offset. */
const REGION = String.raw`(?:\[[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)*\])?`;

const SHAPES: readonly RegExp[] = [
  // 2026-11-23 21:04:07 +0100, 2026/11/23 21:04:07, 2026-11-23T21:04Z, 2026-11-23 21:04:07.1 +0000 UTC m=+0.1,
  // 2026-11-23T21:04:07+01:00[Europe/Berlin], 2026-11-23_21:04:07 (svlogd)
  String.raw`${YEAR}[-/.](?<month>\d{2})[-/.]${DAY}[Tt _]${CLOCK}${ZONE}(?: m=\S+)?${REGION}`,
  // 20261123T210407Z, the basic format of ISO 8601, and 20261123 21:04:07
  String.raw`${YEAR}(?<month>\d{2})(?<day>\d{2})[Tt](?<hour>\d{2})(?<minute>\d{2})(?:(?<second>\d{2})${FRACTION})?${ZONE}`,
  String.raw`${YEAR}(?<month>\d{2})(?<day>\d{2})[Tt ]${CLOCK}${ZONE}`,
  // 23/Nov/2026:21:04:07 +0000
  String.raw`\[?${DAY}/${MONTH}/${YEAR}[: ]${CLOCK}${ZONE}\]?`,
  // Mon, 23 Nov 2026 21:04:07 GMT, 23-Nov-2026 21:04:07, 23-Nov-2026 21:04:07 Europe/Berlin (PHP), and RFC 850's Monday, 23-Nov-26 21:04:07 GMT
  `(?:[A-Z][a-z]+, )?${DAY}[- ]${MONTH}[- ]${YEAR},? ${CLOCK}${ZONE}`,
  String.raw`[A-Z][a-z]+, ${DAY}-${MONTH}-(?<year>\d{2}) ${CLOCK}${ZONE}`,
  // Mon Nov 23 21:04:07 2026, Mon Nov 23 21:04:07 UTC 2026
  `[A-Z][a-z]{2} ${MONTH} +${DAY} ${CLOCK}${ZONE} ${YEAR}`,
  // Nov 23, 2026 9:04:07 PM (java.util.logging), Nov 23, 2026, 21:04:07
  `(?:[A-Z][a-z]+, )?${MONTH} ${DAY}, ${YEAR},? ${CLOCK}${ZONE}`,
  // 23.11.2026 21:04:07: where dots stand, the day comes first
  String.raw`${DAY}\.(?<month>\d{1,2})\.${YEAR},? ${CLOCK}${ZONE}`,
].map((shape) => new RegExp(`^${shape}$`));

/** Reads a time of any of these shapes; NaN when the text is none. */
export function guessTime(text: string, toUtc: ToUtc): number {
  const time = iso(text, toUtc);
  if (!Number.isNaN(time)) return time;
  if (text.length > 100) return Number.NaN;
  const trimmed = text.trim();
  if (NUMBER.test(trimmed)) return anyEpoch(trimmed);
  for (const shape of SHAPES) {
    const parts = shape.exec(trimmed)?.groups;
    if (parts) return timeOf(parts, toUtc);
  }
  return Number.NaN;
}

function timeOf(parts: Readonly<Record<string, string | undefined>>, toUtc: ToUtc): number {
  const month = /\d/.test(parts.month!) ? Number(parts.month) : monthOf(parts.month!);
  // RFC 850 has two digits, which RFC 9110 takes for the past when they lie more than 50 years ahead; logs began after 1970.
  const year = Number(parts.year) + (parts.year!.length === 4 ? 0 : Number(parts.year) < 70 ? 2000 : 1900);
  const hour = parts.half === undefined ? Number(parts.hour) : hourOf12(Number(parts.hour), parts.half);
  const wall = utc(year, month, Number(parts.day), hour, Number(parts.minute), Number(parts.second ?? 0));
  const exact = wall + Math.floor(Number(`0.${parts.fraction ?? ''}0`) * 1000 + 1e-6);
  if (parts.region !== undefined) return namedZone(parts.region)?.(exact) ?? Number.NaN;
  return parts.zone === undefined ? toUtc(exact) : exact - zoneMinutes(parts.zone) * 60_000;
}

function hourOf12(hour: number, half: string): number {
  return hour >= 1 && hour <= 12 ? (hour % 12) + (/p/i.test(half) ? 12 : 0) : Number.NaN;
}
