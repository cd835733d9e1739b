/**
 * The archive as a table of engines that read files of S3 by a declared schema: Athena, Redshift Spectrum and Spark. The
 * statements that declare it, with the columns of the events' fields.
 */
import { TailraceError } from '../base/errors.ts';
import type { Column, ColumnType } from './field-types.ts';

type TableColumn = Pick<Column, 'name' | 'type'>;

export type Engine = 'athena' | 'spectrum' | 'spark';

export interface ExternalColumn {
  readonly name: string;
  /** The field's name in the event. */
  readonly field: string;
  readonly type: ColumnType | 'TIMESTAMP';
}

/** The hours of a tag, as the keys have them. */
export interface PartitionFolder {
  /** As in keys. */
  readonly tag: string;
  readonly dt: string;
  readonly hour: string;
}

export interface ExternalTable {
  readonly name: string;
  /** Where keys begin, such as `s3://bucket/prefix/`. */
  readonly root: string;
  /** How keys are made: {@link DEFAULT_KEY_TEMPLATE} or another. */
  readonly template: string;
  readonly form: 'ndjson' | 'parquet';
  readonly columns: readonly ExternalColumn[];
  /** At least one. */
  readonly folders: readonly PartitionFolder[];
}

/** Fields that an agent adds to some lines, which a sample need not have. */
export const MARKS: ReadonlyMap<string, ColumnType> = new Map([
  ['message', 'VARCHAR'],
  ['_unparsed', 'BOOLEAN'],
  ['_truncated', 'BOOLEAN'],
]);
/** Where Spark puts a line of which it takes a value, or all, for NULL. */
const CORRUPT = '_corrupt_record';
/** How the keys of the Parquet are made that `tailrace compact` puts. */
export const PARQUET_TEMPLATE = 'parquet/tag={tag}/dt={dt}/hour={hour}/{name}';
const MAX_NAME = 120;
/** What a statement cannot have in a name: controls, and what changes the direction of text. */
const UNWRITABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/u;
/** A statement of Redshift adds at most so many. */
const PARTITIONS_AT_ONCE = 100;

const TYPES: Readonly<Record<Engine, Readonly<Record<ExternalColumn['type'], string>>>> = {
  athena: {
    INTEGER: 'int',
    BIGINT: 'bigint',
    DOUBLE: 'double',
    BOOLEAN: 'boolean',
    VARCHAR: 'string',
    JSON: 'string',
    TIMESTAMP: 'timestamp',
  },
  spectrum: {
    INTEGER: 'integer',
    BIGINT: 'bigint',
    DOUBLE: 'double precision',
    BOOLEAN: 'boolean',
    VARCHAR: 'varchar(65535)',
    JSON: 'varchar(65535)',
    TIMESTAMP: 'timestamp',
  },
  spark: {
    INTEGER: 'INT',
    BIGINT: 'BIGINT',
    DOUBLE: 'DOUBLE',
    BOOLEAN: 'BOOLEAN',
    VARCHAR: 'STRING',
    JSON: 'STRING',
    TIMESTAMP: 'TIMESTAMP',
  },
};

/** How a template names its folders: what stands before each of the parts of a key that make a partition. */
interface Partition {
  readonly part: keyof PartitionFolder;
  readonly column: string;
}

export interface Columns {
  readonly columns: readonly ExternalColumn[];
  /** Fields that can have none. */
  readonly leftOut: readonly string[];
}

/**
 * The columns of an engine for these fields of NDJSON. But for Spark's, names do not differ by case and have neither dots nor
 * other signs: a name that is taken gets a number, and properties of the table say which field it is.
 *
 * @param partitions names of columns that the table has besides
 */
export function columnsOf(
  engine: Engine,
  fields: ReadonlyMap<string, ColumnType>,
  partitions: readonly string[],
): Columns {
  const isSpark = engine === 'spark';
  const usable = [...fields.keys()].filter(
    (field) => !UNWRITABLE.test(field) && !(isSpark && partitions.includes(field.toLowerCase())),
  );
  const leftOut = [...fields.keys()].filter((field) => !usable.includes(field));
  const name = isSpark ? (field: string): string => field : namesOf(usable, partitions);
  const columns: ExternalColumn[] = usable.map((field) => ({
    name: name(field),
    field,
    type: fields.get(field)!,
  }));
  if (isSpark && !fields.has(CORRUPT)) columns.push({ name: CORRUPT, field: CORRUPT, type: 'VARCHAR' });
  return { columns, leftOut };
}

/** Columns of Parquet have the names of its columns, which no property can change. */
export function parquetColumns(columns: readonly TableColumn[]): Columns {
  const usable = columns.filter(({ name }) => !UNWRITABLE.test(name));
  return {
    columns: [
      { name: 'time', field: 'time', type: 'TIMESTAMP' },
      ...usable.map(({ name, type }) => ({ name: name.toLowerCase(), field: name, type })),
      { name: 'rest', field: 'rest', type: 'JSON' },
    ],
    leftOut: columns.filter((column) => !usable.includes(column)).map(({ name }) => name),
  };
}

/** Fields that keep their name come first, so that no other takes it. */
function namesOf(fields: readonly string[], partitions: readonly string[]): (field: string) => string {
  const taken = new Set(partitions);
  const plain = fields.filter((field) => columnName(field) === field);
  const named = new Map<string, string>();
  for (const field of [...plain, ...fields]) {
    if (named.has(field)) continue;
    const wanted = columnName(field);
    let name = wanted;
    for (let n = 2; taken.has(name); n++) name = `${wanted}_${n}`;
    taken.add(name);
    named.set(field, name);
  }
  return (field) => named.get(field)!;
}

function columnName(field: string): string {
  const name = field
    .toLowerCase()
    .replaceAll(/[^a-z0-9_]/gu, '_')
    .slice(0, MAX_NAME);
  return name === '' ? '_' : name;
}

/**
 * Properties of the OpenX SerDe by which each column has its field. Names are compared as they are: folded, two fields
 * that differ by case stop a query.
 */
export function serdeProperties(columns: readonly ExternalColumn[]): Map<string, string> {
  const mapped = columns.filter(({ name, field }) => name !== field);
  return new Map([
    ['case.insensitive', 'false'],
    ...mapped.map(({ name, field }): [string, string] => [`mapping.${name}`, field]),
  ]);
}

/** @throws TailraceError CONFIG for keys that the engine cannot have as partitions */
export function createStatement(engine: Engine, table: ExternalTable): string {
  const partitions = partitionsOf(table.template);
  if (engine === 'spark') return sparkStatement(table);
  return engine === 'athena' ? athenaStatement(table, partitions) : spectrumStatement(table, partitions);
}

/** The columns that the folders of a template make. */
export function partitionsOf(template: string): Partition[] {
  if (template.includes('{shard}'))
    throw new TailraceError(
      'CONFIG',
      `archive.key_template ${template} has {shard}, of which no engine knows the values: query such an archive with tailrace query`,
    );
  return [...template.matchAll(/(?:(\w+)=)?\{(tag|dt|hour)\}/g)].map(([, column, part]) => ({
    part: part as Partition['part'],
    column: (column ?? part!).toLowerCase(),
  }));
}

function athenaStatement(table: ExternalTable, partitions: readonly Partition[]): string {
  const { root, folders } = table;
  const days = folders.map(({ dt }) => dt).sort();
  const of: Readonly<Record<Partition['part'], readonly (readonly [string, string])[]>> = {
    tag: [
      ['type', 'enum'],
      ['values', [...new Set(folders.map(({ tag }) => tag))].sort().join(',')],
    ],
    dt: [
      ['type', 'date'],
      ['format', 'yyyy-MM-dd'],
      ['range', `${days[0]},NOW+1DAYS`],
    ],
    hour: [
      ['type', 'integer'],
      ['range', '0,23'],
      ['digits', '2'],
    ],
  };
  const projection = partitions.flatMap(({ part, column }) =>
    of[part].map(([key, value]): [string, string] => [`projection.${column}.${key}`, value]),
  );
  const properties: [string, string][] = [
    ['projection.enabled', 'true'],
    ...projection,
    ['storage.location.template', root + folderOf(table, (part) => `\${${columnFor(partitions, part)}}`)],
  ];
  return `${[
    `CREATE EXTERNAL TABLE ${table.name} (`,
    `${columnList('athena', table, hiveName)})`,
    `PARTITIONED BY (${partitions.map(({ column }) => `${hiveName(column)} string`).join(', ')})`,
    ...storage(table, hiveText),
    `LOCATION ${hiveText(root + fixedFolder(table))}`,
    `TBLPROPERTIES (\n${properties.map((pair) => `  ${pair.map(hiveText).join(' = ')}`).join(',\n')})`,
  ].join('\n')};\n`;
}

function spectrumStatement(table: ExternalTable, partitions: readonly Partition[]): string {
  const { root, folders } = table;
  const create = `${[
    `CREATE EXTERNAL TABLE ${table.name} (`,
    `${columnList('spectrum', table, redshiftName)})`,
    `PARTITIONED BY (${partitions.map(({ column }) => `${redshiftName(column)} varchar(255)`).join(', ')})`,
    ...storage(table, redshiftText),
    `LOCATION ${redshiftText(root + fixedFolder(table))}`,
  ].join('\n')};\n`;
  const adds: string[] = [];
  for (let at = 0; at < folders.length; at += PARTITIONS_AT_ONCE) {
    const some = folders.slice(at, at + PARTITIONS_AT_ONCE).map((folder) => {
      const values = partitions.map(
        ({ part, column }) => `${redshiftName(column)}=${redshiftText(folder[part])}`,
      );
      const place = root + folderOf(table, (part) => folder[part]);
      return `\nPARTITION (${values.join(', ')}) LOCATION ${redshiftText(place)}`;
    });
    adds.push(`ALTER TABLE ${table.name} ADD IF NOT EXISTS${some.join('')};\n`);
  }
  return create + adds.join('');
}

/** Spark finds the partitions by itself. */
function sparkStatement(table: ExternalTable): string {
  const folded = table.columns.map(({ name }) => name.toLowerCase());
  const byCase = new Set(folded).size < folded.length ? 'SET spark.sql.caseSensitive = true;\n' : '';
  const { root, template, form } = table;
  const partitions = partitionsOf(template).map(
    ({ part, column }) => `${hiveName(column)} ${SPARK_PARTITION[part]}`,
  );
  return `${byCase}${[
    `CREATE TEMPORARY VIEW ${table.name} (`,
    `${columnList('spark', table, hiveName, partitions)})`,
    `USING ${form === 'parquet' ? 'parquet' : 'json'}`,
    `OPTIONS (path ${hiveText(root + fixedFolder(table))})`,
  ].join('\n')};\n`;
}

const SPARK_PARTITION = { tag: 'STRING', dt: 'DATE', hour: 'INT' } as const;

function columnList(
  engine: Engine,
  { columns }: ExternalTable,
  quoted: (name: string) => string,
  more: readonly string[] = [],
): string {
  const own = columns.map(({ name, type }) => `${quoted(name)} ${TYPES[engine][type]}`);
  return [...own, ...more].map((column) => `  ${column}`).join(',\n');
}

function storage({ form, columns }: ExternalTable, text: (value: string) => string): string[] {
  if (form === 'parquet') return ['STORED AS PARQUET'];
  const properties = [...serdeProperties(columns)].map((pair) => `  ${pair.map(text).join(' = ')}`);
  return [
    "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'",
    `WITH SERDEPROPERTIES (\n${properties.join(',\n')})`,
    ...(text === redshiftText ? ['STORED AS TEXTFILE'] : []),
  ];
}

/** The folder of keys up to their names, with its parts filled in. */
function folderOf({ template }: ExternalTable, fill: (part: Partition['part']) => string): string {
  return template
    .slice(0, template.lastIndexOf('/') + 1)
    .replaceAll(/\{(tag|dt|hour)\}/g, (_, part: Partition['part']) => fill(part));
}

/** What all keys begin with, to the last folder. */
function fixedFolder({ template }: ExternalTable): string {
  const [fixed] = template.split('{', 1);
  return fixed!.slice(0, fixed!.lastIndexOf('/') + 1);
}

function columnFor(partitions: readonly Partition[], part: Partition['part']): string {
  return partitions.find((one) => one.part === part)!.column;
}

function hiveName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

function redshiftName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function hiveText(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function redshiftText(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
