/** A question as one asks DuckDB without tailrace: over all files of an archive, by a glob. Prints the answer, and the bytes read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadDuckDb } from '../archive/duckdb.ts';

const [layout, folder, sql] = process.argv.slice(2) as [string, string, string];
const { DuckDBInstance } = await loadDuckDb();
const duckdb = await (await DuckDBInstance.create(':memory:')).connect();
const hive = "hive_partitioning = true, hive_types = {'tag': VARCHAR, 'dt': DATE, 'hour': VARCHAR}";
const source =
  layout === 'parquet'
    ? `read_parquet('${join(folder, 's3/parquet')}/*/*/*/*.parquet', ${hive})`
    : `read_ndjson('${join(folder, 's3/logs')}/*/*/*/*.gz', ${hive})`;
await duckdb.run(`CREATE VIEW logs AS FROM ${source}`);
const before = read();
const rows = (await duckdb.runAndReadAll(sql)).getRows();
process.stdout.write(`${rows.map((row) => row.map(String).join(',')).join('\n')}\nread ${read() - before}\n`);

/** Bytes that this process has read so far. */
function read(): number {
  return Number(/^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))![1]);
}
