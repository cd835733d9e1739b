/** `tailrace grep`: finds archived events as a person looks for them, newest first. */
import { Command, Option } from 'commander';
import type { CatalogEntry } from '../../archive/catalog.ts';
import { findObjects } from '../../archive/find.ts';
import { TailraceError } from '../../base/errors.ts';
import { plain, plainLines } from '../../base/human.ts';
import { type ArchiveOptions, openArchive, withArchiveOptions } from '../archive-options.ts';
import { hoursOf, type RangeOptions, tagFilter, timesOf, withRangeOptions } from '../archive-range.ts';
import { type EventFilterOptions, eventFilter, withFilterOptions } from '../event-filter.ts';
import { TIME_KEYS, writeOut } from '../event-printer.ts';
import { type FoundBlock, lastMatches } from '../grep/blocks.ts';
import { withinTime } from '../grep/bounded.ts';
import { searchNewestFirst } from '../grep/newest-first.ts';
import { compilePattern, type Pattern } from '../grep/pattern.ts';
import { addressHints, type Search } from '../grep/search.ts';
import { countArgument } from '../options.ts';
import { type Progress, progress } from '../progress.ts';

interface GrepOptions extends ArchiveOptions, RangeOptions, Omit<EventFilterOptions, 'grep'> {
  readonly context: number;
  readonly count?: boolean;
  readonly ignoreCase?: boolean;
  readonly fixedStrings?: boolean;
  readonly maxCount?: number;
  readonly timeKey?: string;
  readonly color: 'auto' | 'always' | 'never';
}

export function command(): Command {
  const described = new Command('grep')
    .description(
      'Find archived events, newest first. The pattern is a regular expression (JavaScript, flag u), tried on each line as ' +
        'the archive has it: one JSON object.',
    )
    .argument('[pattern]', 'what to look for; may be left out with --ip or --where')
    .option('-i, --ignore-case', 'upper and lower case are the same')
    .option('-F, --fixed-strings', 'the pattern is a text')
    .option('-m, --max-count <n>', 'stop after this many events, the newest', countArgument)
    .addOption(
      new Option('-C, --context <n>', 'also print this many lines before and after, as they were archived')
        .argParser(contextArgument)
        .default(0, '0'),
    );
  const grep = withFilterOptions(described)
    .option('--count', 'print the number of events instead')
    .option('--time-key <field>', "the field with an event's time, if it is not time")
    .addOption(
      new Option('--color <when>', 'highlight what matches')
        .choices(['auto', 'always', 'never'])
        .default('auto'),
    )
    .addHelpText(
      'after',
      `
Exit codes: 0 found, 1 nothing found, or an object is damaged, gone or in cold storage, 2 bad usage, or the archive
cannot be read.`,
    );
  return withArchiveOptions(withRangeOptions(grep, 'events')).action(run);
}

function contextArgument(text: string): number {
  return text === '0' ? 0 : countArgument(text);
}

async function run(source: string | undefined, options: GrepOptions): Promise<void> {
  const { ignoreCase = false, fixedStrings: fixed = false } = options;
  const pattern = source === undefined ? null : compilePattern(source, { fixed, ignoreCase });
  const filter = eventFilter(options);
  if (pattern === null && filter === null)
    throw new TailraceError('CONFIG', 'name a pattern, or an address with --ip, or a condition with --where');
  const range = timesOf(options, Date.now());
  const archive = await openArchive(options);
  const line = progress(!process.stdout.isTTY);
  const wanted = { tag: tagFilter(options.tag), hours: hoursOf(range) };
  const entries = await findObjects(archive, wanted, null, line?.show);
  const printer = new BlockPrinter(
    options,
    pattern,
    new Set(entries.map(({ object }) => object.tag)).size > 1,
  );
  const search: Search = {
    ...{ store: archive.store, pattern, filter, hints: addressHints(options.ip), range },
    timeKeys: options.timeKey === undefined ? TIME_KEYS : [options.timeKey],
    context: options.count ? 0 : options.context,
  };
  await searchAll(entries, search, printer, line);
  line?.clear();
  archive.store.close();
  if (options.count) process.stdout.write(`${printer.matches}\n`);
  if (printer.matches === 0) process.exitCode = 1;
}

async function searchAll(
  entries: CatalogEntry[],
  search: Search,
  printer: BlockPrinter,
  line: Progress | null,
): Promise<void> {
  for await (const step of searchNewestFirst(entries, search)) {
    if ('fault' in step) {
      line?.clear();
      process.stderr.write(`${plain(step.key)}: ${plain(step.fault)}\n`);
      process.exitCode = 1;
    } else if ('block' in step) await printer.print(step.block);
    else {
      if (printer.isFull) return;
      line?.show(step.done, entries.length, 'objects');
    }
  }
}

const MATCH = ['\u001b[1;31m', '\u001b[0m'] as const;
const TAG = ['\u001b[35m', '\u001b[0m'] as const;
const BETWEEN_BLOCKS = '--\n';

/** Prints blocks until it has printed enough. */
class BlockPrinter {
  readonly #options: GrepOptions;
  readonly #pattern: Pattern | null;
  readonly #withColor: boolean;
  readonly #withTag: boolean;
  /** Events printed or counted. */
  matches = 0;

  /** @param manyTags whether a person has to see which tag an event is of */
  constructor(options: GrepOptions, pattern: Pattern | null, manyTags: boolean) {
    const { isTTY = false } = process.stdout;
    this.#options = options;
    this.#pattern = pattern;
    this.#withColor =
      options.color === 'always' || (options.color === 'auto' && isTTY && !process.env['NO_COLOR']);
    this.#withTag = manyTags && isTTY;
  }

  get isFull(): boolean {
    return this.matches >= (this.#options.maxCount ?? Number.POSITIVE_INFINITY);
  }

  async print(block: FoundBlock & { readonly tag: string }): Promise<void> {
    if (this.isFull) return;
    const { count, context, maxCount = Number.POSITIVE_INFINITY } = this.#options;
    const isFirst = this.matches === 0;
    const { matches, lines: wanted } = lastMatches(block, maxCount - this.matches, context);
    this.matches += matches;
    if (count) return;
    const lines = wanted.map(
      ({ text, isMatch }) => `${this.#prefix(block.tag)}${this.#line(text, isMatch)}\n`,
    );
    await writeOut((context > 0 && !isFirst ? BETWEEN_BLOCKS : '') + lines.join(''));
  }

  #prefix(tag: string): string {
    if (!this.#withTag) return '';
    return this.#withColor ? `${TAG[0]}${plain(tag)}${TAG[1]} ` : `${plain(tag)} `;
  }

  #line(text: string, isMatch: boolean): string {
    const shown = (part: string): string => (process.stdout.isTTY ? plainLines(part) : part);
    if (!this.#withColor || !isMatch || this.#pattern === null) return shown(text);
    let line = '';
    let at = 0;
    const pattern = this.#pattern;
    const spans = (): [number, number][] => pattern.spans(text);
    for (const [start, end] of pattern.backtracks ? withinTime(spans) : spans()) {
      line += shown(text.slice(at, start)) + MATCH[0] + shown(text.slice(start, end)) + MATCH[1];
      at = end;
    }
    return line + shown(text.slice(at));
  }
}
