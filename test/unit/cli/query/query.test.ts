/** `tailrace query` on an archive in a folder: answers, forms of output, and what SQL is kept from. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { FIRST_HOUR, fill } from '../../../../bench/query-archive.ts';
import { command as compact } from '../../../../cli/commands/compact.ts';
import { command } from '../../../../cli/commands/query.ts';

const folder = mkdtempSync(join(tmpdir(), 'tailrace-query-test-'));
const archive = join(folder, 's3');
const temp = mkdtempSync(join(folder, 'temp-'));
const raw = (hour: number): string[] =>
  readFileSync(join(folder, 'raw', `access-${String(hour).padStart(4, '0')}.log`), 'utf8')
    .split('\n')
    .slice(0, -1);
const time = (hour: number): string => new Date((FIRST_HOUR + hour) * 3_600_000).toISOString();

before(() => fill({ folder, rawBytes: 100_000, days: 1, seed: 7, batches: 2 }));
after(() => rmSync(folder, { recursive: true }));

let number = 0;
/** The answer as it is in the file that the command writes. */
async function query(sql: string, ...args: string[]): Promise<string> {
  const output = join(folder, `answer-${number++}`);
  await queryTo(output, sql, ...args);
  return readFileSync(output, 'utf8');
}

async function queryTo(output: string, sql: string, ...args: string[]): Promise<void> {
  const words = [sql, '--folder', archive, '--temp', temp, '--output', output, ...args];
  try {
    await command().exitOverride().parseAsync(words, { from: 'user' });
  } finally {
    assert.deepEqual(readdirSync(temp), [], 'nothing is left behind');
  }
}

test('counts are those of the raw log, whatever the form', async () => {
  const lines = [...raw(5), ...raw(6)];
  const codes = new Map<string, number>();
  for (const line of lines) {
    const code = /" (\d{3}) /.exec(line)![1]!;
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  const expected = [...codes].sort();
  const where = `WHERE tag = 'nginx.access' AND time >= '${time(5)}' AND time < '${time(7)}'`;
  const sql = `SELECT code, count(*) AS n FROM logs ${where} GROUP BY 1 ORDER BY 1;`;
  assert.equal(
    await query(sql, '--format', 'csv'),
    `code,n\n${expected.map((row) => `${row.join(',')}\n`).join('')}`,
  );
  const objects = expected.map(([code, n]) => ({ code: Number(code), n }));
  assert.deepEqual(JSON.parse(await query(sql, '--format', 'json')), objects);
  const ndjson = await query(
    sql.replace(where, ''),
    '--format',
    'ndjson',
    '--from',
    time(5),
    '--to',
    time(6).slice(0, 13),
  );
  assert.equal(ndjson, objects.map((object) => `${JSON.stringify(object)}\n`).join(''));
  const table = await query(sql, '--format', 'table');
  assert.match(table, /^code\s+n\n─+ {2}─+\n 200\s+\d+\n/);
  await query(sql, '--format', 'parquet');
  const duckdb = await (await DuckDBInstance.create(':memory:')).connect();
  const read = await duckdb.runAndReadAll(
    `SELECT code, n::INTEGER AS n FROM read_parquet('${folder}/answer-${number - 1}')`,
  );
  assert.deepEqual(read.getRowObjectsJson(), objects);
  duckdb.closeSync();
});

test('--output writes to a pipe and through a link, and replaces neither', async () => {
  const [pipe, link, target] = ['pipe', 'link', 'target'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  execFileSync('mkfifo', [pipe]);
  const reader = execFile('cat', [pipe]);
  const received = text(reader.stdout!);
  await queryTo(pipe, 'SELECT 1 AS a');
  if (!statSync(pipe).isFIFO()) reader.kill();
  assert.equal(await received, 'a\n1\n');
  assert.ok(statSync(pipe).isFIFO());
  writeFileSync(target, '');
  symlinkSync(target, link);
  await queryTo(link, 'SELECT 2 AS a');
  assert.equal(readFileSync(target, 'utf8'), 'a\n2\n');
  assert.ok(lstatSync(link).isSymbolicLink());
});

test('all rows of all hours are there, and commits and holes besides', async () => {
  const lines = Array.from({ length: 24 }, (_, hour) => raw(hour).length).reduce((sum, n) => sum + n);
  assert.equal(await query('SELECT count(*) AS n FROM logs', '--format', 'csv'), `n\n${lines}\n`);
  const commits = 'SELECT count(*) AS c, sum(objects)::INT AS o, sum(events)::INT AS e FROM commits';
  assert.equal(await query(commits, '--format', 'ndjson'), `{"c":48,"o":48,"e":${lines}}\n`);
  assert.equal(await query('FROM holes', '--format', 'json'), '[]\n');
  const columns = await query('SELECT column_name FROM (DESCRIBE logs)', '--format', 'csv');
  assert.match(columns, /^column_name\ntag\ntime\nhour\nremote\n(?:\w+\n)*request_time\nrest\n$/);
});

test('--explain names the objects of all, and reads none', async () => {
  const listed = await query(`SELECT 1 FROM logs WHERE hour = '${time(3)}'`, '--explain');
  const lines = listed.split('\n');
  assert.match(lines[0]!, /logs\/tag=nginx\.access\/dt=2026-10-24\/hour=03\/.*-7-/);
  assert.match(lines[2]!, /^2 of 48 objects, /);
});

test('a query only reads, and only the archive', async () => {
  const secret = join(folder, 'secret.csv');
  writeFileSync(secret, 'a\n1\n');
  for (const sql of [
    `COPY (SELECT 1) TO '${folder}/written.csv'`,
    'SELECT 1; SELECT 2',
    'CREATE TABLE t (a INT)',
    'SET memory_limit = 1',
    `SELECT * FROM '${secret}'`,
    `SELECT * FROM read_csv('${secret}')`,
    `SELECT * FROM read_csv('${archive}/../secret.csv')`,
    `SELECT * FROM glob('${folder}/*')`,
    "SELECT * FROM 'https://example.com/a.parquet'",
    "SELECT 1) TO 'x' (FORMAT csv); --",
  ])
    await assert.rejects(query(sql), { code: 'QUERY_INVALID' }, sql);
  assert.ok(!existsSync(join(folder, 'written.csv')));
  const join_ = `SELECT a, count(*) > 0 AS b FROM logs, '${secret}' GROUP BY 1`;
  assert.equal(await query(join_, '--files', folder, '--format', 'csv'), 'a,b\n1,true\n');
});

test('mistakes are explained', async () => {
  await assert.rejects(query('SELECT cod FROM logs'), /"cod" not found[\s\S]*"code"[\s\S]*rest ->> 'field'/);
  await assert.rejects(query('SELECT * FROM log'), {
    code: 'QUERY_INVALID',
    message: /^there is no table log: events are in logs/,
  });
  await assert.rejects(query('SELECT code FROM'), {
    code: 'QUERY_INVALID',
    message: /syntax error at end of input/,
  });
  await assert.rejects(query('SELECT 1', '--column', 'a=MONEY'), /--column a=MONEY: expected NAME=TYPE/);
  const early = "SELECT code, whatever FROM logs WHERE time < '1999-01-01'";
  assert.equal(await query(early, '--format', 'csv'), 'code,whatever\n');
  await assert.rejects(query("SELECT error('now')"), { code: 'QUERY_FAILED' });
});

test('compacted hours are read as Parquet, with the same answers', async () => {
  const words = [
    '--folder',
    archive,
    '--temp',
    temp,
    '--from',
    time(2).slice(0, 13),
    '--to',
    time(6).slice(0, 13),
  ];
  await compact().parseAsync([...words, '--open-after', '1h', '--json'], { from: 'user' });
  for (const sql of [
    'SELECT count(*), count(DISTINCT hour), min(time), max(time), sum(size), round(sum(request_time), 6) FROM logs',
    `SELECT time, hour, remote, path, code, referer, request_time, rest FROM logs WHERE time BETWEEN '${time(3)}' AND '${time(5)}' ORDER BY time, remote, path`,
    `SELECT code, count(*) FROM logs WHERE hour IN ('${time(1)}', '${time(2)}') GROUP BY 1 ORDER BY 1`,
    'SELECT column_name, column_type FROM (DESCRIBE logs) ORDER BY 1',
  ]) {
    const [mixed, plain] = [
      await query(sql, '--format', 'csv'),
      await query(sql, '--format', 'csv', '--ndjson'),
    ];
    assert.equal(mixed, plain, sql);
  }
  const sql = `SELECT count(*) FROM logs WHERE time >= '${time(5)}' AND time < '${time(8)}'`;
  const lines = (await query(sql, '--explain')).trimEnd().split('\n');
  const places = lines.map(
    (line) => /(?:logs|parquet)\/tag=nginx\.access\/dt=\S+\/hour=\d\d/.exec(line)?.[0] ?? line.split(',')[0],
  );
  const at = (layout: string, hour: string): string =>
    `${layout}/tag=nginx.access/dt=2026-10-24/hour=${hour}`;
  assert.deepEqual(places, [
    ...[at('logs', '07'), at('logs', '07'), at('parquet', '05'), at('parquet', '06')],
    ...['2 Parquet objects', '2 of 48 objects'],
  ]);
  const [entry] = readdirSync(join(archive, at('parquet', '05')));
  rmSync(join(archive, at('parquet', '05'), entry!));
  // While a Parquet object is missing, its data objects count.
  assert.equal(await query(sql, '--format', 'csv'), await query(sql, '--format', 'csv', '--ndjson'));
});
