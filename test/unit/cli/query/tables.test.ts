/** Columns of Parquet tables: a field that a table has no column for is in its rest. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Table } from '../../../../archive/compact/compaction.ts';
import { FieldsSeen } from '../../../../archive/field-types.ts';
import { storedIn, tablesSql } from '../../../../cli/query/tables.ts';

const column = (name: string, type: 'BIGINT' | 'VARCHAR') => ({ name, type, known: true });

test('a field is found in the column, and in the rest of tables that have no column for it', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-tables-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  context.after(() => connection.closeSync());
  const files = [
    `SELECT TIMESTAMP '2026-11-23' AS time, 1 AS n, 'own' AS _tag, 7 AS _h, '{"m":2,"rare":"x"}' AS rest`,
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

test('what does not fit into the column of a table is found or stops the query, and is never rounded', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-tables-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  context.after(() => connection.closeSync());
  const types = [
    { took: 'DOUBLE', deep: 'VARCHAR' },
    { took: 'BIGINT', deep: 'JSON' },
  ] as const;
  const files = [
    `SELECT TIMESTAMP '2026-11-23' AS time, 0.5::DOUBLE AS took, 'text' AS deep, '{"late":1.5}' AS rest`,
    `SELECT TIMESTAMP '2026-11-24' AS time, NULL::BIGINT AS took, '{"a":1}' AS deep, '{"took":2.25}' AS rest`,
  ].map((select, i) => ({ select, path: join(folder, `${i}.parquet`), tag: `t${i}`, hour: 24 * i }));
  for (const { select, path } of files)
    await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet)`);
  const tables = types.map((own) => {
    const columns = Object.entries(own).map(([name, type]) => ({ name, type }));
    return { table: { columns } as unknown as Table };
  });
  const seen = new FieldsSeen();
  for (const { table } of tables) seen.addColumns(table.columns);
  const columns = seen.columns();
  assert.deepEqual(
    columns.map(({ name, type, known }) => [name, type, known]),
    [
      ['took', 'DOUBLE', false],
      ['deep', 'JSON', false],
    ],
  );
  const sql = tablesSql(files, columns, storedIn(tables), false);
  const reader = await connection.runAndReadAll(`SELECT took, deep FROM (${sql}) ORDER BY time`);
  assert.deepEqual(reader.getRowsJson(), [
    [0.5, '"text"'],
    [2.25, '{"a":1}'],
  ]);
  for (const [name, i, value] of [
    ['took', 1, '2.25'],
    ['late', 0, '1.5'],
  ] as const) {
    const own = [{ ...column(name, 'BIGINT'), known: false }];
    const narrow = tablesSql([files[i]!], own, storedIn([tables[i]!]), false);
    await assert.rejects(
      connection.runAndReadAll(`SELECT sum(${name}) FROM (${narrow})`),
      new RegExp(`field ${name} has a value that is not of its type BIGINT.*: ${value}`),
    );
  }
});
