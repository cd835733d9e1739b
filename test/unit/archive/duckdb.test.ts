/** DuckDB is loaded where it is installed; elsewhere the error says how to install it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DUCKDB_VERSION, loadDuckDb } from '../../../archive/duckdb.ts';

test('the release is the one of package.json, an optional dependency', async () => {
  const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    optionalDependencies: Readonly<Record<string, string>>;
  };
  assert.equal(optionalDependencies['@duckdb/node-api'], DUCKDB_VERSION);
  assert.equal(typeof (await loadDuckDb()).DuckDBInstance.create, 'function');
});

test('without DuckDB the error says what to run', async () => {
  const absent = () => Promise.reject(new Error("Cannot find package '@duckdb/node-api'\nfrom here"));
  await assert.rejects(loadDuckDb(absent), {
    code: 'DUCKDB_MISSING',
    message: new RegExp(
      `run npm install --no-save @duckdb/node-api@${DUCKDB_VERSION} .*Cannot find package[^\n]*$`,
    ),
  });
});
