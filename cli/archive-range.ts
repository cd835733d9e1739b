/** The tags and hours that a command is asked for, as written on the command line. */
import type { Command } from 'commander';
import type { CatalogFilter } from '../archive/catalog.ts';
import { TailraceError } from '../base/errors.ts';
import { parseDuration } from '../base/units.ts';

const HOUR_MS = 3_600_000;

export interface RangeOptions {
  readonly tag?: string;
  readonly from?: string;
  readonly to?: string;
}

export function withRangeOptions(command: Command): Command {
  return command
    .option('--tag <tag>', 'select this tag; * matches anything')
    .option('--from <time>', 'start at this hour, such as 2026-11-23T07, or 2h for two hours ago')
    .option('--to <time>', 'end with this hour, inclusive');
}

/**
 * The options as a catalog filter.
 *
 * @throws TailraceError CONFIG for a time that cannot be parsed
 */
export function rangeOf({ tag, from, to }: RangeOptions, now: number): CatalogFilter {
  const hours = [hourOption('--from', from, now, 0), hourOption('--to', to, now, 1e9)] as const;
  return { hours, ...(tag === undefined ? {} : { tag: tagFilter(tag) }) };
}

/**
 * The range of hours in the options, as {@link hourOption} reads them; undefined when there is none.
 *
 * @throws TailraceError CONFIG for a time that cannot be parsed
 */
export function timesOf(
  { from, to }: Pick<RangeOptions, 'from' | 'to'>,
  now: number,
): { readonly from: number; readonly to: number } | undefined {
  if (from === undefined && to === undefined) return undefined;
  const first = hourOption('--from', from, now, 0);
  const last = hourOption('--to', to, now, Math.floor(now / HOUR_MS));
  return { from: first * HOUR_MS, to: (last + 1) * HOUR_MS - 1 };
}

/** A tag pattern in which `*` matches anything. */
function tagFilter(pattern: string): (tag: string) => boolean {
  if (!pattern.includes('*')) return (tag) => tag === pattern;
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  const expression = new RegExp(`^${parts.join('.*')}$`, 's');
  return (tag) => expression.test(tag);
}

/**
 * The hour of `2026-11-23`, `2026-11-23T07`, a full ISO time (UTC unless it has an offset), or a duration before now.
 *
 * @throws TailraceError CONFIG when it is none of these
 */
function hourOption(name: string, text: string | undefined, now: number, fallback: number): number {
  if (text === undefined) return fallback;
  const ago = parseDuration(text);
  if (ago !== null) return Math.floor((now - ago) / HOUR_MS);
  const whole = /^\d{4}-\d{2}-\d{2}T\d{2}$/.test(text) ? `${text}:00Z` : text;
  const zoned = /T.*(?:Z|[+-]\d{2}:?\d{2})$/.test(whole) || !whole.includes('T') ? whole : `${whole}Z`;
  const time = Date.parse(zoned);
  if (Number.isNaN(time) || !/^\d{4}-/.test(text)) {
    throw new TailraceError(
      'CONFIG',
      `${name} ${text}: expected a time such as 2026-11-23T07, or 2h for two hours ago`,
    );
  }
  // A day as the end of a range includes the whole day.
  const end = name === '--to' && /^\d{4}-\d{2}-\d{2}$/.test(text) ? 23 : 0;
  return Math.floor(time / HOUR_MS) + end;
}
