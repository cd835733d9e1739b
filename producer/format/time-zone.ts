/** Local time of a zone into UTC. */
import { FormatError } from './errors.ts';

const QUARTER_MS = 900_000;
const FIXED = /^(?:UTC|GMT|Z)?(?:([+-])(\d{2}):?(\d{2}))?$/;

/** Takes a wall clock's time, as milliseconds since 1970 as if it were UTC, to milliseconds since 1970. */
export type ToUtc = (wall: number) => number;

/**
 * @param zone an IANA name (`Europe/Berlin`) or an offset (`+09:00`, `UTC`); undefined for the zone of this host
 * @throws FormatError for a zone that is not known
 */
export function timeZone(zone?: string): ToUtc {
  const fixed = zone === undefined || zone === '' ? null : FIXED.exec(zone);
  if (fixed) {
    const minutes = Number(fixed[2] ?? 0) * 60 + Number(fixed[3] ?? 0);
    const offset = (fixed[1] === '-' ? -1 : 1) * minutes * 60_000;
    return (wall) => wall - offset;
  }
  const offsetAt = offsets(zone);
  return (wall) => {
    if (!Number.isFinite(wall)) return Number.NaN;
    // The offset at the time itself, found from the one at the wall clock's; where a clock is set back, the earlier.
    const guess = wall - offsetAt(wall);
    const earlier = wall - offsetAt(guess - 3 * 3_600_000);
    if (earlier + offsetAt(earlier) === wall) return earlier;
    return wall - offsetAt(guess);
  };
}

const MAX_NAMES = 100;
const names = new Map<string, ToUtc | null>();

/** The zone of a name that a log contains; null for one that is not known. */
export function namedZone(name: string): ToUtc | null {
  let zone = names.get(name);
  if (zone === undefined) {
    try {
      zone = timeZone(name);
    } catch {
      zone = null;
    }
    // Whoever writes the log chooses the names.
    if (names.size >= MAX_NAMES) names.clear();
    names.set(name, zone);
  }
  return zone;
}

/** Milliseconds that a zone is ahead of UTC at a time; remembered by quarters of an hour, on which all changes fall. */
function offsets(zone: string | undefined): (time: number) => number {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      ...(zone === undefined ? {} : { timeZone: zone }),
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch (cause) {
    throw new FormatError(
      `time zone ${JSON.stringify(zone)} is not known: give a name such as Europe/Berlin`,
      cause,
    );
  }
  const known = new Map<number, number>();
  return (time) => {
    const quarter = Math.floor(time / QUARTER_MS);
    let offset = known.get(quarter);
    if (offset === undefined) {
      const at = quarter * QUARTER_MS;
      const part: Record<string, number> = {};
      for (const { type, value } of format.formatToParts(at)) part[type] = Number(value);
      const wall = Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second);
      offset = wall - at;
      if (known.size > 1000) known.clear();
      known.set(quarter, offset);
    }
    return offset;
  };
}
