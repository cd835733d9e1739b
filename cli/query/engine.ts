/**
 * DuckDB as the query command uses it: in memory, bounded, and kept from the machine's files and from the network. What
 * it runs for a user is one SELECT, which writes nothing.
 */
import { availableParallelism } from 'node:os';
import type { DuckDBConnection, DuckDBInstance, DuckDBResult, DuckDBValue } from '@duckdb/node-api';
import { loadDuckDb } from '../../archive/duckdb.ts';
import { FUNCTION_NAMES } from '../../archive/field-types.ts';
import { TailraceError } from '../../base/errors.ts';
import type { Constant } from './predicate.ts';
import { listOf, type Part, walk } from './statement.ts';

export interface EngineOptions {
  /** Bytes that DuckDB may use; sorts and groups beyond that go to the folder. */
  readonly memory: number;
  /** Of this run: DuckDB's spill files are there. */
  readonly folder: string;
  /** Folders whose files statements may read. */
  readonly readable: readonly string[];
}

/** Functions of which the value stays the same within a transaction, as far as conditions on time use them. */
const STEADY: ReadonlySet<string> = new Set([
  ...['+', '-', '*', 'trunc', 'date_trunc', 'now', 'today', 'current_timestamp', 'get_current_timestamp'],
  ...['transaction_timestamp', 'current_date', 'make_timestamp', 'make_date', 'to_timestamp', 'epoch_ms'],
  ...['strptime', 'to_microseconds', 'to_milliseconds', 'to_seconds', 'to_minutes', 'to_hours', 'to_days'],
  ...['to_weeks', 'to_months', 'to_years', 'concat', '||'],
]);
const STEADY_CLASSES: ReadonlySet<unknown> = new Set(['CONSTANT', 'CAST', 'FUNCTION', 'COLUMN_REF']);

/** A thread that reads lines has a buffer of half of it. */
const THREAD_BYTES = 64 * 1024 ** 2;

export class Engine {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  #busy = false;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  /** @throws TailraceError DUCKDB_MISSING when it is not installed; CONFIG for a memory size that DuckDB does not take */
  static async open({ memory, folder, readable }: EngineOptions): Promise<Engine> {
    const { DuckDBInstance } = await loadDuckDb();
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: `${Math.ceil(memory / 1024)}KiB`,
      threads: String(Math.max(1, Math.min(availableParallelism(), Math.floor(memory / THREAD_BYTES)))),
      temp_directory: `${folder}/spill`,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
    const engine = new Engine(instance, await instance.connect());
    await engine.run(
      `SET allowed_directories = [${[folder, ...readable].map((path) => text(`${path}/`)).join(', ')}]`,
    );
    await engine.run("SET TimeZone = 'UTC'");
    await engine.run('SET enable_external_access = false');
    await engine.run('SET lock_configuration = true');
    // In one transaction now() is one time: for choosing objects, and for the statement.
    await engine.run('BEGIN TRANSACTION');
    return engine;
  }

  /**
   * The statement's tree.
   *
   * @throws TailraceError QUERY_INVALID when it is not one SELECT
   */
  async parse(sql: string): Promise<unknown> {
    const [row] = await this.rows('SELECT json_serialize_sql($1::VARCHAR)', [sql]);
    const parsed = JSON.parse(String(row![0])) as Part;
    const statements = listOf(parsed.statements);
    if (parsed.error !== true && statements.length === 1) return statements[0];
    const isSyntax = parsed.error_type === 'parser';
    throw new TailraceError(
      'QUERY_INVALID',
      isSyntax
        ? `the SQL cannot be parsed: ${parsed.error_message}${placeOf(sql, Number(parsed.position))}`
        : 'the SQL must be one SELECT (or FROM, WITH, VALUES, DESCRIBE, SUMMARIZE): a query only reads',
    );
  }

  /** The value of an expression without columns, functions that vary, or subqueries; else null. */
  async evaluate(expression: Part): Promise<Constant | null> {
    if (!isSteady(expression)) return null;
    const [row] = await this.rows("SELECT json_serialize_sql('SELECT 1')");
    const shell = JSON.parse(String(row![0])) as { statements: { node: { select_list: unknown[] } }[] };
    shell.statements[0]!.node.select_list = [{ ...expression, alias: '' }];
    // Where an expression is in the text does not matter, and is a number that JavaScript cannot hold.
    const tree = JSON.stringify(shell, (key, value) => (key === 'query_location' ? 0 : value));
    try {
      const [sql] = await this.rows('SELECT json_deserialize_sql($1::VARCHAR)', [tree]);
      const [found] = await this.rows(
        `SELECT typeof(e), e::VARCHAR, epoch_us(TRY_CAST(e AS TIMESTAMP))::VARCHAR FROM (${sql![0]}) AS t(e)`,
      );
      const [type, value, micros] = found!;
      if (value === null) return null;
      return { type: String(type), text: String(value), micros: micros === null ? null : Number(micros) };
    } catch {
      // The statement itself will say what is wrong with it.
      return null;
    }
  }

  async rows(sql: string, values: DuckDBValue[] = []): Promise<DuckDBValue[][]> {
    return (await this.#connection.runAndReadAll(sql, values)).getRows();
  }

  /** For statements of this program's own. */
  async run(sql: string): Promise<void> {
    try {
      await this.#connection.run(sql);
    } catch (error) {
      throw isOutOfMemory(error) ? failure(error as Error) : error;
    }
  }

  /** The result of a statement of the user's, chunk by chunk. */
  stream(sql: string): Promise<DuckDBResult> {
    return this.#connection.stream(sql);
  }

  /**
   * Runs statements of the user's.
   *
   * @throws TailraceError QUERY_INVALID for names and types that do not fit, QUERY_FAILED for what happens on the way
   */
  async guarded<T>(work: () => Promise<T>): Promise<T> {
    this.#busy = true;
    try {
      return await work();
    } catch (error) {
      // The system's refusals, such as a full disk's, explain themselves.
      if (error instanceof TailraceError || (error as NodeJS.ErrnoException).code !== undefined) throw error;
      throw failure(error as Error);
    } finally {
      this.#busy = false;
    }
  }

  /** Writes a statement's result to a file in the run's folder. */
  async copyToParquet(sql: string, path: string): Promise<void> {
    const inner = sql.trim().replace(/;+$/, '');
    await this.run(`COPY (\n${inner}\n) TO ${text(path)} (FORMAT parquet, COMPRESSION zstd)`);
  }

  /** Whether a statement of the user's is running. */
  get isBusy(): boolean {
    return this.#busy;
  }

  /** How much of the running statement is done, in percent; negative when it cannot be known. */
  get percentage(): number {
    return this.#connection.progress.percentage;
  }

  interrupt(): void {
    this.#connection.interrupt();
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

/** Columns that exist in no object of the sample are the commonest mistake. */
const HINT =
  "\nA field that the first events of the chosen objects do not have has no column: rest ->> 'field' finds it.";

function isOutOfMemory(error: unknown): boolean {
  return (error as Error).message.startsWith('Out of Memory Error');
}

function failure(error: Error): TailraceError {
  const message = error.message.trimEnd();
  if (isOutOfMemory(error))
    return new TailraceError(
      'QUERY_FAILED',
      `${message.split('\n')[0]}: raise --memory, or ask for fewer columns or a shorter time`,
      { cause: error },
    );
  const isInvalid = /^(?:Binder|Parser|Catalog|Permission|Not implemented) Error/i.test(message);
  if (!isInvalid) return new TailraceError('QUERY_FAILED', message, { cause: error });
  const table = /^Catalog Error: Table with name (.*) does not exist!/.exec(message);
  if (table)
    return new TailraceError(
      'QUERY_INVALID',
      `there is no table ${table[1]}: events are in logs, what was archived when in commits, what is missing in holes`,
      { cause: error },
    );
  const hint = /^Binder Error: Referenced column/.test(message) ? HINT : '';
  return new TailraceError('QUERY_INVALID', message + hint, { cause: error });
}

function isSteady(expression: Part): boolean {
  let steady = true;
  walk(expression, (part) => {
    // A number beyond what JavaScript holds exactly.
    if (typeof part.value === 'number' && Math.abs(part.value) > Number.MAX_SAFE_INTEGER) steady = false;
    if (part.class === undefined) return;
    if (!STEADY_CLASSES.has(part.class)) steady = false;
    if (part.class === 'FUNCTION' && !STEADY.has(String(part.function_name).toLowerCase())) steady = false;
    const path = listOf(part.column_names);
    const isKnown = path.length === 1 && FUNCTION_NAMES.has(String(path[0]).toLowerCase());
    if (part.class === 'COLUMN_REF' && !isKnown) steady = false;
  });
  return steady;
}

function placeOf(sql: string, position: number): string {
  if (!Number.isSafeInteger(position)) return '';
  const before = Buffer.from(sql).subarray(0, position).toString();
  return `, at ${JSON.stringify(sql.slice(before.length, before.length + 20))}`;
}

/** A string literal. */
export function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
