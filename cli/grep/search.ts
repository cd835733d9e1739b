/** Searches one object: its lines of a range of time that match, in blocks. */
import type { CatalogEntry } from '../../archive/catalog.ts';
import { type EventRange, type ObjectBytes, readObject } from '../../archive/reading.ts';
import { type EventFilter, eventTime } from '../event-filter.ts';
import { eventOf, linesOf, wholeLines } from '../event-printer.ts';
import { BlockBuilder, type FoundBlock } from './blocks.ts';
import { withinTime } from './bounded.ts';
import type { Pattern } from './pattern.ts';

export interface Search {
  readonly store: ObjectBytes;
  /** Null when the filter alone decides. */
  readonly pattern: Pattern | null;
  readonly filter: EventFilter | null;
  /** Texts of which one is in every text with a line that the filter takes; null when nothing is known. */
  readonly hints: readonly string[] | null;
  readonly range: EventRange | null;
  readonly timeKeys: readonly string[];
  /** Lines before and after a match. */
  readonly context: number;
}

export interface Found {
  readonly blocks: readonly FoundBlock[];
  readonly faults: readonly string[];
}

export async function searchObject({ object }: CatalogEntry, search: Search): Promise<Found> {
  const { store, range } = search;
  const builder = new BlockBuilder(search.context);
  const faults: string[] = [];
  for await (const block of readObject(store, object, range)) {
    if ('fault' in block) {
      faults.push(block.fault);
      continue;
    }
    const isInside = range === null || (block.firstTime >= range.from && block.lastTime <= range.to);
    const limits = isInside ? null : range;
    for await (const text of wholeLines(block.lines)) {
      const add = (): void => {
        if (!mayMatch(text, search)) {
          if (search.context > 0) builder.addOthers(linesOf(text));
          return;
        }
        for (const line of linesOf(text))
          builder.add(line, matchTime(line, object.hour, limits, Math.max(0, block.firstTime), search));
      };
      if (search.pattern?.backtracks) withinTime(add);
      else add();
    }
  }
  return { blocks: builder.end(), faults };
}

function mayMatch(text: string, { pattern, hints }: Search): boolean {
  if (pattern !== null && !pattern.mayMatch(text)) return false;
  return hints === null || hints.some((hint) => text.includes(hint));
}

/** The time of a line that matches; null for one that does not. */
function matchTime(
  line: string,
  hour: number,
  limits: EventRange | null,
  fallback: number,
  { pattern, filter, timeKeys }: Search,
): number | null {
  if (pattern !== null && !pattern.matches(line)) return null;
  const event = eventOf(line);
  if (filter !== null && !filter(line, event)) return null;
  const time = eventTime(event, hour, timeKeys);
  if (limits !== null && time !== null && (time < limits.from || time > limits.to)) return null;
  return time ?? fallback;
}

/**
 * What a text must have for one of these addresses to be in it: the address itself, or the beginning of an IPv6 address
 * that has an IPv4 one inside.
 *
 * @returns null when there are other ways to write one of them
 */
export function addressHints(ip: readonly string[] | undefined): string[] | null {
  if (ip === undefined || ip.length === 0) return null;
  return ip.every((address) => /^\d+\.\d+\.\d+\.\d+(?:\/32)?$/.test(address))
    ? [...ip.map((address) => address.replace('/32', '')), ':ffff:', ':FFFF:']
    : null;
}
