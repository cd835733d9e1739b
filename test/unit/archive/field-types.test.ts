/** Columns that were asked for have their place, whatever fields events have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ColumnType, FieldsSeen } from '../../../archive/field-types.ts';

test('columns that are asked for count toward the most that a table has, and none of them is left out', () => {
  const seen = new FieldsSeen();
  for (let i = 0; i < 600; i++) seen.add(JSON.stringify({ [`k${i}`]: i }));
  const asked = new Map(['a', 'b', 'k599'].map((name): [string, ColumnType] => [name, 'VARCHAR']));
  const names = seen.columns(asked).map(({ name }) => name);
  assert.deepEqual(names, [...Array.from({ length: 497 }, (_, i) => `k${i}`), 'k599', 'a', 'b']);
});

test('a column that is asked for has its name before a field that differs by case', () => {
  const seen = new FieldsSeen();
  seen.add('{"rack":"a"}');
  assert.deepEqual(seen.columns(new Map([['Rack', 'BIGINT']])), [
    { name: 'Rack', type: 'BIGINT', known: true },
  ]);
});

test('a field named like a function without parentheses has no column: conditions on the time mean the function', () => {
  const seen = new FieldsSeen();
  seen.add('{"current_date":"2020-01-01","CURRENT_TIMESTAMP":1,"code":200}');
  assert.deepEqual(
    seen.columns().map(({ name }) => name),
    ['code'],
  );
});
