/** What the console answers to searches and queries: as grep and query do, bounded, and with nothing beyond the archive. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DEFAULT_KEY_TEMPLATE } from '../../../../archive/commit-keys.ts';
import { locateArchive, type OpenArchive } from '../../../../cli/archive-options.ts';
import type { QueryLine, SearchLine } from '../../../../cli/console/api.ts';
import { queryAnswerer } from '../../../../cli/console/query.ts';
import { searchAnswerer } from '../../../../cli/console/search.ts';
import type { Answerer } from '../../../../cli/console/server.ts';
import { fillFolder } from '../../../support/archive-folder.ts';
import { openArchiver } from '../../../support/archiver.ts';
import { ChunkSource } from '../../../support/chunks.ts';
import { MemoryArchive } from '../../../support/memory-archive.ts';

const HOUR = Math.floor(Date.now() / 3_600_000);
const folder = mkdtempSync(join(tmpdir(), 'tailrace-console-test-'));
let archive: OpenArchive;

before(async () => {
  await fillFolder(folder, '', HOUR);
  archive = await locateArchive({ folder });
});
after(() => {
  archive.store.close();
  rmSync(folder, { recursive: true });
});

async function answers<T>(
  answerer: Answerer,
  parameters: Record<string, string>,
  signal?: AbortSignal,
): Promise<T[]> {
  const lines: T[] = [];
  const say = async (line: object): Promise<void> => {
    // As it travels.
    lines.push(JSON.parse(JSON.stringify(line)));
  };
  await answerer(new URLSearchParams(parameters), say, signal ?? new AbortController().signal);
  return lines;
}

/** An archive in memory with `objects` objects of one event each. */
async function manyObjects(objects: number): Promise<OpenArchive> {
  const store = new MemoryArchive();
  const archiver = await openArchiver(store);
  const source = new ChunkSource({ name: 'agent' });
  for (let i = 0; i < objects; i++) {
    await archiver.take(
      [{ sequence: `${i + 1}`, arrival: Date.now(), data: source.next('t', HOUR, 1).bytes }],
      false,
    );
    await archiver.flush();
  }
  const reader = Object.assign(store, {
    range: async (key: string, first: number, last: number) =>
      (await store.get(key))?.subarray(first, last + 1) ?? null,
    close: () => {},
  });
  return { store: reader as never, prefix: '', keyTemplate: DEFAULT_KEY_TEMPLATE };
}

test('a search: what is found with the place of each match, how much was read, and the end', async () => {
  const lines = await answers<SearchLine>(searchAnswerer(archive), { pattern: 'agent/1/1/[12]', last: '2h' });
  const blocks = lines.flatMap((line) => ('block' in line ? [line.block] : []));
  assert.equal(blocks.length, 2);
  for (const { tag, lines: found } of blocks) {
    const [{ text, spans }] = found as [(typeof found)[number]];
    assert.equal(tag, 'nginx.access');
    assert.match(text.slice(...spans![0]!), /^agent\/1\/1\/[12]$/);
  }
  assert.deepEqual(lines[0], {
    found: { objects: 1, bytes: (lines[0] as { found: { bytes: number } }).found.bytes },
  });
  assert.deepEqual(lines.at(-1), { end: { matches: 2, stopped: null, back: null } });
});

test('a search by address, field, tag and context; what it cannot understand is refused', async () => {
  const search = searchAnswerer(archive);
  const matches = async (parameters: Record<string, string>): Promise<number> => {
    const end = (await answers<SearchLine>(search, { last: '2h', ...parameters })).at(-1);
    return (end as { end: { matches: number } }).end.matches;
  };
  assert.equal(await matches({ where: 'tag=nginx.access' }), 3);
  assert.equal(await matches({ where: 'tag=nginx.access', tag: 'other*' }), 0);
  assert.equal(await matches({ pattern: 'AGENT/1/1/0' }), 0);
  assert.equal(await matches({ pattern: 'AGENT/1/1/0', ignore_case: '1', context: '1' }), 1);
  assert.equal(await matches({ pattern: 'agent.1', fixed: '1' }), 0);
  const refusals: [Record<string, string>, RegExp][] = [
    [{ last: '1h' }, /what to look for/],
    [{ pattern: 'x' }, /how far back/],
    [{ pattern: '(', last: '1h' }, /the pattern/],
    [{ pattern: 'x', last: 'yesterday' }, /--last yesterday/],
    [{ pattern: 'x', last: '1h', limit: '5000' }, /limit 5000/],
    [{ ip: '1.2.3', last: '1h' }, /--ip 1\.2\.3/],
  ];
  for (const [parameters, why] of refusals) await assert.rejects(answers(search, parameters), why);
});

test('a search ends at its bound of matches or bytes, and says how far back it looked', async () => {
  const many = await manyObjects(20);
  const byMatches = await answers<SearchLine>(searchAnswerer(many), {
    pattern: 'agent',
    last: '2h',
    limit: '3',
  });
  const { end } = byMatches.at(-1) as Extract<SearchLine, { end: unknown }>;
  assert.deepEqual([end.matches, end.stopped], [3, 'at 3 matches']);
  const byBytes = await answers<SearchLine>(searchAnswerer(many, 1000), { pattern: 'nowhere', last: '2h' });
  const { end: bounded } = byBytes.at(-1) as Extract<SearchLine, { end: unknown }>;
  assert.match(bounded.stopped!, /^after .*, a search's bound/);
  assert.ok(bounded.back! > 0);
});

test('a search whose reader has gone reads no further', async () => {
  const many = await manyObjects(40);
  const gone = new AbortController();
  let reads = 0;
  const { store } = many;
  const get = store.get.bind(store);
  store.get = async (key: string) => {
    if (key.startsWith('logs/')) reads += 1;
    if (reads === 3) gone.abort();
    return get(key);
  };
  const lines = await answers<SearchLine>(
    searchAnswerer(many),
    { pattern: 'nowhere', last: '2h' },
    gone.signal,
  );
  assert.ok(reads < 20, `${reads}`);
  assert.ok(!('end' in lines.at(-1)!));
});

test('a query: columns, rows and what was read; more rows than a page shows are not sent', async () => {
  const query = queryAnswerer(archive, { memory: 2 ** 28, cache: 2 ** 20 });
  const sql = 'SELECT tag, count(*) AS events FROM logs GROUP BY 1';
  const lines = (await answers<QueryLine>(query, { sql })).filter((line) => !('progress' in line));
  assert.deepEqual(lines.slice(1, 3), [
    {
      columns: [
        { name: 'tag', numeric: false },
        { name: 'events', numeric: true },
      ],
    },
    { rows: [['nginx.access', '3']] },
  ]);
  assert.equal((lines[0] as { reading: { objects: number } }).reading.objects, 1);
  const many = await answers<QueryLine>(query, { sql: 'SELECT * FROM range(5000)' });
  const rows = many.flatMap((line) => ('rows' in line ? line.rows : []));
  const { end } = many.at(-1) as Extract<QueryLine, { end: unknown }>;
  assert.deepEqual([rows.length, end.rows, end.more], [1000, 1000, true]);
});

test('a query only reads, and only the archive', async () => {
  const query = queryAnswerer(archive, { memory: 2 ** 28, cache: 2 ** 20 });
  const before = readdirSync(folder, { recursive: true }).length;
  const refused = [
    '',
    'DROP TABLE x',
    "COPY (SELECT 1) TO '/tmp/x'",
    "SELECT * FROM read_text('/etc/passwd')",
    "ATTACH '/tmp/x.db'",
    'SET enable_external_access = true',
    'SELECT 1; SELECT 2',
    "SELECT * FROM 'https://example.com/x.csv'",
    'INSTALL httpfs',
  ];
  for (const sql of refused) await assert.rejects(answers(query, { sql }), /./, sql);
  assert.equal(readdirSync(folder, { recursive: true }).length, before);
});

test('a query whose reader has gone is interrupted', async () => {
  const query = queryAnswerer(archive, { memory: 2 ** 28, cache: 2 ** 20 });
  const gone = new AbortController();
  const lines: object[] = [];
  await query(
    new URLSearchParams({
      sql: 'SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range * b.range % 7 = 3',
    }),
    async (line) => {
      lines.push(line);
      setTimeout(() => gone.abort(), 50);
    },
    gone.signal,
  );
  assert.ok(!lines.some((line) => 'end' in line));
});
