/** `tailrace query`: answers SQL over the archive with DuckDB, from no more objects than the question needs. */
import { writeFileSync } from 'node:fs';
import { text as textOf } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import { totalOf } from '../../archive/find.ts';
import { TailraceError } from '../../base/errors.ts';
import { count, hour, plain, bytes as size } from '../../base/human.ts';
import {
  type ArchiveOptions,
  type OpenArchive,
  openArchive,
  withArchiveOptions,
} from '../archive-options.ts';
import { type RangeOptions, tagFilter, timesOf, withRangeOptions } from '../archive-range.ts';
import { columnOption, typesOf } from '../column-types.ts';
import { collect, memoryOption, sizeArgument } from '../options.ts';
import { type Progress, progress } from '../progress.ts';
import { answer } from '../query/answer.ts';
import { Engine } from '../query/engine.ts';
import { unfinishedNote } from '../query/logs-view.ts';
import { existingFolder, requirePlaceOf } from '../query/paths.ts';
import { makeViews, understand } from '../query/question.ts';
import { createRunFolder } from '../query/run-folder.ts';
import type { Chosen } from '../query/selection.ts';

const FORMATS = ['table', 'csv', 'json', 'ndjson', 'parquet'] as const;
type Format = (typeof FORMATS)[number];

interface QueryOptions extends ArchiveOptions, RangeOptions {
  readonly format?: Format;
  readonly output?: string;
  readonly explain?: boolean;
  readonly column?: readonly string[];
  readonly timeKey?: string;
  readonly files?: readonly string[];
  readonly ndjson?: boolean;
  readonly memory: number;
  readonly cache: number;
  readonly temp?: string;
}

export function command(): Command {
  const query = new Command('query')
    .description(
      'Answer a question in SQL. The view logs has the archived events, with the columns tag, time, hour (UTC), one for each ' +
        'field and rest; commits has the commits, holes what verify finds missing. Only objects that the tags and times in the ' +
        'SQL or the options need are read.',
    )
    .argument(
      '<sql>',
      'one SELECT, such as "SELECT code, count(*) FROM logs GROUP BY 1"; - reads it from stdin',
    )
    .addOption(
      new Option(
        '--format <format>',
        "the output's form (default: table on a terminal, else csv, or by the ending of --output)",
      ).choices(FORMATS),
    )
    .option('-o, --output <file>', 'write to this file')
    .option('--explain', 'list the objects that would be read, and their size')
    .addOption(columnOption())
    .option('--time-key <field>', "the field with an event's time, if it is not time")
    .option('--files <dir>', 'let the SQL read the files of this folder; may be repeated', collect)
    .option('--ndjson', 'read the data objects, also of hours that are compacted to Parquet')
    .addOption(memoryOption())
    .addOption(
      new Option('--cache <size>', 'most that is fetched from S3, into temporary files')
        .argParser(sizeArgument)
        .default(20 * 1024 ** 3, '20GiB'),
    )
    .option('--temp <dir>', "where temporary files go, instead of the system's folder for them")
    .addHelpText(
      'after',
      `
Needs DuckDB, an optional dependency. Events without a time of their own have that of the first of their object.
Exit codes: 0 answered, 1 failed, or an object is damaged, gone or in cold storage, 2 bad usage or SQL, or the archive
cannot be read, 130 interrupted.`,
    );
  return withArchiveOptions(withRangeOptions(query, 'events')).action(run);
}

async function run(argument: string, options: QueryOptions): Promise<void> {
  const sql = argument === '-' ? await textOf(process.stdin) : argument;
  const format = formatOf(options);
  const range = timesOf(options, Date.now());
  const asked = typesOf(options.column ?? []);
  const temp = options.temp === undefined ? undefined : existingFolder('--temp', options.temp);
  const files = (options.files ?? []).map((path) => existingFolder('--files', path));
  if (options.output !== undefined) requirePlaceOf(options.output);
  const archive = await openArchive(options);
  const runFolder = createRunFolder(temp);
  const folder = runFolder.path;
  const engine = await Engine.open({
    memory: options.memory,
    folder,
    readable: [...files, ...(archive.folder ? [existingFolder('--folder', archive.folder)] : [])],
  });
  const line = progress(true);
  const stop = stopper(engine, line);
  try {
    // The time in Parquet is that of the usual fields.
    const withTables = !options.ndjson && options.timeKey === undefined;
    const tag = tagFilter(options.tag);
    const question = await understand({ engine, archive, sql, tag, range, withTables, show: line?.show });
    line?.clear();
    if (options.explain) {
      const text = await explanation(archive, question.chosen, line);
      if (options.output === undefined) process.stdout.write(text);
      else writeFileSync(options.output, text);
      return;
    }
    const { cache, timeKey } = options;
    const { note, fault } = reporters(line);
    await makeViews({
      engine,
      archive,
      folder,
      ...question,
      asked,
      range,
      cache,
      timeKey,
      line,
      note,
      fault,
    });
    line?.clear();
    await answer(engine, sql, { format, output: options.output, folder, line });
  } catch (error) {
    if (!stop.stopped) throw error;
    process.exitCode = 130;
  } finally {
    line?.clear();
    stop.end();
    archive.store.close();
    engine.close();
    runFolder.remove();
  }
}

/** What the answer lacks is said on stderr, and a fault is one of the command, too. */
function reporters(line: Progress | null) {
  const say = (text: string): void => {
    line?.clear();
    process.stderr.write(`${text}\n`);
  };
  return {
    note: say,
    fault: (key: string, fault: string): void => {
      say(`${plain(key)}: ${plain(fault)}`);
      process.exitCode = 1;
    },
  };
}

/** @throws TailraceError CONFIG for Parquet without a file */
function formatOf({ format, output }: QueryOptions): Format {
  const ending = output === undefined ? undefined : /\.(\w+)$/.exec(output)?.[1]?.toLowerCase();
  const byName = FORMATS.find((name) => name === ending || (ending === 'jsonl' && name === 'ndjson'));
  const chosen = format ?? byName ?? (output === undefined && process.stdout.isTTY ? 'table' : 'csv');
  if (chosen === 'parquet' && output === undefined)
    throw new TailraceError('CONFIG', '--format parquet needs a file: name it with --output FILE');
  return chosen;
}

/** Ends the run on the first signal, the process on the second. */
function stopper(engine: Engine, line: Progress | null): { readonly stopped: boolean; end(): void } {
  let stopped = false;
  const onSignal = (): void => {
    line?.clear();
    // Whatever is under way besides DuckDB has nothing to put right.
    if (stopped || !engine.isBusy) process.exit(130);
    stopped = true;
    engine.interrupt();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    get stopped() {
      return stopped;
    },
    end: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}

async function explanation(
  archive: OpenArchive,
  { tables, entries, unfinished }: Chosen,
  line: Progress | null,
): Promise<string> {
  const total = await totalOf(archive, line?.show);
  line?.clear();
  const read = entries.reduce((sum, { object }) => sum + object.bytes, 0);
  const lines = entries.map(
    ({ object: { tag, hour: hours, events, bytes, key } }) =>
      `${count(events).padStart(12)}  ${size(bytes).padStart(10)}  ${hour(hours)}  ${plain(tag)}  ${plain(key)}\n`,
  );
  for (const { table, hour: hours, bytes } of tables) {
    const { rows, tag, key } = table;
    lines.push(
      `${count(rows).padStart(12)}  ${size(bytes).padStart(10)}  ${hour(hours)}  ${plain(tag)}  ${plain(key)}\n`,
    );
  }
  if (tables.length > 0) {
    const inTables = tables.reduce((sum, { bytes }) => sum + bytes, 0);
    const sources = tables.reduce((sum, { table }) => sum + table.sources.length, 0);
    lines.push(
      `${count(tables.length)} Parquet objects, ${size(inTables)}, in place of ${count(sources)} data objects\n`,
    );
  }
  lines.push(
    `${count(entries.length)} of ${count(total.objects)} objects, ${size(read)} of ${size(total.bytes)}\n`,
  );
  if (unfinished.length > 0) lines.push(`${unfinishedNote(unfinished.length)}\n`);
  return lines.join('');
}
