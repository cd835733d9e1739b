/** Hours that are compacted: their Parquet objects instead of the data objects of which they were made. */
import { createWriteStream, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { countCompactions, readCompactions, type Table } from '../../archive/compact/compaction.ts';
import type { Column } from '../../archive/field-types.ts';
import type { ShowProgress } from '../../archive/find.ts';
import type { ListableStore } from '../../archive/listing.ts';
import { logFileOf, valueSql } from '../../archive/logs-sql.ts';
import type { ObjectBytes } from '../../archive/reading.ts';
import { atOnce } from '../../base/at-once.ts';
import { TailraceError } from '../../base/errors.ts';
import { bytes as size } from '../../base/human.ts';
import { text } from './engine.ts';
import { type Box, isNeeded } from './predicate.ts';

/** So many are fetched at the same time, fewer where one of them is large. */
const SMALL_AT_ONCE = 64;
const LARGE_AT_ONCE = 8;
const LARGE_BYTES = 1024 * 1024;
/** What one of them holds in memory. */
const PIECE_BYTES = 8 * 1024 * 1024;

export interface NeededTable {
  readonly table: Table;
  readonly hour: number;
  /** Of its Parquet object. */
  readonly bytes: number;
}

/** The tables of these hours that can hold a row that is needed, and whose Parquet object is there. */
export async function neededTables(
  { store, prefix }: { readonly store: ListableStore; readonly prefix: string },
  [first, last]: readonly [number, number],
  boxes: readonly Box[],
): Promise<NeededTable[]> {
  const counts = await countCompactions(store, prefix);
  const hours = [...counts].filter(([hour]) => hour >= first && hour <= last);
  const needed: { table: Table; hour: number }[] = [];
  await atOnce(SMALL_AT_ONCE, hours, async ([hour, known]) => {
    for (const { tables } of await readCompactions(store, prefix, hour, known))
      for (const table of tables)
        if (table.sources.some((source) => isNeeded(logFileOf(source), boxes))) needed.push({ table, hour });
  });
  const sizes = await sizesOf(
    store,
    needed.map(({ table }) => table.key),
  );
  // An entry comes before its objects: until these are there, the data objects are what there is.
  const there = needed.flatMap(({ table, hour }) => {
    const bytes = sizes.get(table.key);
    return bytes === undefined ? [] : [{ table, hour, bytes }];
  });
  return there.sort((a, b) => a.hour - b.hour || (a.table.key < b.table.key ? -1 : 1));
}

/** Of objects that are there, their bytes: by a listing of each day of a tag. */
async function sizesOf(store: ListableStore, keys: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  const days = new Set(keys.map((key) => key.slice(0, key.lastIndexOf('/hour=') + 1)));
  await atOnce(SMALL_AT_ONCE, [...days], async (day) => {
    for await (const { key, bytes } of store.list(day)) sizes.set(key, bytes);
  });
  return sizes;
}

export interface TableFile {
  readonly path: string;
  readonly tag: string;
  readonly hour: number;
}

export interface TableFilesOptions {
  readonly store: ObjectBytes;
  readonly folder: string;
  readonly archiveFolder: string | undefined;
  /** Most bytes that are fetched. */
  readonly limit: number;
  readonly show: ShowProgress | undefined;
}

/**
 * Their Parquet objects as files: of an archive in a folder where they are, else fetched.
 *
 * @throws TailraceError QUERY_TOO_LARGE before anything is fetched
 */
export async function tableFiles(
  tables: readonly NeededTable[],
  { store, folder, archiveFolder, limit, show }: TableFilesOptions,
): Promise<TableFile[]> {
  const total = tables.reduce((sum, { bytes }) => sum + bytes, 0);
  if (archiveFolder === undefined && total > limit)
    throw new TailraceError(
      'QUERY_TOO_LARGE',
      `the query needs ${tables.length} Parquet objects of ${size(total)} in all, more than --cache ${size(limit)}: ` +
        'name a tag and a shorter time (--explain lists the objects), or raise --cache',
    );
  const files: TableFile[] = [];
  let done = 0;
  const limitOf = tables.every(({ bytes: each }) => each < LARGE_BYTES) ? SMALL_AT_ONCE : LARGE_AT_ONCE;
  await atOnce(limitOf, [...tables.entries()], async ([i, { table, hour, bytes }]) => {
    const original = archiveFolder === undefined ? null : join(archiveFolder, table.key);
    const isThere = original !== null && statSync(original, { throwIfNoEntry: false })?.isFile();
    const path = isThere ? original : join(folder, `${i}.parquet`);
    if (!isThere) await fetchTable(store, table.key, bytes, path);
    files[i] = { path, tag: table.tag, hour };
    done += 1;
    show?.(done, tables.length, `Parquet objects, ${size(total)}`);
  });
  return files;
}

async function fetchTable(store: ObjectBytes, key: string, bytes: number, path: string): Promise<void> {
  const there = (piece: Buffer | null): Buffer => {
    if (piece !== null) return piece;
    throw new TailraceError('QUERY_FAILED', `${key} is gone: a lifecycle rule expired it, or it was deleted`);
  };
  if (bytes < LARGE_BYTES) {
    writeFileSync(path, there(await store.get(key)), { flag: 'wx' });
    return;
  }
  const file = createWriteStream(path, { flags: 'wx' });
  for (let at = 0; at < bytes; at += PIECE_BYTES)
    file.write(there(await store.range(key, at, Math.min(bytes, at + PIECE_BYTES) - 1)));
  file.end();
  await finished(file);
}

export interface Stored {
  /** Columns that some table has. */
  readonly somewhere: ReadonlySet<string>;
  /** Columns that every table has. */
  readonly everywhere: ReadonlySet<string>;
  /** Columns of a type that some values may not fit: those are in the rest of their table. */
  readonly narrow: ReadonlySet<string>;
}

export function storedIn(tables: readonly Pick<NeededTable, 'table'>[]): Stored {
  const names = tables.map(({ table }) => new Set(table.columns.map(({ name }) => name)));
  const somewhere = new Set(names.flatMap((own) => [...own]));
  const everywhere = new Set([...somewhere].filter((name) => names.every((own) => own.has(name))));
  const all = tables.flatMap(({ table }) => table.columns);
  const narrow = new Set(
    all.filter(({ type }) => type !== 'VARCHAR' && type !== 'JSON').map(({ name }) => name),
  );
  return { somewhere, everywhere, narrow };
}

/**
 * A SELECT of the same columns as that over data objects. What a table has no column for, because few events had it when
 * the hour was compacted, or what does not fit into its column, is in the table's rest.
 */
export function tablesSql(
  files: readonly TableFile[],
  columns: readonly Column[],
  stored: Stored,
  withRest: boolean,
): string {
  const list = [
    '_object._tag AS tag',
    '_rows.time AS time',
    'make_timestamp(_object._h::BIGINT * 3600000000) AS hour',
    ...columns.map((column) => {
      const { name, type, known } = column;
      const id = `"${name.replaceAll('"', '""')}"`;
      const cast = `TRY_CAST(_rows.${id} AS ${type})`;
      const own = type === 'JSON' ? `coalesce(${cast}, to_json(_rows.${id}))` : cast;
      if (stored.everywhere.has(name) && (known || !stored.narrow.has(name))) return `${own} AS ${id}`;
      const rest = valueSql(column, restSql(name), true);
      return `${stored.somewhere.has(name) ? `coalesce(${own}, ${rest})` : rest} AS ${id}`;
    }),
    ...(withRest ? ['_rows.rest::JSON AS rest'] : []),
  ];
  const paths = `[${files.map(({ path }) => text(path)).join(', ')}]`;
  const objects = files.map(({ tag, hour }, i) => `(${i}, ${text(tag)}, ${hour})`);
  return `SELECT ${list.join(',\n  ')}
FROM read_parquet(${paths}, union_by_name = true, hive_partitioning = false) AS _rows
JOIN (VALUES ${objects.join(', ')}) AS _object(_file, _tag, _h) ON _rows.file_index = _object._file::UBIGINT`;
}

function restSql(name: string): string {
  return `json_extract(_rows.rest::JSON, ${text(`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`)})`;
}
