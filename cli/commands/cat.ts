/** `tailrace cat`: prints archived events as NDJSON. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { Catalog, type CatalogEntry } from '../../archive/catalog.ts';
import { findObjects } from '../../archive/find.ts';
import {
  type Block,
  type EventRange,
  type Fault,
  type ObjectBytes,
  readObject,
} from '../../archive/reading.ts';
import { plain } from '../../base/human.ts';
import { type ArchiveOptions, openArchive, withArchiveOptions } from '../archive-options.ts';
import { hoursOf, type RangeOptions, tagFilter, timesOf, withRangeOptions } from '../archive-range.ts';
import { type EventFilterOptions, eventFilter, withFilterOptions } from '../event-filter.ts';
import { EventPrinter, TIME_KEYS } from '../event-printer.ts';
import { type Progress, progress } from '../progress.ts';

interface CatOptions extends ArchiveOptions, RangeOptions, EventFilterOptions {
  readonly count?: boolean;
  readonly fields?: string;
  readonly timeKey?: string;
  readonly follow?: boolean;
}

const FETCHED_AHEAD = 4;
const POLL_MS = 1000;

export function command(): Command {
  const described = new Command('cat')
    .description(
      'Print archived events as NDJSON, hour by hour: only what the commits name, each event once.',
    )
    .option('--grep <text>', 'only events with this text in one of their values');
  const cat = withFilterOptions(described)
    .option('--fields <names>', 'print only these fields, separated by commas')
    .option('--count', 'print the number of events instead')
    .option('--time-key <field>', "the field with an event's time, if it is not time")
    .option('--follow', 'keep printing as more is archived')
    .addHelpText(
      'after',
      `
A range is exact to the millisecond of an event's time. Events without a time of their own go by that of the events
they were archived with.
Exit codes: 0 printed, 1 an object is damaged, gone or in cold storage, 2 bad usage, or the archive cannot be read.`,
    );
  return withArchiveOptions(withRangeOptions(cat, 'events')).action(run);
}

async function run(options: CatOptions): Promise<void> {
  const range = timesOf(options, Date.now());
  const tag = tagFilter(options.tag);
  const hours = hoursOf(range);
  const printer = new EventPrinter({
    range,
    filter: eventFilter(options),
    timeKeys: options.timeKey === undefined ? TIME_KEYS : [options.timeKey],
    fields: options.fields === undefined ? null : options.fields.split(','),
    count: options.count ?? false,
  });
  const archive = await openArchive(options);
  const { store, prefix } = archive;
  // A progress line would end up among the events on a terminal that shows both.
  const line = progress(!process.stdout.isTTY && !options.follow);
  const catalog = new Catalog(store, prefix);
  const upTo = options.follow ? await catalog.skipToEnd() : null;
  const found = await findObjects(archive, { tag, hours }, upTo, line?.show);
  await printEntries(found, { store, range, printer, line });
  while (options.follow) {
    const entries = await catalog.next({ hours, ...(tag ? { tag } : {}) }, true);
    await printEntries(entries, { store, range, printer, line });
    await sleep(POLL_MS);
  }
  line?.clear();
  store.close();
  if (found.length === 0)
    process.stderr.write('nothing is archived of this tag and time; tailrace ls shows what there is\n');
  if (options.count) process.stdout.write(`${printer.events}\n`);
  if (printer.timeless > 0) {
    process.stderr.write(
      `${printer.timeless} events without a time in their hour were chosen by the events around them; --time-key names another field\n`,
    );
  }
}

interface Printing {
  readonly store: ObjectBytes;
  readonly range: EventRange | null;
  readonly printer: EventPrinter;
  readonly line: Progress | null;
}

async function printEntries(
  entries: readonly CatalogEntry[],
  { store, range, printer, line }: Printing,
): Promise<void> {
  const coming: ReturnType<typeof begin>[] = [];
  for (let i = 0; i < entries.length; i++) {
    while (coming.length < FETCHED_AHEAD && i + coming.length < entries.length)
      coming.push(begin(store, entries[i + coming.length]!, range));
    const { object } = entries[i]!;
    for await (const block of coming.shift()!()) {
      if (!('fault' in block)) await printer.print(block, object.hour);
      else {
        line?.clear();
        process.stderr.write(`${plain(object.key)}: ${plain(block.fault)}\n`);
        process.exitCode = 1;
      }
    }
    line?.show(i + 1, entries.length, 'objects');
  }
}

/** Fetches the first bytes of an object now; the rest, and what it decompresses to, when it is asked for. */
function begin(
  store: ObjectBytes,
  { object }: CatalogEntry,
  range: EventRange | null,
): () => AsyncGenerator<Block | Fault> {
  const blocks = readObject(store, object, range);
  const first = blocks.next();
  // A failure is reported when its turn comes.
  first.catch(() => {});
  return async function* () {
    const { value, done } = await first;
    if (done) return;
    yield value;
    yield* blocks;
  };
}
