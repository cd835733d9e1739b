/**
 * The SQL by which DuckDB sees data objects as a table of events: `tag`, `time`, `hour`, a column for each field, and in
 * `rest` what has no column or does not fit into its own.
 *
 * `time` is the event's own time where that lies in the time that the commit says of the object, else the first time
 * of the object: so it is never outside, and an object can be passed over by its times alone.
 */
import { type Column, type ColumnType, TIME_FIELDS } from './field-types.ts';

const HOUR_MS = 3_600_000;

/** An object as a file, and what the SQL has to know of it. */
export interface LogFile extends LogBounds {
  readonly path: string;
}

export interface LogBounds {
  readonly tag: string;
  /** Whole hours since 1970. */
  readonly hour: number;
  /** Of its events, milliseconds since 1970. */
  readonly firstTime: number;
  readonly lastTime: number;
}

/** The times within which an object's events lie. Foreign records are under the hour of their arrival, and may be earlier. */
export function timesOfObject(object: {
  readonly hour: number;
  readonly foreign: number;
  readonly first_time?: number | undefined;
  readonly last_time?: number | undefined;
}): readonly [first: number, last: number] {
  const [start, end] = [object.hour * HOUR_MS, (object.hour + 1) * HOUR_MS - 1];
  const { foreign, first_time: first, last_time: last } = object;
  if (foreign > 0 || first === undefined || last === undefined) return [start, end];
  // Whatever a commit says, an object is looked for by its hour.
  const within = (time: number): number => Math.min(end, Math.max(start, time));
  return [within(Math.min(first, last)), within(Math.max(first, last))];
}

/** An object as conditions and the SQL see it. */
export function logFileOf(object: Parameters<typeof timesOfObject>[0] & { readonly tag: string }): LogBounds {
  const [firstTime, lastTime] = timesOfObject(object);
  return { tag: object.tag, hour: object.hour, firstTime, lastTime };
}

export interface LogsSql {
  readonly files: readonly LogFile[];
  readonly columns: readonly Column[];
  /** Whether there is a column `rest`; without it a query is faster. */
  readonly withRest: boolean;
  /** Whether a value that does not fit an inferred type stops the query; it is in `rest` otherwise. */
  readonly strict: boolean;
  /** Fields with an event's time, instead of the usual. */
  readonly timeFields?: readonly string[];
}

/** Columns that DuckDB's readers of files add: a field of that name is taken from the whole line. */
const RESERVED: ReadonlySet<string> = new Set(['file_index', 'filename', 'file_row_number', 'rowid']);

/** Whether a column of a file may not have this name. */
export function isReserved(name: string): boolean {
  return RESERVED.has(name.toLowerCase());
}

/** A SELECT over the files; of no rows when there are none. */
export function logsSql(request: LogsSql): string {
  const { files, columns, withRest, strict, timeFields = TIME_FIELDS } = request;
  const isWhole =
    withRest || [...columns.map(({ name }) => name), ...timeFields].some((name) => isReserved(name));
  /** A field of the line, as JSON. */
  const field = (name: string): string =>
    isWhole
      ? `json_extract(_line.json, ${text(`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`)})`
      : `_line.${id(name)}`;
  const values = columns.map((column) => valueSql(column, field(column.name), strict));
  const times = timeFields.map((name) => timeSql(field(name)));
  const list = [
    '_object._tag AS tag',
    `coalesce(${[...times.map(withinSql), 'make_timestamp(_object._f::BIGINT * 1000)'].join(', ')}) AS time`,
    `make_timestamp(_object._h::BIGINT * ${HOUR_MS * 1000}) AS hour`,
    ...columns.map(({ name }, i) => `${values[i]} AS ${id(name)}`),
    ...(withRest ? [`${restSql(request, field, values, times)} AS rest`] : []),
  ];
  const names = isWhole ? [] : [...new Set([...timeFields, ...columns.map(({ name }) => name)])];
  return `SELECT ${list.join(',\n  ')}\nFROM ${files.length === 0 ? nothing(names) : reader(files, names)}`;
}

/** @param names of the fields to read as JSON; the whole line as `json` when there are none */
function reader(files: readonly LogFile[], names: readonly string[]): string {
  const paths = `[${files.map(({ path }) => text(path)).join(', ')}]`;
  // A line that DuckDB does not take as JSON is a row without fields.
  const options = 'ignore_errors = true, hive_partitioning = false';
  const lines =
    names.length === 0
      ? `read_ndjson_objects(${paths}, ${options})`
      : `read_ndjson(${paths}, columns = {${names.map((name) => `${text(name)}: 'JSON'`).join(', ')}}, ${options})`;
  const objects = files.map(
    // Times of early 1970 alone would make a column of 32 bits.
    ({ tag, hour, firstTime, lastTime }, i) =>
      `(${i}, ${text(tag)}, ${hour}::BIGINT, ${firstTime}::BIGINT, ${lastTime}::BIGINT)`,
  );
  return `${lines} AS _line
JOIN (VALUES ${objects.join(', ')}) AS _object(_file, _tag, _h, _f, _l) ON _line.file_index = _object._file::UBIGINT`;
}

function nothing(names: readonly string[]): string {
  const columns = (names.length === 0 ? ['json'] : names).map((name) => `NULL::JSON AS ${id(name)}`);
  const numbers = ['_h', '_f', '_l'].map((name) => `0::BIGINT AS ${name}`);
  return `(SELECT ${columns.join(', ')} WHERE false) AS _line, (SELECT ${numbers.join(', ')}, '' AS _tag) AS _object`;
}

/** @param json the field, as JSON */
export function valueSql({ name, type, known }: Column, json: string, strict: boolean): string {
  const value = `(${json} ->> '$')`;
  if (type === 'JSON') return json;
  if (type === 'VARCHAR') return value;
  const fitting = FITTING[type](value);
  if (known || !strict) return fitting;
  const complaint = `${text(`field ${name} has a value that is not of its type ${type}, which the first events have: `)} || ${value}`;
  return `CASE WHEN ${value} IS NULL THEN NULL WHEN (${fitting}) IS NULL THEN error(${complaint})::${type} ELSE ${fitting} END`;
}

/** A value's text as a value of the type; NULL when that would change it. */
const FITTING: Readonly<Record<Exclude<ColumnType, 'JSON' | 'VARCHAR'>, (value: string) => string>> = {
  // Casts round.
  INTEGER: (value) => wholeSql(value, 'INTEGER'),
  BIGINT: (value) => wholeSql(value, 'BIGINT'),
  DOUBLE: (value) => `TRY_CAST(${value} AS DOUBLE)`,
  BOOLEAN: (value) => `CASE ${value} WHEN 'true' THEN true WHEN 'false' THEN false END`,
};

function wholeSql(value: string, type: string): string {
  return `CASE WHEN TRY_CAST(${value} AS DOUBLE) = TRY_CAST(${value} AS ${type}) THEN TRY_CAST(${value} AS ${type}) END`;
}

/** The time that a field says: RFC 3339, or seconds or milliseconds since 1970. */
function timeSql(json: string): string {
  const value = `(${json} ->> '$')`;
  const number = `TRY_CAST(${value} AS DOUBLE)`;
  // The cast to TIMESTAMP takes no notice of an offset.
  return (
    `CASE WHEN ends_with(${value}, 'Z') THEN TRY_CAST(${value} AS TIMESTAMP) ` +
    `WHEN regexp_full_match(${value}, '\\d{4}-\\d\\d-\\d\\d[Tt ].*([Zz]|[+-]\\d\\d:?\\d\\d)') THEN make_timestamp(epoch_us(TRY_CAST(${value} AS TIMESTAMPTZ))) ` +
    `WHEN ${number} BETWEEN 0 AND 1e11 THEN make_timestamp((${number} * 1e6)::BIGINT) ` +
    `WHEN ${number} BETWEEN 1e11 AND 1e14 THEN make_timestamp((${number} * 1e3)::BIGINT) END`
  );
}

/** NULL unless the object can hold an event of the time. */
function withinSql(time: string): string {
  return `CASE WHEN epoch_us(${time}) BETWEEN _object._f * 1000 AND _object._l * 1000 + 999 THEN ${time} END`;
}

function restSql(
  { columns, timeFields = TIME_FIELDS }: LogsSql,
  field: (name: string) => string,
  values: readonly string[],
  times: readonly string[],
): string {
  const stored = Object.fromEntries(columns.map(({ name }) => [name, null]));
  const patches = [text(JSON.stringify(stored))];
  columns.forEach(({ name, type }, i) => {
    if (type === 'VARCHAR' || type === 'JSON') return;
    const json = field(name);
    patches.push(
      `CASE WHEN (${json} ->> '$') IS NOT NULL AND (${values[i]}) IS NULL THEN json_object(${text(name)}, ${json}) ELSE '{}' END`,
    );
  });
  // A time is left out of the rest when the column says the same: microseconds.
  let earlier = '';
  timeFields.forEach((name, i) => {
    const within = withinSql(times[i]!);
    const isShort = `length(${field(name)} ->> '$') <= ${'2026-11-23T21:04:07.123456+00:00'.length}`;
    patches.push(
      `CASE WHEN ${earlier}(${within}) IS NOT NULL AND ${isShort} THEN ${text(JSON.stringify({ [name]: null }))} ELSE '{}' END`,
    );
    earlier += `(${within}) IS NULL AND `;
  });
  return `nullif(json_merge_patch(_line.json, ${patches.join(', ')}), '{}')`;
}

/** A string literal. */
function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function id(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
