/** The table that DuckDB makes of data objects: columns, times and the rest, by whichever way it reads the lines. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type ColumnType, FieldsSeen } from '../../../archive/field-types.ts';
import { type LogBounds, type LogFile, logsSql, timesOfObject } from '../../../archive/logs-sql.ts';
import { eventTime } from '../../../cli/event-filter.ts';

const HOUR = 494_000;
const START = HOUR * 3_600_000;
const at = (ms: number): string => new Date(START + ms).toISOString();

const folder = mkdtempSync(join(tmpdir(), 'tailrace-logs-sql-'));
let duckdb: DuckDBConnection;
before(async () => {
  // With one thread, rows come in the order of the files.
  duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
});
after(() => {
  duckdb.closeSync();
  rmSync(folder, { recursive: true });
});

let number = 0;
function write(bounds: LogBounds, lines: readonly string[]): LogFile {
  const raw = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const isGzip = number % 2 === 0;
  const path = join(folder, `${number++}.ndjson.${isGzip ? 'gz' : 'zst'}`);
  writeFileSync(path, isGzip ? gzipSync(raw) : zstdCompressSync(raw));
  return { path, ...bounds };
}

type Row = Readonly<Record<string, unknown>>;

async function rows(sql: string, select = '*'): Promise<Row[]> {
  const reader = await duckdb.runAndReadAll(`SELECT ${select} FROM (${sql})`);
  return reader.getRowObjectsJson() as Row[];
}

const file = (tag: string): LogBounds => ({
  tag,
  hour: HOUR,
  firstTime: START + 1000,
  lastTime: START + 9000,
});

function seenOf(lines: readonly string[], asked?: ReadonlyMap<string, ColumnType>) {
  const seen = new FieldsSeen();
  for (const line of lines) seen.add(line);
  return seen.columns(asked);
}

test('fields become columns by their names or values; what does not fit is in the rest', async () => {
  const sample = [
    `{"time":"${at(2000)}","code":200,"remote":"203.0.113.7","n":1,"ok":true,"user":12,"deep":{"a":null},"request_time":0}`,
    '{"n":2,"Code":"x","tag":"its own","a/b~c\\"d":"odd","upstream_response_time":"0.1, 0.2","mixed":1}',
    '{"mixed":"text","list":[1]}',
  ];
  const later = ['{"code":"AH1","n":0.5,"request_time":0.25,"new":{"x":1},"ok":"maybe"}', '{"code":12.5}'];
  const columns = seenOf(sample);
  assert.deepEqual(
    columns.map(({ name, type }) => `${name} ${type}`),
    [
      'code INTEGER',
      'remote VARCHAR',
      'n BIGINT',
      'ok BOOLEAN',
      'user VARCHAR',
      'deep JSON',
      'request_time DOUBLE',
      'a/b~c"d VARCHAR',
      'upstream_response_time DOUBLE',
      'mixed VARCHAR',
      'list JSON',
    ],
  );
  const files = [write(file("it's"), sample), write(file('b'), later)];
  const found = await rows(logsSql({ files, columns, withRest: true, strict: false }));
  const short = found.map((row) =>
    Object.fromEntries(Object.entries(row).filter(([name, value]) => value !== null && name !== 'hour')),
  );
  const start = at(1000).replace('T', ' ').slice(0, 19);
  assert.deepEqual(short, [
    {
      tag: "it's",
      time: at(2000).replace('T', ' ').slice(0, 19),
      code: 200,
      remote: '203.0.113.7',
      n: '1',
      ok: true,
      user: '12',
      deep: '{"a":null}',
      request_time: 0,
    },
    {
      tag: "it's",
      time: start,
      n: '2',
      'a/b~c"d': 'odd',
      mixed: '1',
      rest: '{"Code":"x","tag":"its own","upstream_response_time":"0.1, 0.2"}',
    },
    { tag: "it's", time: start, mixed: 'text', list: '[1]' },
    {
      tag: 'b',
      time: start,
      request_time: 0.25,
      rest: '{"new":{"x":1},"code":"AH1","n":0.5,"ok":"maybe"}',
    },
    { tag: 'b', time: start, rest: '{"code":12.5}' },
  ]);
  // Without the rest, DuckDB reads the fields itself; the columns are the same.
  const other = await rows(logsSql({ files, columns, withRest: false, strict: false }));
  assert.deepEqual(
    other,
    found.map(({ rest: _, ...row }) => row),
  );
  const strict = logsSql({ files, columns, withRest: false, strict: true });
  await assert.rejects(rows(strict, 'sum(n)'), /field n has a value that is not of its type BIGINT.*: 0\.5/);
  // Only what is asked for is looked at.
  assert.deepEqual(await rows(strict, 'count(code) AS c'), [{ c: '1' }]);
  const asked = seenOf(sample, new Map<string, ColumnType>([['n', 'DOUBLE']]));
  assert.deepEqual(
    await rows(logsSql({ files, columns: asked, withRest: false, strict: true }), 'sum(n) AS n'),
    [{ n: 3.5 }],
  );
});

test('a time is that by which an event was archived, as cat has it, or the first of its object', async () => {
  const values = [
    `"${at(1000)}"`,
    `"${at(9000).replace('Z', '999Z')}"`,
    `"${at(9001)}"`,
    `"${at(999)}"`,
    `"${at(5000).replace('Z', '+02:00')}"`,
    `"${new Date(START + 5000 + 7_200_000).toISOString().replace('Z', '+0200')}"`,
    `"${at(5000).replace('T', ' ').replace('Z', '')}"`,
    `${(START + 3000) / 1000}`,
    `${START / 1000 + 2.25}`,
    `${START + 4321}`,
    `"${START + 4321}"`,
    '"1999-01-01T00:00:00Z"',
    '"noon"',
    'null',
    '{}',
    '1e300',
    '-5',
  ];
  const lines = values.flatMap((value) => [
    `{"time":${value}}`,
    `{"_time":${value},"time":"${at(7000)}"}`,
    `{"time":"${at(7000)}","_time":"${at(8000)}","x":${value}}`,
  ]);
  const files = [write(file('b'), lines)];
  for (const withRest of [true, false]) {
    const sql = logsSql({ files, columns: [], withRest, strict: true });
    const found = await rows(sql, 'epoch_ms(time)::DOUBLE AS ms');
    const expected = lines.map((line) => {
      const event = JSON.parse(line) as Record<string, unknown>;
      const own = ['_time', 'time'].map((key) => eventTime(event, HOUR, [key]));
      return own.find((ms) => ms !== null && ms >= START + 1000 && ms <= START + 9000);
    });
    found.forEach(({ ms }, i) => {
      assert.equal(ms, expected[i] ?? START + 1000, lines[i]);
    });
  }
  const rest = await rows(logsSql({ files, columns: [], withRest: true, strict: true }), 'rest');
  // The time that counts is said by its column; any other is an event's own affair.
  assert.deepEqual(
    rest.slice(0, 9).map((row) => row.rest),
    [
      null,
      `{"time":"${at(7000)}"}`,
      `{"time":"${at(7000)}","x":"${at(1000)}"}`,
      null,
      `{"time":"${at(7000)}"}`,
      `{"time":"${at(7000)}","x":${values[1]}}`,
      `{"time":"${at(9001)}"}`,
      `{"_time":"${at(9001)}"}`,
      `{"time":"${at(7000)}","x":"${at(9001)}"}`,
    ],
  );
});

test('foreign records and objects of the first release are taken for anything of their hour', () => {
  const own = { hour: HOUR, first_time: START + 5, last_time: START + 7, foreign: 0 };
  assert.deepEqual(timesOfObject(own), [START + 5, START + 7]);
  const hour = [START, START + 3_599_999];
  assert.deepEqual(timesOfObject({ ...own, foreign: 2 }), hour);
  assert.deepEqual(timesOfObject({ hour: HOUR, foreign: 0 }), hour);
});

test('a name with a NUL, at which SQL would end, is in the rest, and an hour of 1970 is one like any other', async () => {
  const lines = ['{"n":1,"a\\u0000b":2}', '{"time":"1970-01-01T01:00:02Z","\\u0000":{"\\u0000":3}}'];
  const columns = seenOf(lines);
  assert.deepEqual(
    columns.map(({ name }) => name),
    ['n'],
  );
  const files = [write({ tag: 'old', hour: 1, firstTime: 3_601_000, lastTime: 3_609_000 }, lines)];
  for (const strict of [true, false]) {
    const found = await rows(logsSql({ files, columns, withRest: true, strict }));
    assert.deepEqual(
      found.map(({ time, n, rest }) => [time, n, JSON.parse(rest as string)]),
      [
        ['1970-01-01 01:00:01', '1', { 'a\0b': 2 }],
        ['1970-01-01 01:00:02', null, { '\0': { '\0': 3 } }],
      ],
    );
    assert.equal((await rows(logsSql({ files, columns, withRest: false, strict }))).length, 2);
  }
});

test('no files make a table of no rows with the same columns', async () => {
  const columns = seenOf(['{"code":1}']);
  for (const withRest of [true, false])
    assert.deepEqual(await rows(logsSql({ files: [], columns, withRest, strict: true })), []);
});

test("fields with the SQL's own names are fields", async () => {
  const names = ['_tag', '_f', '_l', '_h', '_file', '_object', '_line', '_rows', 'json'];
  for (const more of [[], ['file_index', 'FILENAME', 'rowid']]) {
    const all = [...names, ...more];
    const line = JSON.stringify(Object.fromEntries(all.map((name, i) => [name, `v${i}`])));
    const columns = seenOf([line]);
    assert.deepEqual(
      columns.map(({ name }) => name),
      all,
    );
    const files = [write(file('one'), [line]), write(file('two'), [line])];
    for (const withRest of [true, false]) {
      const found = await rows(logsSql({ files, columns, withRest, strict: true }));
      const expected = Object.fromEntries(all.map((name, i) => [name, `v${i}`]));
      assert.deepEqual(
        found.map(({ tag, time: _, hour: _hour, rest: _rest, ...fields }) => ({ tag, ...fields })),
        [
          { tag: 'one', ...expected },
          { tag: 'two', ...expected },
        ],
      );
      assert.deepEqual(await rows(logsSql({ files: [], columns, withRest, strict: true })), []);
    }
  }
});
