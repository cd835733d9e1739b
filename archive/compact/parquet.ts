/**
 * Parquet objects of data objects, by DuckDB: zstd, sorted by time, row groups of about a minute of an hour, so that
 * their statistics tell which few of them a short time needs.
 */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { TailraceError } from '../../base/errors.ts';
import { loadDuckDb } from '../duckdb.ts';
import { isReserved, logsSql } from '../logs-sql.ts';
import { type ObjectFiles, objectFiles } from '../object-files.ts';
import type { ObjectBytes } from '../reading.ts';
import { sampleFields } from '../sample-fields.ts';
import type { MadeParquet } from './compact-hour.ts';
import type { Source, Table, TableColumn } from './compaction.ts';

/** Rows of a group: DuckDB writes multiples of its vector's length. */
const VECTOR_ROWS = 2048;
const LEAST_ROWS = 4 * VECTOR_ROWS;
const MOST_ROWS = 60 * VECTOR_ROWS;
const MINUTES = 60;
/** The folder's own columns; a field of the name stays in `rest`. */
const PARTITION_COLUMNS: ReadonlySet<string> = new Set(['dt']);

export interface ParquetOptions {
  readonly store: ObjectBytes;
  /** For temporary files. */
  readonly folder: string;
  /** The folder that is the archive, when it is one. */
  readonly archiveFolder?: string | undefined;
  /** What DuckDB may use, as `512MiB`; sorts beyond that go to the folder. */
  readonly memory: string;
  /** The largest object that is made, bytes; by default what can be put in one piece. */
  readonly maxBytes?: number;
}

/** A file is read into one buffer to be put, and Node reads at most this much. */
const MAX_BYTES = 2 ** 31 - 1;

export class ParquetMaker {
  readonly #options: ParquetOptions;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  /** By tag, what columns a tag has had. */
  readonly #known: Map<string, readonly TableColumn[]>;
  /** The files of the sources that were fetched last, and their keys. */
  #fetched: { readonly keys: string; readonly folder: string; readonly files: ObjectFiles } | null = null;
  #runs = 0;

  private constructor(
    options: ParquetOptions,
    instance: DuckDBInstance,
    connection: DuckDBConnection,
    known: ReadonlyMap<string, readonly TableColumn[]>,
  ) {
    this.#options = options;
    this.#instance = instance;
    this.#connection = connection;
    this.#known = new Map(known);
  }

  /**
   * @param known the columns that tags have in hours that are compacted
   * @throws TailraceError DUCKDB_MISSING when it is not installed
   */
  static async open(
    options: ParquetOptions,
    known: ReadonlyMap<string, readonly TableColumn[]>,
  ): Promise<ParquetMaker> {
    const { DuckDBInstance } = await loadDuckDb();
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: options.memory,
      temp_directory: join(options.folder, 'spill'),
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    return new ParquetMaker(options, instance, connection, known);
  }

  /** The columns that a tag has had; null when none of it was compacted. */
  known(tag: string): readonly TableColumn[] | null {
    return this.#known.get(tag) ?? null;
  }

  /** The columns that the tag has had, and those of new fields behind them. */
  async columns(tag: string, sources: readonly Source[]): Promise<readonly TableColumn[]> {
    const { files } = await this.#files(sources);
    const seen = await sampleFields(files.map(({ path }) => path));
    const known = this.#known.get(tag) ?? [];
    const names = new Set(known.map(({ name }) => name));
    const all = seen.columns(new Map(known.map(({ name, type }) => [name, type])));
    const fresh = all.filter(
      ({ name }) => !names.has(name) && !PARTITION_COLUMNS.has(name.toLowerCase()) && !isReserved(name),
    );
    const columns = [...known, ...fresh.map(({ name, type }) => ({ name, type }))];
    this.#known.set(tag, columns);
    return columns;
  }

  /**
   * @throws TailraceError COMPACTION_ROWS when DuckDB fails, the result is too large, or the objects have another number
   * of lines than their commits say
   */
  async make(table: Table): Promise<MadeParquet> {
    const { tag, rows, sources } = table;
    const select = await this.#select(table);
    const path = join(this.#options.folder, `${this.#runs++}.parquet`);
    const drop = (): void => rmSync(path, { force: true });
    try {
      await this.#connection
        .run(
          `COPY (${select} ORDER BY time) TO ${text(path)} ` +
            `(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${groupRows(rows)})`,
        )
        .catch((cause: Error) => {
          throw new TailraceError(
            'COMPACTION_ROWS',
            `tag ${tag}: DuckDB cannot make Parquet of ${sources.length} objects: ${this.#why(cause, table)}`,
            { cause },
          );
        });
      const found = await this.#countRows(path);
      if (found !== rows)
        throw new TailraceError(
          'COMPACTION_ROWS',
          `tag ${tag}: ${sources.length} objects have ${found} lines, their commits say ${rows}: run tailrace verify --deep for the hour`,
        );
      const { size } = statSync(path);
      if (size > (this.#options.maxBytes ?? MAX_BYTES))
        throw new TailraceError(
          'COMPACTION_ROWS',
          `tag ${tag}: its Parquet of ${size} bytes is too large to be put`,
        );
    } catch (error) {
      drop();
      throw error;
    } finally {
      this.#drop();
    }
    return { body: () => [readFileSync(path)], drop };
  }

  #why({ message }: Error, { columns }: Table): string {
    // DuckDB's advice is about settings that are its own.
    if (!message.startsWith('Out of Memory')) return message;
    const what = `${message.split('\n', 1)[0]}, for ${columns.length} columns`;
    return `${what}: run tailrace compact with a larger --memory than ${this.#options.memory}, or give the function more`;
  }

  #countRows(path: string): Promise<number> {
    return this.#count(`read_parquet(${text(path)})`);
  }

  async #count(rows: string): Promise<number> {
    const reader = await this.#connection.runAndReadAll(`SELECT count(*) FROM ${rows}`);
    return Number(reader.getRows()[0]![0]);
  }

  /** The SELECT of a table's rows from its data objects. */
  async #select({ columns, sources }: Table): Promise<string> {
    const { files } = await this.#files(sources);
    const select = logsSql({
      files,
      columns: columns.map((column) => ({ ...column, known: true })),
      withRest: true,
      strict: false,
    });
    return `SELECT ${['time', ...columns.map(columnSql), 'rest::VARCHAR AS rest'].join(', ')} FROM (${select})`;
  }

  /**
   * Events of the data objects of which the Parquet object has no row that is equal in all columns.
   *
   * @throws TailraceError COMPACTION_ROWS when a data object cannot be read
   */
  async differing(table: Table): Promise<number> {
    const select = await this.#select(table);
    const names = ['time', ...table.columns.map(({ name }) => quoted(name)), 'rest'];
    try {
      return await this.#withFile(table.key, 0, (path) =>
        this.#count(`(${select} EXCEPT ALL SELECT ${names.join(', ')} FROM read_parquet(${text(path)}))`),
      );
    } catch {
      // Not Parquet, or of other columns.
      return table.rows;
    } finally {
      this.#drop();
    }
  }

  /** Rows of a Parquet object of the archive; null when there is none of that name. */
  async rowsOf(key: string): Promise<number | null> {
    return this.#withFile(key, null, async (path) => {
      try {
        return await this.#countRows(path);
      } catch {
        // What cannot be read as Parquet has no rows.
        return 0;
      }
    });
  }

  async #withFile<T, N>(key: string, none: N, work: (path: string) => Promise<T>): Promise<T | N> {
    const bytes = await this.#options.store.get(key);
    if (bytes === null) return none;
    const path = join(this.#options.folder, `${this.#runs++}.parquet`);
    writeFileSync(path, bytes);
    try {
      return await work(path);
    } finally {
      rmSync(path);
    }
  }

  close(): void {
    this.#drop();
    this.#connection.closeSync();
    this.#instance.closeSync();
  }

  async #files(sources: readonly Source[]): Promise<ObjectFiles> {
    const keys = sources.map(({ key }) => key).join('\n');
    if (this.#fetched?.keys === keys) return this.#fetched.files;
    this.#drop();
    const { store, archiveFolder } = this.#options;
    const folder = join(this.#options.folder, `hour-${this.#runs++}`);
    mkdirSync(folder);
    const files = await objectFiles(
      sources.map((object) => ({ object })),
      { store, folder, archiveFolder, limit: Number.POSITIVE_INFINITY, show: undefined },
    );
    this.#fetched = { keys, folder, files };
    const [fault] = files.faults;
    if (fault) throw new TailraceError('COMPACTION_ROWS', `${fault.key}: ${fault.fault}`);
    return files;
  }

  #drop(): void {
    if (this.#fetched) rmSync(this.#fetched.folder, { recursive: true, force: true });
    this.#fetched = null;
  }
}

/** Rows of a group, so that an hour has about sixty. */
function groupRows(rows: number): number {
  const minute = Math.ceil(rows / MINUTES / VECTOR_ROWS) * VECTOR_ROWS;
  return Math.min(MOST_ROWS, Math.max(LEAST_ROWS, minute));
}

/** Not every reader knows JSON as a type. */
function columnSql({ name, type }: TableColumn): string {
  const id = quoted(name);
  return type === 'JSON' ? `${id}::VARCHAR AS ${id}` : id;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
