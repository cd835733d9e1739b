/** Answers the page's searches, as `tailrace grep` does, within a bound of bytes; what is found comes as it is found. */
import { findObjects } from '../../archive/find.ts';
import { TailraceError } from '../../base/errors.ts';
import { bytes as size } from '../../base/human.ts';
import type { OpenArchive } from '../archive-options.ts';
import { hoursOf, tagFilter, timesOf } from '../archive-range.ts';
import { eventFilter } from '../event-filter.ts';
import { TIME_KEYS } from '../event-printer.ts';
import { type FoundBlock, lastMatches } from '../grep/blocks.ts';
import { withinTime } from '../grep/bounded.ts';
import { searchNewestFirst } from '../grep/newest-first.ts';
import { compilePattern, type Pattern } from '../grep/pattern.ts';
import { addressHints } from '../grep/search.ts';
import type { SearchLine } from './api.ts';
import type { Answerer } from './server.ts';

/** Bytes of objects that one search looks through; it says where it stopped. */
const MOST_BYTES = 1024 ** 3;
const MOST_MATCHES = 1000;
const USUAL_MATCHES = 200;
const MOST_CONTEXT = 20;
/** A line may be a megabyte; a page shows its beginning. */
const SHOWN_CHARS = 16_384;
const PROGRESS_MS = 200;

/** @param mostBytes tests make it less */
export function searchAnswerer(archive: OpenArchive, mostBytes = MOST_BYTES): Answerer {
  return async (parameters, say, signal) => {
    const tell = (line: SearchLine): Promise<void> => say(line);
    const request = requestOf(parameters);
    const { pattern, filter, range, most, context } = request;
    const wanted = { tag: request.tag, hours: hoursOf(range) };
    const entries = await findObjects(archive, wanted, null, () => signal.throwIfAborted());
    const total = entries.reduce((sum, { object }) => sum + object.bytes, 0);
    await tell({ found: { objects: entries.length, bytes: total } });
    const search = {
      ...{ store: archive.store, pattern, filter, range, context, timeKeys: TIME_KEYS },
      hints: addressHints(request.ip),
    };
    let matches = 0;
    let bytes = 0;
    let back = Number.POSITIVE_INFINITY;
    let shownAt = 0;
    let stopped: string | null = null;
    for await (const step of searchNewestFirst(entries, search)) {
      if (signal.aborted) return;
      if ('fault' in step) await tell({ fault: step });
      else if ('block' in step) {
        if (matches >= most) continue;
        const block = lastMatches(step.block, most - matches, context);
        matches += block.matches;
        const { tag } = step.block;
        await tell({ block: withinTime(() => shown({ ...block, tag }, pattern)) });
      } else {
        bytes += entries[step.done - 1]!.object.bytes;
        back = step.back;
        if (matches >= most) stopped = `at ${most} matches`;
        else if (bytes >= mostBytes && step.done < entries.length)
          stopped = `after ${size(bytes)}, a search's bound: name a tag or a shorter time, or run tailrace grep`;
        if (stopped !== null) break;
        if (Date.now() - shownAt < PROGRESS_MS) continue;
        shownAt = Date.now();
        await tell({ progress: { objects: step.done, bytes, back } });
      }
    }
    await tell({ end: { matches, stopped, back: Number.isFinite(back) ? back : null } });
  };
}

/** @throws TailraceError CONFIG for what grep would refuse */
function requestOf(parameters: URLSearchParams) {
  const text = (name: string): string | undefined => parameters.get(name)?.trim() || undefined;
  const list = (name: string): string[] => parameters.getAll(name).filter((value) => value.trim() !== '');
  const source = parameters.get('pattern') || undefined;
  const [where, ip] = [list('where'), list('ip')];
  const pattern =
    source === undefined
      ? null
      : compilePattern(source, {
          fixed: parameters.has('fixed'),
          ignoreCase: parameters.has('ignore_case'),
        });
  const filter = eventFilter({ where, ip });
  if (pattern === null && filter === null)
    throw new TailraceError('CONFIG', 'say what to look for: a pattern, an address, or a condition');
  const [last, from, to] = [text('last'), text('from'), text('to')];
  if (last === undefined && from === undefined)
    throw new TailraceError('CONFIG', 'say how far back to look: the whole archive may be very large');
  const times = last === undefined ? { from, to } : { last };
  return {
    ...{ pattern, filter, ip },
    range: timesOf(Object.fromEntries(Object.entries(times).filter(([, value]) => value)), Date.now()),
    tag: tagFilter(text('tag')),
    most: numberOf(parameters, 'limit', USUAL_MATCHES, MOST_MATCHES),
    context: numberOf(parameters, 'context', 0, MOST_CONTEXT),
  };
}

/** @throws TailraceError CONFIG for anything but a whole number of at most `most` */
function numberOf(parameters: URLSearchParams, name: string, usual: number, most: number): number {
  const text = parameters.get(name);
  if (text === null || text === '') return usual;
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= most) return value;
  throw new TailraceError('CONFIG', `${name} ${text}: expected a whole number of at most ${most}`);
}

function shown(
  { tag, time, lines }: FoundBlock & { readonly tag: string },
  pattern: Pattern | null,
): Extract<SearchLine, { block: unknown }>['block'] {
  return {
    ...{ tag, time },
    lines: lines.map(({ text, isMatch }) => {
      const isCut = text.length > SHOWN_CHARS;
      const part = isCut ? `${text.slice(0, SHOWN_CHARS)} …` : text;
      const spans = pattern?.spans(text).filter(([, end]) => end <= SHOWN_CHARS) ?? [];
      return { text: part, spans: isMatch ? spans : null };
    }),
  };
}
