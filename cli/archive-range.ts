/** The tags and times that a command is asked for, as written on the command line. */
import { type Command, Option } from 'commander';
import type { EventRange } from '../archive/reading.ts';
import { TailraceError } from '../base/errors.ts';
import { parseDuration } from '../base/units.ts';
import { type ToUtc, timeZone } from '../producer/format/time-zone.ts';

const HOUR_MS = 3_600_000;
const TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d\d:?\d\d)?$/i;

export interface TimeOptions {
  readonly from?: string;
  readonly to?: string;
  readonly last?: string;
  readonly tz?: string;
}

export interface RangeOptions extends TimeOptions {
  readonly tag?: string;
}

/** @param what what the times are those of */
export function withTimeOptions(command: Command, what: string): Command {
  return command
    .option(
      '--from <time>',
      `${what} from this time on, such as 2026-11-23T07:30, or 2h for two hours ago; UTC unless it has an offset`,
    )
    .option('--to <time>', 'up to this time: all of the day, hour, minute or second that it names')
    .addOption(
      new Option('--last <duration>', `${what} of the last 15m, 2h or 7d, instead`).conflicts(['from', 'to']),
    )
    .addOption(
      new Option(
        '--tz <zone>',
        'zone of the times in --from and --to, such as Europe/Berlin or +02:00',
      ).default('UTC'),
    );
}

export function withRangeOptions(command: Command, what: string): Command {
  return withTimeOptions(command.option('--tag <tag>', 'select this tag; * matches anything'), what);
}

/**
 * The range that the options name; null when they name none.
 *
 * @throws TailraceError CONFIG for a time that cannot be parsed, or an end before the beginning
 */
export function timesOf({ from, to, last, tz = 'UTC' }: TimeOptions, now: number): EventRange | null {
  const toUtc = zoneOf(tz);
  if (last !== undefined) {
    const ago = parseDuration(last);
    if (ago === null) throw new TailraceError('CONFIG', `--last ${last}: expected 15m, 2h or 7d`);
    return { from: now - ago, to: Number.MAX_SAFE_INTEGER };
  }
  if (from === undefined && to === undefined) return null;
  const range = {
    from: from === undefined ? 0 : boundOf('--from', from, now, toUtc)[0],
    to: to === undefined ? Number.MAX_SAFE_INTEGER : boundOf('--to', to, now, toUtc)[1],
  };
  if (range.from > range.to) throw new TailraceError('CONFIG', `--from ${from} is after --to ${to}`);
  return range;
}

/** The hours that a range touches, since 1970, both included. */
export function hoursOf(range: EventRange | null): readonly [number, number] {
  return range === null
    ? [0, 1e9]
    : [Math.floor(range.from / HOUR_MS), Math.min(1e9, Math.floor(range.to / HOUR_MS))];
}

/** @throws TailraceError CONFIG for a range that begins or ends within an hour */
export function requireWholeHours(range: EventRange | null, instead: string): void {
  const isWhole =
    range === null ||
    (range.from % HOUR_MS === 0 && (range.to === Number.MAX_SAFE_INTEGER || (range.to + 1) % HOUR_MS === 0));
  if (isWhole) return;
  throw new TailraceError(
    'CONFIG',
    `the range begins or ends within an hour: name whole hours, such as 2026-11-23T07; ${instead}`,
  );
}

function zoneOf(tz: string): ToUtc {
  try {
    return timeZone(tz);
  } catch (cause) {
    throw new TailraceError('CONFIG', `--tz ${tz}: expected a zone such as Europe/Berlin or +02:00`, {
      cause,
    });
  }
}

/** A tag pattern in which `*` matches anything. */
export function tagFilter(pattern: string | undefined): ((tag: string) => boolean) | undefined {
  if (pattern === undefined) return undefined;
  if (!pattern.includes('*')) return (tag) => tag === pattern;
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  const expression = new RegExp(`^${parts.join('.*')}$`, 's');
  return (tag) => expression.test(tag);
}

/** First and last millisecond of what the text names: a day, an hour, a minute, a second, or a moment. */
function boundOf(name: string, text: string, now: number, toUtc: ToUtc): [first: number, last: number] {
  const ago = parseDuration(text);
  if (ago !== null) return [now - ago, now - ago];
  const match = TIME.exec(text);
  const wall = match ? wallTimes(match) : null;
  if (!match || !wall) {
    throw new TailraceError(
      'CONFIG',
      `${name} ${text}: expected a time such as 2026-11-23, 2026-11-23T07 or 2026-11-23T07:30:05.250, or 2h for two hours ago`,
    );
  }
  const zone = match[8] === undefined ? toUtc : zoneOf(match[8].toUpperCase());
  return [zone(wall[0]), zone(wall[1]) - 1];
}

/** Beginning and end of what the parts of a time name, as if it were UTC; null when there is no such time. */
function wallTimes(match: RegExpExecArray): [number, number] | null {
  const [, year, month, day, hour, minute, second, fraction] = match;
  const begin =
    Date.UTC(
      Number(year),
      Number(month) - 1,
      Number(day),
      Number(hour ?? 0),
      Number(minute ?? 0),
      Number(second ?? 0),
    ) + Math.floor(Number(`0.${fraction ?? 0}`) * 1000);
  const sizes = [fraction && 1, second && 1000, minute && 60_000, hour && HOUR_MS, 24 * HOUR_MS];
  const length = sizes.find((size) => typeof size === 'number') as number;
  const iso = new Date(begin).toISOString();
  const given = `${year}-${month}-${day}T${hour ?? '00'}:${minute ?? '00'}:${second ?? '00'}`;
  return iso.startsWith(given) ? [begin, begin + length] : null;
}
