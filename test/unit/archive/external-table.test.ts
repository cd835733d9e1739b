/** The statements for Athena, Redshift Spectrum and Spark. What the engines' readers make of them is in test/readers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DEFAULT_KEY_TEMPLATE } from '../../../archive/commit-keys.ts';
import {
  columnsOf,
  createStatement,
  type Engine,
  type ExternalTable,
  MARKS,
  PARQUET_TEMPLATE,
  parquetColumns,
  partitionsOf,
  serdeProperties,
} from '../../../archive/external-table.ts';
import { type ColumnType, FieldsSeen } from '../../../archive/field-types.ts';
import { codeOf, ROOT } from '../../support/documents.ts';
import { parserOf } from '../../support/format-harness.ts';

const PARTITIONS = ['tag', 'dt', 'hour'];
const texts = (...names: string[]): Map<string, ColumnType> =>
  new Map(names.map((name) => [name, 'VARCHAR']));
const FOLDERS = [
  { tag: 'nginx.access', dt: '2026-11-23', hour: '07' },
  { tag: 'app%2Flog', dt: '2026-11-24', hour: '00' },
];

function table(changes: Partial<ExternalTable> = {}): ExternalTable {
  return {
    name: 'logs',
    root: 's3://my-log-archive/',
    template: DEFAULT_KEY_TEMPLATE,
    form: 'ndjson',
    columns: [{ name: 'code', field: 'code', type: 'INTEGER' }],
    folders: FOLDERS,
    ...changes,
  };
}

test('a name that Athena does not take, or that is taken, is mapped to a column of its own', () => {
  const { columns, leftOut } = columnsOf(
    'athena',
    texts('A', 'a_2', 'a', 'a.b', 'a b', '', 'hour', 'a\tb'),
    PARTITIONS,
  );
  assert.deepEqual(
    columns.map(({ name, field }) => [field, name]),
    [
      ['A', 'a_3'],
      ['a_2', 'a_2'],
      ['a', 'a'],
      ['a.b', 'a_b'],
      ['a b', 'a_b_2'],
      ['', '_'],
      ['hour', 'hour_2'],
    ],
  );
  assert.deepEqual(leftOut, ['a\tb']);
  assert.deepEqual(
    [...serdeProperties(columns)],
    [
      ['case.insensitive', 'false'],
      ['mapping.a_3', 'A'],
      ['mapping.a_b', 'a.b'],
      ['mapping.a_b_2', 'a b'],
      ['mapping._', ''],
      ['mapping.hour_2', 'hour'],
    ],
  );
});

test('Spark has the names as they are, but for those of its partitions', () => {
  const { columns, leftOut } = columnsOf('spark', texts('K', 'k', 'a.b', 'Hour'), PARTITIONS);
  assert.deepEqual(
    columns.map(({ name }) => name),
    ['K', 'k', 'a.b', '_corrupt_record'],
  );
  assert.deepEqual(leftOut, ['Hour']);
  const statement = createStatement('spark', table({ columns }));
  assert.match(
    statement,
    /^SET spark\.sql\.caseSensitive = true;\nCREATE TEMPORARY VIEW logs \(\n {2}`K` STRING,/,
  );
  assert.doesNotMatch(createStatement('spark', table()), /caseSensitive/);
});

test('Athena projects the tags that there are, the days from the first one on, and the hours', () => {
  const statement = createStatement('athena', table());
  assert.match(statement, /'projection\.tag\.values' = 'app%2Flog,nginx\.access'/);
  assert.match(statement, /'projection\.dt\.range' = '2026-11-23,NOW\+1DAYS'/);
  assert.match(
    statement,
    /'s3:\/\/my-log-archive\/logs\/tag=\$\{tag\}\/dt=\$\{dt\}\/hour=\$\{hour\}\/'\);\n$/,
  );
});

test('partitions are named as the key template names them', () => {
  const statement = createStatement('athena', table({ template: 'x/{dt}/_t={tag}-{name}' }));
  assert.match(statement, /PARTITIONED BY \(`dt` string, `_t` string\)/);
  assert.match(statement, /LOCATION 's3:\/\/my-log-archive\/x\/'/);
  assert.doesNotMatch(statement, /projection\.hour/);
  assert.throws(() => partitionsOf('logs/{shard}/{tag}/{name}'), { code: 'CONFIG' });
});

test('Spectrum gets every folder, at most a hundred a statement', () => {
  const folders = Array.from({ length: 230 }, (_, i) => ({ tag: 'a', dt: '2026-11-23', hour: String(i) }));
  const [create, ...adds] = createStatement('spectrum', table({ folders })).split(/(?=^ALTER)/m);
  assert.match(
    create!,
    /"tag" varchar\(255\)[\s\S]*STORED AS TEXTFILE\nLOCATION 's3:\/\/my-log-archive\/logs\/';\n$/,
  );
  assert.deepEqual(
    adds.map((add) => add.match(/^PARTITION /gm)!.length),
    [100, 100, 30],
  );
});

test('quotes and backslashes in names stay within their literals', () => {
  const { columns } = columnsOf('athena', texts("it's", 'a\\b', 'a`b'), PARTITIONS);
  const statement = createStatement('athena', table({ columns }));
  assert.match(statement, /'mapping\.it_s' = 'it\\'s'/);
  assert.match(statement, /'mapping\.a_b' = 'a\\\\b'/);
  const spark = columnsOf('spark', texts('a`b'), PARTITIONS);
  assert.match(createStatement('spark', table({ columns: spark.columns })), /`a``b` STRING/);
  assert.match(createStatement('spectrum', table({ columns })), /'mapping\.it_s' = 'it''s'/);
});

test('Parquet has its own names, the time and the rest', () => {
  const { columns } = parquetColumns([{ name: 'User-Agent', type: 'VARCHAR' }]);
  const statement = createStatement(
    'athena',
    table({ columns, template: PARQUET_TEMPLATE, form: 'parquet' }),
  );
  assert.match(statement, /`time` timestamp,\n {2}`user-agent` string,\n {2}`rest` string\)/);
  assert.match(statement, /STORED AS PARQUET\nLOCATION 's3:\/\/my-log-archive\/parquet\/'/);
});

test('docs/query.md shows what is printed for lines of nginx', () => {
  const { parser, take } = parserOf({ type: 'nginx', log_format: NGINX });
  const bytes = Buffer.from(NGINX_LINE);
  parser.parse(bytes, 0, bytes.length);
  const seen = new FieldsSeen();
  for (const { json } of take()) seen.add(json);
  const { blocks } = codeOf(readFileSync(join(ROOT, 'docs', 'query.md'), 'utf8'));
  const [athena, spark] = (['athena', 'spark'] as const).map((engine: Engine) => {
    const { columns } = columnsOf(engine, seen.strictTypes(MARKS), PARTITIONS);
    const root = `${engine === 'spark' ? 's3a' : 's3'}://my-log-archive/`;
    return createStatement(engine, table({ root, columns, folders: FOLDERS.slice(0, 1) }));
  });
  for (const statement of [athena!, spark!])
    assert.ok(
      blocks.some(({ text }) => text.includes(statement.trim())),
      `docs/query.md has no\n${statement}`,
    );
});

const NGINX =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time $upstream_response_time';
const NGINX_LINE =
  '203.0.113.7 - ann [23/Nov/2026:07:04:05 +0000] "GET /a HTTP/1.1" 200 12 "https://example.com/" "curl/8" 0.000 0.003';
