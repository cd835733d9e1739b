/** A statement's result is the same over the objects that it is said to need as over all: tried with DuckDB on any statements. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { Engine } from '../../../../cli/query/engine.ts';
import { type Bounds, boxesOf, isNeeded } from '../../../../cli/query/predicate.ts';

const HOUR_MS = 3_600_000;
const FIRST_HOUR = Date.UTC(2026, 10, 22, 22) / HOUR_MS;
const HOURS = 6;
const TAGS = ['nginx.access', 'nginx.error', 'app_1', 'appX1'];

let engine: Engine;
const folder = mkdtempSync(join(tmpdir(), 'tailrace-predicate-'));
/** Three events each, at its beginning, in its middle and at its end. */
const objects: Bounds[] = [];

before(async () => {
  engine = await Engine.open({ memory: 256 * 1024 ** 2, folder, readable: [] });
  for (let hour = FIRST_HOUR; hour < FIRST_HOUR + HOURS; hour++) {
    for (const tag of TAGS) {
      for (const part of [0, 1, 2]) {
        const firstTime = hour * HOUR_MS + part * 1_200_000;
        objects.push({ tag, hour, firstTime, lastTime: firstTime + 1_199_999 });
      }
      const edge = hour * HOUR_MS;
      objects.push({ tag, hour, firstTime: edge, lastTime: edge });
    }
  }
  await engine.run('CREATE TABLE kept (object INTEGER)');
  const rows = objects.flatMap(({ tag, hour, firstTime, lastTime }, i) =>
    [firstTime * 1000, (firstTime + lastTime) * 500, lastTime * 1000 + (lastTime > firstTime ? 999 : 0)].map(
      (micros, j) =>
        `(${i}, ${i * 3 + j}, '${tag}', make_timestamp(${micros}), make_timestamp(${hour * HOUR_MS * 1000}))`,
    ),
  );
  await engine.run(
    `CREATE TABLE every AS SELECT * FROM (VALUES ${rows.join(', ')}) AS t(object, id, tag, time, hour)`,
  );
  await engine.run(
    'CREATE VIEW logs AS SELECT tag, time, hour, id FROM every WHERE object IN (SELECT object FROM kept) ORDER BY id',
  );
  await engine.run('COMMIT');
  await engine.run('BEGIN TRANSACTION');
});
after(() => {
  engine.close();
  rmSync(folder, { recursive: true });
});

async function keep(numbers: readonly number[]): Promise<void> {
  await engine.run('DELETE FROM kept');
  if (numbers.length > 0)
    await engine.run(`INSERT INTO kept VALUES ${numbers.map((n) => `(${n})`).join(', ')}`);
}

const ALL = (): number[] => objects.map((_, i) => i);

async function neededBy(sql: string): Promise<number[]> {
  const boxes = await boxesOf(await engine.parse(sql), (part) => engine.evaluate(part));
  return ALL().filter((i) => isNeeded(objects[i]!, boxes));
}

async function resultOf(sql: string, kept: readonly number[]): Promise<string[]> {
  await keep(kept);
  return (await engine.rows(sql)).map((row) => row.map(String).join()).sort();
}

const moment = fc
  .record({ minutes: fc.integer({ min: -90, max: HOURS * 60 + 30 }), odd: fc.boolean() })
  .map(({ minutes, odd }) =>
    new Date(FIRST_HOUR * HOUR_MS + minutes * 60_000 + (odd ? 1 : 0))
      .toISOString()
      .replace('T', ' ')
      .slice(0, -1),
  );
const time = moment.chain((text) =>
  fc.constantFrom(
    `'${text}'`,
    `TIMESTAMP '${text}'`,
    `TIMESTAMP_NS '${text}000005'`,
    `'${text}'::TIMESTAMPTZ`,
    `'${text.slice(0, 10)}'`,
    `DATE '${text.slice(0, 10)}'`,
    `CAST('${text}' AS TIMESTAMP) - INTERVAL 2 HOUR`,
    `date_trunc('hour', TIMESTAMP '${text}')`,
    `make_timestamp(2026, 11, 23, 1, 0, 0)`,
    'now()',
    `'${text.slice(0, 10)}' || ' 01:00'`,
    'NULL',
    "TIMESTAMP 'infinity'",
  ),
);
const subject = fc.constantFrom(
  'time',
  'hour',
  'time::DATE',
  'TRY_CAST(hour AS DATE)',
  "date_trunc('hour', time)",
  "date_trunc('DAY', time)",
  "date_trunc('minute', hour)",
  "date_trunc('month', time)",
  'time + INTERVAL 1 HOUR',
);
const operator = fc.constantFrom('=', '<', '<=', '>', '>=', '<>', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM');
const tag = fc.constantFrom(...TAGS, 'none');
const simple = fc.oneof(
  fc.tuple(subject, operator, time).map(([a, o, b]) => `${a} ${o} ${b}`),
  fc.tuple(time, operator, subject).map(([a, o, b]) => `${a} ${o} ${b}`),
  fc
    .tuple(subject, fc.constantFrom('', 'NOT '), time, time)
    .map(([s, n, a, b]) => `${s} ${n}BETWEEN ${a} AND ${b}`),
  fc.tuple(subject, time, time).map(([s, a, b]) => `${s} IN (${a}::TIMESTAMP, ${b}::TIMESTAMP)`),
  fc.tuple(tag, operator).map(([t, o]) => `tag ${o} '${t}'`),
  fc.tuple(tag, tag, fc.constantFrom('', 'NOT ')).map(([a, b, n]) => `tag ${n}IN ('${a}', '${b}')`),
  fc
    .constantFrom('nginx.%', 'app_1', '%error', 'NGINX%', '%', '')
    .chain((p) =>
      fc.constantFrom(
        `tag LIKE '${p}'`,
        `tag NOT LIKE '${p}'`,
        `tag ILIKE '${p}'`,
        `tag LIKE '${p}' ESCAPE '$'`,
      ),
    ),
  fc.constantFrom(
    "starts_with(tag, 'nginx')",
    "tag ^@ 'app'",
    "upper(tag) = 'APP_1'",
    "tag = upper('app')",
    'tag IS NOT NULL',
  ),
  fc.constantFrom('id < 30', 'time IS NULL', 'true', 'random() < 2'),
);
const { condition } = fc.letrec<{ condition: string }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    simple,
    fc
      .tuple(tie('condition'), fc.constantFrom('AND', 'OR'), tie('condition'))
      .map(([a, o, b]) => `(${a}) ${o} (${b})`),
    tie('condition').map((a) => `NOT (${a})`),
    tie('condition').map((a) => `CASE WHEN ${a} THEN true ELSE false END`),
  ),
}));

/** As people write them. */
const usual = fc
  .tuple(
    fc.constantFrom('true', ...TAGS.map((name) => `tag = '${name}'`), "tag LIKE 'nginx%'", 'id < 60'),
    fc.tuple(subject, fc.constantFrom('>', '>=', '='), time).map(([a, o, b]) => `${a} ${o} ${b}`),
    fc.tuple(subject, fc.constantFrom('<', '<='), time).map(([a, o, b]) => `${a} ${o} ${b}`),
  )
  .map((terms) => terms.join(' AND '));

/** The condition's columns as those of a table. */
function of(name: string, text: string): string {
  return text.replaceAll(/\b(tag|time|hour|id)\b(?!')(?=[ :),]|$)/g, `${name}.$1`);
}

const statement = fc
  .tuple(fc.oneof(usual, condition), fc.oneof(usual, condition))
  .chain(([a, b]) =>
    fc.constantFrom(
      `SELECT id FROM logs WHERE ${a}`,
      `SELECT id FROM main.LOGS AS "L" WHERE ${of('l', a)}`,
      `SELECT count(*), min(time) FROM (SELECT * FROM logs WHERE ${a}) WHERE ${b}`,
      `SELECT time FROM (SELECT id, '2026-11-23'::TIMESTAMP AS time, tag, hour FROM logs) WHERE ${a}`,
      `WITH some AS (FROM logs WHERE ${a}) SELECT s.id, l.id FROM some s LEFT JOIN logs l ON l.id = s.id + 1 WHERE ${of('l', b)}`,
      ...['', 'LEFT', 'RIGHT', 'FULL', 'ASOF', 'ASOF LEFT'].map(
        (kind) =>
          `SELECT x.id, l.id FROM every x ${kind} JOIN logs l ON x.tag = l.tag AND x.time >= l.time${kind.startsWith('ASOF') ? '' : ' AND x.id < l.id + 5'} WHERE ${of('l', a)}`,
      ),
      `SELECT x.id, l.id FROM every x POSITIONAL JOIN logs l WHERE ${of('l', a)}`,
      `SELECT x.id FROM every x, logs l WHERE x.id = l.id + 1 AND (${of('l', a)})`,
      `SELECT x.id FROM logs x, logs l WHERE x.id = l.id + 1 AND (${of('l', a)}) AND (${of('x', b)})`,
      `SELECT id FROM logs x SEMI JOIN every USING (id) WHERE ${of('x', a)}`,
      `SELECT id FROM logs x ANTI JOIN (FROM logs WHERE ${a}) USING (id) WHERE ${of('x', b)}`,
      `SELECT id FROM logs WHERE (${a}) OR id IN (SELECT id + 1 FROM logs WHERE ${b})`,
      `SELECT id FROM logs o WHERE EXISTS (FROM logs i WHERE i.id = o.id + 1 AND (${of('i', a)})) AND (${of('o', b)})`,
      `SELECT id, (SELECT max(time) FROM logs i WHERE i.time < o.time AND (${of('i', a)})) FROM logs o WHERE ${of('o', b)}`,
      `SELECT id FROM logs WHERE ${a} UNION ALL SELECT id FROM logs WHERE ${b}`,
      `SELECT id FROM logs WHERE ${a} EXCEPT SELECT id FROM logs WHERE ${b}`,
      `SELECT id, row_number() OVER (ORDER BY time, id) FROM logs WHERE ${a} QUALIFY row_number() OVER (ORDER BY id) < 9`,
      `SELECT * FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM logs) WHERE ${a}`,
      `SELECT count(*) FILTER (WHERE ${a}) FROM logs`,
      `SELECT count(*) FROM logs HAVING count(*) > 2`,
      `SELECT e FROM logs AS l(a, time, c, e) WHERE time = 'nginx.error'`.replace('l(a, time', 'l(time, a'),
      `SELECT count(*) FROM query('FROM logs WHERE true')`,
      `SELECT count(*) FROM query_table('logs') WHERE ${a}`,
      `SELECT * FROM (PIVOT (SELECT tag, 1 AS one FROM logs WHERE ${a}) ON tag IN ('app_1', 'nginx.error') USING count(*))`,
      `SELECT max(id) FROM (PIVOT logs ON tag IN ('app_1') USING max(id))`,
      `WITH RECURSIVE r AS (SELECT id FROM logs WHERE ${a} UNION SELECT l.id FROM logs l JOIN r ON l.id = r.id + 1 WHERE ${of('l', b)}) FROM r`,
      `SELECT id FROM logs, LATERAL (SELECT logs.id AS n) WHERE ${of('logs', a)}`,
      `SUMMARIZE SELECT id FROM logs WHERE ${a}`,
    ),
  );

test('the result over the needed objects is the result over all', async () => {
  let [tried, refused, passedOver] = [0, 0, 0];
  await fc.assert(
    fc.asyncProperty(statement, async (sql) => {
      tried += 1;
      let all: string[];
      try {
        all = await resultOf(sql, ALL());
      } catch {
        // Not every combination of types is SQL; a failed statement ends its transaction.
        await engine.run('ROLLBACK');
        await engine.run('BEGIN TRANSACTION');
        refused += 1;
        return;
      }
      const needed = await neededBy(sql);
      passedOver += objects.length - needed.length;
      assert.deepEqual(await resultOf(sql, needed), all, sql);
    }),
    { numRuns: Number(process.env['RUNS'] ?? 300) },
  );
  assert.ok(refused < tried / 2, `${refused} of ${tried} statements are not SQL`);
  assert.ok(passedOver > tried * 5, `only ${passedOver} objects were passed over`);
});

test('edges that random statements seldom meet', async () => {
  for (const sql of [
    // The last microseconds of an object's last millisecond.
    "SELECT id FROM logs WHERE time >= TIMESTAMP '2026-11-22 22:19:59.9995' AND time < '2026-11-22 22:20:00'",
    "SELECT id FROM logs WHERE time < TIMESTAMP_NS '2026-11-22 22:00:00.000000005'",
    // A text that is compared with a date is read as one.
    "SELECT id FROM logs WHERE time::DATE = '2026-11-23 01:30'",
    "SELECT id FROM logs WHERE time::DATE >= '2026-11-23 01:30'",
    // The names of the columns are those of others.
    "SELECT id FROM logs AS l(tag, hour, time, id) WHERE time = '2026-11-22 23:00:00'",
  ]) {
    const all = await resultOf(sql, ALL());
    assert.ok(all.length > 0, sql);
    assert.deepEqual(await resultOf(sql, await neededBy(sql)), all, sql);
  }
  // A sample is taken before the condition.
  for (const sql of [
    "SELECT id FROM logs TABLESAMPLE 10 ROWS WHERE tag = 'app_1'",
    "SELECT id FROM logs WHERE tag = 'app_1' USING SAMPLE 10 ROWS",
  ])
    assert.deepEqual(await neededBy(sql), ALL(), sql);
});
