/** Times whose format nobody gave: RFC 3339 and its relatives, those of access logs, of mail, of C, and numbers. */
import { monthOf, parseIso, utc } from './clock.ts';
import type { ToUtc } from './time-zone.ts';
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

const MONTH = '(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*';
const CLOCK = String.raw`(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?`;
/** An offset, then perhaps a name as Go writes it behind, or a name alone. */
const ZONE = String.raw`(?: ?([Zz]|[+-]\d{2}(?::?\d{2})?|[A-Z]{2,5})(?: \(?[A-Z]{2,5}\)?| [+-]\d{4})?)?`;

/** Each with the places of year, month, day, hour, minute, second, fraction and zone among its groups. */
const SHAPES: readonly (readonly [RegExp, readonly number[]])[] = [
  // 2026-11-23 21:04:07 +0100, 2026/11/23 21:04:07, 2026-11-23T21:04Z, 2026-11-23 21:04:07.1 +0000 UTC m=+0.1
  [
    new RegExp(String.raw`^(\d{4})[-/](\d{2})[-/](\d{2})[T t]${CLOCK}${ZONE}(?: m=\S+)?$`),
    [1, 2, 3, 4, 5, 6, 7, 8],
  ],
  // 23/Nov/2026:21:04:07 +0000
  [new RegExp(String.raw`^\[?(\d{2})/${MONTH}/(\d{4})[: ]${CLOCK}${ZONE}\]?$`), [3, 2, 1, 4, 5, 6, 7, 8]],
  // Mon, 23 Nov 2026 21:04:07 GMT, 23-Nov-2026 21:04:07
  [
    new RegExp(String.raw`^(?:[A-Z][a-z]+, )?(\d{1,2})[- ]${MONTH}[- ](\d{4}) ${CLOCK}${ZONE}$`),
    [3, 2, 1, 4, 5, 6, 7, 8],
  ],
  // Mon Nov 23 21:04:07 2026, Mon Nov 23 21:04:07 UTC 2026
  [
    new RegExp(String.raw`^[A-Z][a-z]{2} ${MONTH} +(\d{1,2}) ${CLOCK}${ZONE} (\d{4})$`),
    [8, 1, 2, 3, 4, 5, 6, 7],
  ],
];

/** Reads a time of any of these shapes; NaN when the text is none. */
export function guessTime(text: string, toUtc: ToUtc): number {
  const time = iso(text, toUtc);
  if (!Number.isNaN(time)) return time;
  if (text.length > 80) return Number.NaN;
  if (NUMBER.test(text)) return anyEpoch(text);
  for (const [shape, places] of SHAPES) {
    const match = shape.exec(text);
    if (!match) continue;
    const [year, month, day, hour, minute, second = '0', fraction = '', zone] = places.map((at) => match[at]);
    const number = /\d/.test(month!) ? Number(month) : monthOf(month!);
    const wall = utc(Number(year), number, Number(day), Number(hour), Number(minute), Number(second));
    const exact = wall + Math.floor(Number(`0.${fraction}0`) * 1000 + 1e-6);
    return zone === undefined ? toUtc(exact) : exact - zoneMinutes(zone) * 60_000;
  }
  return Number.NaN;
}
