/** `tailrace ls`: lists tags, hours and sizes of the archive. */
import { Command } from 'commander';
import { dateAndHour } from '../../chunk/commit-keys.ts';
import { type ArchiveOptions, openArchive, withArchiveOptions } from '../../consumer/archive-options.ts';
import { Catalog } from '../../consumer/catalog.ts';
import { hourOption, tagFilter } from '../../consumer/catalog-filter.ts';
import { grouped, printable, sizeText } from '../../consumer/printable.ts';

interface LsOptions extends ArchiveOptions {
  readonly tag?: string;
  readonly from?: string;
  readonly to?: string;
  readonly hours?: boolean;
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
    .description('Lists what the archive holds: tags, or with --hours each hour of them.')
    .option('--tag <tag>', 'of this tag; * stands for anything')
    .option('--from <time>', 'from this hour on, such as 2026-11-23T07 or 2h (ago)')
    .option('--to <time>', 'up to this hour, included')
    .option('--hours', 'a line for each hour')
    .option('--json', 'a line of JSON each');
  return withArchiveOptions(ls).action(run);
}

async function run(options: LsOptions): Promise<void> {
  const now = Date.now();
  const hours = [
    hourOption('--from', options.from, now, 0),
    hourOption('--to', options.to, now, 1e9),
  ] as const;
  const filter = { hours, ...(options.tag === undefined ? {} : { tag: tagFilter(options.tag) }) };
  const { store, prefix } = openArchive(options);
  const lines = new Map<string, Line>();
  for (const { object } of await new Catalog(store, prefix).next(filter)) {
    const hour = options.hours ? dateAndHour(object.hour).join('T') : undefined;
    const key = `${object.tag}\n${hour}`;
    let line = lines.get(key);
    if (!line) {
      line = {
        tag: object.tag,
        ...(hour === undefined ? {} : { hour }),
        objects: 0,
        events: 0,
        bytes: 0,
        raw_bytes: 0,
      };
      lines.set(key, line);
    }
    line.objects += 1;
    line.events += object.events;
    line.bytes += object.bytes;
    line.raw_bytes += object.raw_bytes;
  }
  store.close();
  const sorted = [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
  process.stdout.write(
    sorted.map((line) => (options.json ? `${JSON.stringify(line)}\n` : text(line))).join(''),
  );
}

function text(line: Line): string {
  const { tag, hour, objects, events, bytes } = line;
  const columns = [grouped(events).padStart(15), sizeText(bytes).padStart(11), grouped(objects).padStart(8)];
  return `${columns.join(' ')}  ${hour === undefined ? '' : `${hour}  `}${printable(tag)}\n`;
}
