/** Which field of events holds their time, where the configuration does not say. */
import { guessTime } from './time-guess.ts';

/** Names that people give to an event's time, the more usual ones first; any other name comes after them. */
const USUAL = [
  '@timestamp',
  'timestamp',
  'ts',
  'time',
  'datetime',
  'date',
  'eventTime',
  'asctime',
  't',
  '@t',
];
/** Milliseconds since 1970 between which a number is taken for a time: the years 2001 and 2100. */
const [FIRST, LAST] = [Date.UTC(2001, 0), Date.UTC(2100, 0)];
/** Objects inside of objects that are looked into. */
const DEPTH = 3;

/**
 * @param events parsed events of one log
 * @returns the `time_key` of a field that holds a time in each of them, `t.$date` for one inside of another; null when
 *   none does
 */
export function recommendTimeKey(events: readonly Readonly<Record<string, unknown>>[]): string | null {
  const [first, ...others] = events.map((event) => timesOf(event, '', DEPTH));
  if (first === undefined) return null;
  const keys = first.filter((key) => others.every((times) => times.includes(key)));
  const rank = (key: string) => {
    const at = USUAL.indexOf(key.slice(key.lastIndexOf('.') + 1));
    return at < 0 ? USUAL.length : at;
  };
  return keys.toSorted((one, other) => rank(one) - rank(other))[0] ?? null;
}

function timesOf(event: Readonly<Record<string, unknown>>, prefix: string, depth: number): string[] {
  return Object.entries(event).flatMap(([name, value]) => {
    if (isTime(value)) return [prefix + name];
    if (typeof value !== 'object' || value === null || Array.isArray(value) || depth === 1) return [];
    return timesOf(value as Record<string, unknown>, `${prefix}${name}.`, depth - 1);
  });
}

function isTime(value: unknown): boolean {
  if (typeof value !== 'string' && typeof value !== 'number') return false;
  const time = guessTime(String(value), (wall) => wall);
  return time >= FIRST && time < LAST;
}
