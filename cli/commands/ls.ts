/** `tailrace ls`: lists the tags, hours and sizes of the archive. */
import { Command, Option } from 'commander';
import { dateAndHour } from '../../archive/commit-keys.ts';
import { summarize } from '../../archive/find.ts';
import { voidedObjects } from '../../archive/voided.ts';
import { count, plain, plainLines, bytes as size } from '../../base/human.ts';
import { type ArchiveOptions, openArchive, withArchiveOptions } from '../archive-options.ts';
import {
  hoursOf,
  type RangeOptions,
  requireWholeHours,
  tagFilter,
  timesOf,
  withRangeOptions,
} from '../archive-range.ts';
import { progress } from '../progress.ts';

/** As in 2026-11-23T07. */
const HOUR_LETTERS = 13;

interface LsOptions extends ArchiveOptions, RangeOptions {
  readonly hours?: boolean;
  readonly voided?: boolean;
  readonly json?: boolean;
}

interface Line {
  readonly tag: string;
  readonly hour?: string;
  objects: number;
  events: number;
  bytes: number;
  raw_bytes: number;
}

export function command(): Command {
  const ls = new Command('ls')
    .description('List what the archive holds: tags, or with --hours each hour of a tag.')
    .option('--hours', 'print one line per hour')
    .addOption(
      new Option(
        '--voided',
        'print the keys of empty objects under voided names; docs/archive-format.md says when they can be deleted',
      ).conflicts('hours'),
    )
    .option('--json', 'print one JSON object per line')
    .addHelpText(
      'after',
      '\nColumns: events, compressed bytes, objects, with --hours the hour in UTC, and the tag. A terminal gets a heading; scripts\nget the lines alone.\nSums are of whole hours: --last 2h includes all of the hour in which it begins.\nExit codes: 0 listed, 1 failed, 2 bad usage, or the archive cannot be read.',
    );
  return withArchiveOptions(withRangeOptions(ls, 'events')).action(run);
}

async function run(options: LsOptions): Promise<void> {
  const range = timesOf(options, Date.now());
  // --last nearly always begins within an hour, which is listed as a whole.
  if (options.last === undefined)
    requireWholeHours(range, '`tailrace cat --count` counts the events of any range');
  const archive = await openArchive(options);
  const shown = progress(true);
  const lines = new Map<string, Map<number | null, Line>>();
  const wanted = { tag: tagFilter(options.tag), hours: hoursOf(range) };
  if (options.voided) {
    const voided = await voidedObjects(archive, wanted, shown?.show);
    shown?.clear();
    archive.store.close();
    const texts = voided.map(({ key, tag, hour }) =>
      options.json ? JSON.stringify({ key, tag, hour: dateAndHour(hour).join('T') }) : plain(key),
    );
    process.stdout.write(plainLines(texts.map((line) => `${line}\n`).join('')));
    return;
  }
  await summarize(archive, wanted, shown?.show, (object) => {
    const line = lineOf(lines, object.tag, options.hours ? object.hour : null);
    line.objects += 1;
    line.events += object.events;
    line.bytes += object.bytes;
    line.raw_bytes += object.rawBytes;
  });
  shown?.clear();
  archive.store.close();
  const sorted = [...lines]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, hours]) => [...hours].sort(([a], [b]) => a! - b!).map(([, line]) => line));
  if (sorted.length === 0) process.stderr.write('nothing is archived of this tag and time\n');
  else if (process.stdout.isTTY && !options.json) process.stdout.write(heading(options.hours ?? false));
  process.stdout.write(
    sorted.map((line) => (options.json ? plainLines(`${JSON.stringify(line)}\n`) : text(line))).join(''),
  );
}

/** The line of a tag, or of an hour of it; a year has over a million objects, so the hour is written out once. */
function lineOf(lines: Map<string, Map<number | null, Line>>, tag: string, hour: number | null): Line {
  let hours = lines.get(tag);
  if (!hours) {
    hours = new Map();
    lines.set(tag, hours);
  }
  let line = hours.get(hour);
  if (!line) {
    const named = hour === null ? {} : { hour: dateAndHour(hour).join('T') };
    line = { tag, ...named, objects: 0, events: 0, bytes: 0, raw_bytes: 0 };
    hours.set(hour, line);
  }
  return line;
}

function text({ tag, hour, objects, events, bytes }: Line): string {
  return columns([count(events), size(bytes), count(objects), hour, plain(tag)]);
}

/** For people alone: scripts get the lines. */
function heading(hours: boolean): string {
  return columns([
    'EVENTS',
    'COMPRESSED',
    'OBJECTS',
    hours ? 'HOUR (UTC)'.padEnd(HOUR_LETTERS) : undefined,
    'TAG',
  ]);
}

function columns([events, bytes, objects, hour, tag]: readonly (string | undefined)[]): string {
  const numbers = `${events!.padStart(15)} ${bytes!.padStart(11)} ${objects!.padStart(8)}`;
  return `${numbers}  ${hour === undefined ? '' : `${hour}  `}${tag}\n`;
}
