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

test('types for engines that fail at another value are numbers only where each value was one', () => {
  const seen = new FieldsSeen();
  const lines = [
    '{"code":200,"request_time":0.000,"upstream_response_time":0.1,"size":1,"n":1,"w":1.0,"x":"1","b":true,"o":{"a":1},"h":1}',
    '{"code":404,"request_time":0,"upstream_response_time":"0.1, 0.2","size":"-","n":2.5,"w":2,"b":false,"h":18446744073709551615}',
  ];
  for (const line of lines) seen.add(line);
  assert.deepEqual(Object.fromEntries(seen.strictTypes(new Map([['later', 'DOUBLE']]))), {
    code: 'INTEGER',
    request_time: 'DOUBLE',
    upstream_response_time: 'VARCHAR',
    size: 'VARCHAR',
    n: 'DOUBLE',
    w: 'DOUBLE',
    x: 'VARCHAR',
    b: 'BOOLEAN',
    o: 'JSON',
    h: 'VARCHAR',
    later: 'DOUBLE',
  });
  const whole = seen.columns().find(({ name }) => name === 'w');
  assert.equal(whole?.type, 'BIGINT');
});
