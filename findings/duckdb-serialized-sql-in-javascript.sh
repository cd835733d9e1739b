#!/usr/bin/env bash
# @duckdb/node-api 1.5.6-r.1 (DuckDB 1.5.6): a tree of json_serialize_sql that went through JSON.parse and JSON.stringify is
# refused by json_deserialize_sql.
#
# Behaviour: a part that the parser makes itself, such as the cast in DATE '2026-11-23', has the query_location
# 18446744073709551615, the largest 64-bit number. JavaScript reads it as 18446744073709552000, one too many for 64 bits, and
# DuckDB answers "property 'query_location' expected type 'uint64_t', but got type: 'raw'".
# Consequence: whoever changes a tree in JavaScript sets query_location to 0 in all parts first; then it is taken. Numbers of a
# statement beyond 2^53 are not kept exactly either.
set -euo pipefail

VERSION=1.5.6-r.1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund "@duckdb/node-api@$VERSION"

cat > try.mjs <<'JS'
import { DuckDBInstance } from '@duckdb/node-api';

const duckdb = await (await DuckDBInstance.create(':memory:')).connect();
const value = async (sql, ...values) => (await duckdb.runAndReadAll(sql, values)).getRows()[0][0];
const sql = "SELECT DATE '2026-11-23'";
const tree = await value('SELECT json_serialize_sql($1::VARCHAR)', sql);
const back = (text) => value('SELECT json_deserialize_sql($1::VARCHAR)', text).catch((error) => error.message);
const results = {
  version: await value('SELECT version()'),
  untouched: await back(tree),
  'through JavaScript': await back(JSON.stringify(JSON.parse(tree))),
  'with query_location 0': await back(
    JSON.stringify(JSON.parse(tree), (key, part) => (key === 'query_location' ? 0 : part)),
  ),
};
for (const [name, result] of Object.entries(results)) console.log(`${name}: ${result}`);
const cast = /^SELECT CAST\('2026-11-23' AS DATE\)$/;
const same =
  tree.includes('"query_location":18446744073709551615') &&
  cast.test(results.untouched) &&
  /query_location.*uint64_t/.test(results['through JavaScript']) &&
  cast.test(results['with query_location 0']);
process.exit(same ? 0 : 1);
JS
node try.mjs
