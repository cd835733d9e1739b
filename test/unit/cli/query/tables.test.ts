/** Columns of Parquet tables: a field that a table has no column for is in its rest. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Table } from '../../../../archive/compact/compaction.ts';
import { storedIn, tablesSql } from '../../../../cli/query/tables.ts';

const column = (name: string, type: 'BIGINT' | 'VARCHAR') => ({ name, type, known: true });

test('a field is found in the column, and in the rest of tables that have no column for it', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-tables-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  context.after(() => connection.closeSync());
  const files = [
    `SELECT TIMESTAMP '2026-11-23' AS time, 1 AS n, '{"m":2,"rare":"x"}' AS rest`,
    `SELECT TIMESTAMP '2026-11-24' AS time, 3 AS n, 4 AS m, NULL::VARCHAR AS rest`,
  ].map((select, i) => ({ select, path: join(folder, `${i}.parquet`), tag: 't', hour: 24 * i }));
  for (const { select, path } of files)
    await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet)`);
  const tables = [['n'], ['n', 'm']].map((names) => ({
    table: { columns: names.map((name) => column(name, 'BIGINT')) } as unknown as Table,
  }));
  const columns = [column('n', 'BIGINT'), column('m', 'BIGINT'), column('rare', 'VARCHAR')];
  const sql = tablesSql(files, columns, storedIn(tables), false);
  const reader = await connection.runAndReadAll(`SELECT n, m, rare FROM (${sql}) ORDER BY time`);
  assert.deepEqual(reader.getRowsJson(), [
    ['1', '2', 'x'],
    ['3', '4', null],
  ]);
});
