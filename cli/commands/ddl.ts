/** `tailrace ddl`: prints the statement that makes the archive a table of Athena, Redshift Spectrum or Spark. */
import { Argument, Command } from 'commander';
import { dateAndHour, encodeTag } from '../../archive/commit-keys.ts';
import {
  type Columns,
  columnsOf,
  createStatement,
  type Engine,
  MARKS,
  PARQUET_TEMPLATE,
  type PartitionFolder,
  parquetColumns,
  partitionsOf,
} from '../../archive/external-table.ts';
import type { ColumnType } from '../../archive/field-types.ts';
import { findObjects } from '../../archive/find.ts';
import { sampleObjects } from '../../archive/sample-objects.ts';
import { TailraceError } from '../../base/errors.ts';
import { plain } from '../../base/human.ts';
import {
  type ArchiveOptions,
  type OpenArchive,
  openArchive,
  withArchiveOptions,
} from '../archive-options.ts';
import { hoursOf, type RangeOptions, tagFilter, timesOf, withRangeOptions } from '../archive-range.ts';
import { columnOption, typesOf } from '../column-types.ts';
import { progress } from '../progress.ts';
import { neededTables } from '../query/tables.ts';

const ENGINES: readonly Engine[] = ['athena', 'spectrum', 'spark'];
const ALWAYS = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const;

interface DdlOptions extends ArchiveOptions, RangeOptions {
  readonly table?: string;
  readonly parquet?: boolean;
  readonly column?: readonly string[];
}

export function command(): Command {
  const ddl = new Command('ddl')
    .description(
      'Print the statement that makes the archive a table of another engine, with a column for each field of the events. ' +
        'Types are those of a sample: the first events of up to 32 objects of the chosen tags and times.',
    )
    .addArgument(new Argument('<engine>', 'for which engine').choices(ENGINES))
    .option('--table <name>', "the table's name (default: logs, for Spectrum spectrum.logs)")
    .option('--parquet', 'of the Parquet that tailrace compact makes')
    .addOption(columnOption())
    .addHelpText(
      'after',
      `
The tags of Athena's table and the partitions of Spectrum's are those that the archive has now: rerun the command when there
are further ones. Nothing is created: give the statement to the engine.
Exit codes: 0 printed, 1 failed, 2 bad usage, or the archive cannot be read.`,
    );
  return withArchiveOptions(withRangeOptions(ddl, 'events')).action(run);
}

async function run(engine: Engine, options: DdlOptions): Promise<void> {
  // Spectrum's tables are in a schema for them.
  const { table: name = engine === 'spectrum' ? 'spectrum.logs' : 'logs' } = options;
  if (!/^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?$/.test(name))
    throw new TailraceError(
      'CONFIG',
      `--table ${name}: expected lower-case letters, digits and _, such as logs or spectrum.logs`,
    );
  typesOf(options.column ?? []);
  const archive = await openArchive(options);
  try {
    const template = options.parquet ? PARQUET_TEMPLATE : archive.keyTemplate;
    // Of keys that cannot be partitions nothing has to be read.
    const partitions = partitionsOf(template).map(({ column }) => column);
    const { folders, columns, leftOut } = options.parquet
      ? await ofParquet(archive, options)
      : await ofLines(archive, options, (fields) => columnsOf(engine, fields, partitions));
    if (folders.length === 0)
      throw new TailraceError(
        'CONFIG',
        options.parquet
          ? 'nothing of these tags and times is compacted: run tailrace compact, or leave --parquet out'
          : 'nothing is archived of these tags and times: choose others, or wait for the first batch',
      );
    if (leftOut.length > 0)
      process.stderr.write(`fields without a column, for their names: ${leftOut.map(plain).join(', ')}\n`);
    const root = rootOf(engine, archive);
    const form = options.parquet ? 'parquet' : 'ndjson';
    const table = { name, root, template, form, columns, folders } as const;
    process.stdout.write(createStatement(engine, table));
  } finally {
    archive.store.close();
  }
}

interface Found extends Columns {
  readonly folders: readonly PartitionFolder[];
}

async function ofLines(
  archive: OpenArchive,
  options: DdlOptions,
  columns: (fields: ReadonlyMap<string, ColumnType>) => Columns,
): Promise<Found> {
  const asked = typesOf(options.column ?? []);
  const wanted = { tag: tagFilter(options.tag), hours: hoursOf(timesOf(options, Date.now())) };
  const shown = progress(true);
  const entries = await findObjects(archive, wanted, null, shown?.show);
  shown?.clear();
  const objects = entries.map(({ object }) => object);
  const { seen, faults } = await sampleObjects(archive.store, objects);
  for (const { key, fault } of faults) {
    process.stderr.write(`${plain(key)}: ${plain(fault)}\n`);
    process.exitCode = 1;
  }
  return { folders: foldersOf(objects), ...columns(seen.strictTypes(new Map([...MARKS, ...asked]))) };
}

async function ofParquet(archive: OpenArchive, options: DdlOptions): Promise<Found> {
  if (options.column !== undefined)
    throw new TailraceError('CONFIG', '--column: Parquet has the types with which it was made: leave it out');
  const tag = tagFilter(options.tag) ?? null;
  const hours = hoursOf(timesOf(options, Date.now()));
  const tables = await neededTables(archive, hours, [{ tag, time: ALWAYS, hour: ALWAYS }]);
  const types = new Map<string, ColumnType>();
  for (const { table } of tables)
    for (const { name, type } of table.columns) {
      const other = types.get(name);
      if (other !== undefined && other !== type)
        throw new TailraceError(
          'CONFIG',
          `the column ${name} is ${other} in the Parquet of some tags and ${type} in that of others: make a table for each, with --tag`,
        );
      types.set(name, type);
    }
  const columns = [...types].map(([name, type]) => ({ name, type }));
  return {
    folders: foldersOf(tables.map(({ table, hour }) => ({ tag: table.tag, hour }))),
    ...parquetColumns(columns),
  };
}

/** The hours of each tag, as keys have them. */
function foldersOf(objects: readonly { readonly tag: string; readonly hour: number }[]): PartitionFolder[] {
  const folders = new Map<string, PartitionFolder>();
  for (const object of objects) {
    const tag = encodeTag(object.tag);
    const [dt, hour] = dateAndHour(object.hour);
    folders.set(`${tag}/${dt}/${hour}`, { tag, dt, hour });
  }
  return [...folders].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, folder]) => folder);
}

/** Where the engine finds the keys. */
function rootOf(engine: Engine, { bucket, folder, prefix }: OpenArchive): string {
  // What Spark runs on AWS calls S3 by either name; elsewhere s3a alone is known.
  const scheme = engine === 'spark' ? 's3a' : 's3';
  if (bucket !== undefined) return `${scheme}://${bucket}/${prefix}`;
  return engine === 'spark' ? `${folder}/${prefix}` : `s3://BUCKET/${prefix}`;
}
