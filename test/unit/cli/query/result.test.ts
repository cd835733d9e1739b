/** Forms of a result: every kind of value in each, and a table that fits a terminal. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { fitted, type TextFormat, writeResult } from '../../../../cli/query/result.ts';

let duckdb: DuckDBConnection;
before(async () => {
  duckdb = await (await DuckDBInstance.create(':memory:')).connect();
});
after(() => duckdb.closeSync());

async function written(sql: string, format: TextFormat, width = 80): Promise<string> {
  let text = '';
  const write = async (piece: string): Promise<void> => {
    text += piece;
  };
  await writeResult(await duckdb.stream(sql), format, write, width);
  return text;
}

const VALUES = `SELECT 9007199254740993 AS big, 1.50::DECIMAL(5,2) AS exact, 0.1::DOUBLE AS d, 'nan'::DOUBLE AS nan, true AS yes,
  'say "hi", you' AS text, '' AS empty, NULL AS none, '{"a": 1}'::JSON AS json, TIMESTAMP '2026-11-23 07:00:00.25' AS time,
  DATE '2026-11-23' AS date, [1, NULL] AS list, {'a b': 'x', n: 9007199254740993} AS struct, 1 AS n, 2 AS n`;

test('JSON keeps numbers, JSON and nested values as they are', async () => {
  const expected =
    '{"big":9007199254740993,"exact":1.50,"d":0.1,"nan":null,"yes":true,"text":"say \\"hi\\", you","empty":"","none":null,' +
    '"json":{"a": 1},"time":"2026-11-23T07:00:00.25Z","date":"2026-11-23","list":[1,null],' +
    '"struct":{"a b":"x","n":9007199254740993},"n":1,"n:1":2}';
  assert.equal(await written(VALUES, 'ndjson'), `${expected}\n`);
  assert.equal(await written(VALUES, 'json'), `[\n${expected}\n]\n`);
  assert.equal(await written('SELECT 1 AS a UNION ALL SELECT 2', 'json'), '[\n{"a":1},\n{"a":2}\n]\n');
});

test('CSV quotes what has to be, and tells nothing from an empty text', async () => {
  assert.equal(
    await written(`SELECT text, empty, none, time, 'a\nb' AS "x,y" FROM (${VALUES})`, 'csv'),
    'text,empty,none,time,"x,y"\n"say ""hi"", you","",,2026-11-23 07:00:00.25,"a\nb"\n',
  );
});

test('a table aligns numbers, fits the terminal, and cannot drive it', async () => {
  const sql = "SELECT i AS n, repeat('x', 40) || chr(27) AS long, 'y' AS s FROM range(8, 11) t(i)";
  assert.equal(
    await written(sql, 'table', 20),
    [
      ' n  long           s',
      '──  ─────────────  ─',
      ...[' 8', ' 9', '10'].map((n) => `${n}  xxxxxxxxxxxx…  y`),
      '(3 rows)\n',
    ].join('\n'),
  );
  assert.match(await written('SELECT chr(27) AS a', 'table'), /\n\\u001b\n\(1 row\)\n$/);
  for (const widths of [
    [100, 3],
    [9, 9, 9],
    [50, 50, 50, 2],
    [8, 8],
  ]) {
    const total = (sizes: readonly number[]): number =>
      sizes.reduce((sum, n) => sum + n, 2 * (sizes.length - 1));
    for (const width of [20, 40, 80, 200]) {
      const fit = fitted(widths, width);
      assert.ok(total(fit) <= width || fit.every((size) => size <= 8));
      assert.ok(fit.every((size, i) => size <= widths[i]!));
    }
  }
});
