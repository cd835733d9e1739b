#!/usr/bin/env bash
# @duckdb/node-api 1.5.6-r.1 (DuckDB 1.5.6): a file that is replaced by another one of the same size, within the same second,
# is read as it was before.
#
# Behaviour: an instance keeps parts of the files that it has read (enable_external_file_cache, on by default), and takes them
# for current while size and time of the last change are the same; of that time, it sees whole seconds. A query of the
# replaced file answers with the rows of the file before, without an error. Parts that were not in the cache come from the new
# file: a Parquet file is then read as a mixture, whose pages may fail to decompress ("ZSTD Decompression failure").
# Consequence: files that are written and read in turn have a name of their own each, or the cache is off. The archive's objects are
# never replaced, and the files that commands fetch them to are numbered.
set -euo pipefail

VERSION=1.5.6-r.1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund "@duckdb/node-api@$VERSION"

cat > try.mjs <<'JS'
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';

const duckdb = await (await DuckDBInstance.create(':memory:')).connect();
const value = async (sql) => (await duckdb.runAndReadAll(sql)).getRows()[0][0];
console.log(`version: ${await value('SELECT version()')}`);
const files = [];
for (const n of [1, 2]) {
  const rows = `SELECT (range + ${n}000000)::BIGINT AS n FROM range(20000)`;
  await duckdb.run(`COPY (${rows}) TO '${n}.parquet' (FORMAT parquet, COMPRESSION uncompressed)`);
  files.push(readFileSync(`${n}.parquet`));
}
console.log(`sizes: ${files.map(({ length }) => length).join(', ')}`);

/** The least number of the file after it was replaced by the second one, of which the last change is so many seconds later. */
async function afterwards(later) {
  writeFileSync('replaced.parquet', files[0]);
  utimesSync('replaced.parquet', 1_000_000_000.25, 1_000_000_000.25);
  await value("SELECT min(n) FROM 'replaced.parquet'");
  writeFileSync('replaced.parquet', files[1]);
  utimesSync('replaced.parquet', 1_000_000_000.25 + later, 1_000_000_000.25 + later);
  return Number(await value("SELECT min(n) FROM 'replaced.parquet'"));
}
const found = [];
for (const [setting, later] of [[true, 0.5], [true, 1], [false, 0.5]]) {
  await duckdb.run(`SET enable_external_file_cache = ${setting}`);
  const least = await afterwards(later);
  found.push(least);
  console.log(`cache ${setting ? 'on' : 'off'}, replaced ${later} s later: least number ${least}, in the file 2000000`);
}
process.exit(String(found) === '1000000,2000000,2000000' ? 0 : 1);
JS
node try.mjs
