/** Parquet of real events by DuckDB: rows, order, types that last, and what came late. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { DuckDBConnection } from '@duckdb/node-api';
import { compactArchive, type HourResult } from '../../../../archive/compact/compact-archive.ts';
import { ParquetMaker } from '../../../../archive/compact/parquet.ts';
import { verifyCompactions } from '../../../../archive/compact/verify.ts';
import { loadDuckDb } from '../../../../archive/duckdb.ts';
import { DEFAULT_HOURS_POLICY } from '../../../../archive/hours/policy.ts';
import { encodeChunk } from '../../../../chunk/writer.ts';
import { ChunkSource, digest32, epochName, type MadeChunk } from '../../../support/chunks.ts';
import { MemoryArchive } from '../../../support/memory-archive.ts';
import { archiveOf, HOUR, NOW } from '../../../support/small-archive.ts';

const folder = mkdtempSync(join(tmpdir(), 'tailrace-compact-'));
let connection: DuckDBConnection;

before(async () => {
  const { DuckDBInstance } = await loadDuckDb();
  connection = await (await DuckDBInstance.create(':memory:')).connect();
});
after(() => {
  connection.closeSync();
  rmSync(folder, { recursive: true });
});

/** A memory archive of which parts of objects can be read. */
class ReadableArchive extends MemoryArchive {
  async range(key: string, first: number, last: number): Promise<Buffer | null> {
    return (await this.get(key))?.subarray(first, last + 1) ?? null;
  }
}

let sequence = 0;
function chunkOf(tag: string, hour: number, events: readonly object[]): MadeChunk {
  sequence += 1;
  const lane = digest32('lane');
  const raw = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  const header = {
    ...{
      lane,
      sequence,
      producer: digest32('p'),
      epoch: epochName(1),
      ordinal: sequence,
      floor: epochName(1),
    },
    ...{
      previous: null,
      end: false,
      tag,
      hour,
      firstTime: hour * 3_600_000,
      lastTime: (hour + 1) * 3_600_000 - 1,
    },
    events: events.length,
  };
  return { bytes: encodeChunk(raw, header, { codec: 'gzip', level: 1 }), lane, sequence, tag, hour, ids: [] };
}

async function compact(
  archive: ReadableArchive,
  hours: readonly [number, number] = [HOUR, HOUR + 1],
  maxBytes?: number,
  memory = '256MiB',
): Promise<HourResult[]> {
  const results: HourResult[] = [];
  await compactArchive({
    archive: { store: archive, prefix: '', keyTemplate: 'logs/tag={tag}/{name}' },
    hours,
    policy: { ...DEFAULT_HOURS_POLICY, now: NOW + 100 * 3_600_000, isGone: () => false },
    openAfter: 3_600_000,
    parquet: { folder, memory, ...(maxBytes === undefined ? {} : { maxBytes }) },
    onHour: (result) => results.push(result),
  });
  return results;
}

async function rowsOf(archive: ReadableArchive, columns: string): Promise<unknown[]> {
  const paths = [...archive.objects.keys()].filter((key) => key.startsWith('parquet/')).sort();
  const files = paths.map((key, i) => {
    const file = join(folder, `read-${i}.parquet`);
    writeFileSync(file, archive.objects.get(key)!);
    return `'${file}'`;
  });
  const reader = await connection.runAndReadAll(
    `SELECT ${columns} FROM read_parquet([${files.join(', ')}], union_by_name = true)`,
  );
  return reader.getRowsJson();
}

const at = (seconds: number): string => new Date(NOW + seconds * 1000).toISOString();

test('events become typed rows in the order of time; what has no column or does not fit is in rest', async () => {
  const archive = new ReadableArchive();
  const events = [
    { time: at(30), code: 200, path: '/b', dt: 'mine' },
    { time: at(10), code: 404, path: '/a', extra: { deep: [1] } },
    { time: at(20), code: 'teapot', path: '/c' },
  ];
  await archiveOf(
    [[chunkOf('web', HOUR, events.slice(0, 2))], [chunkOf('web', HOUR, events.slice(2))]],
    archive,
  );
  const [result] = await compact(archive);
  assert.deepEqual([result!.faults, result!.made.map(({ rows }) => rows)], [[], [3]]);
  assert.deepEqual(await rowsOf(archive, 'epoch(time)::INTEGER % 3600, path, extra, rest'), [
    [10, '/a', '{"deep":[1]}', null],
    [20, '/c', null, null],
    [30, '/b', null, '{"dt":"mine"}'],
  ]);
  assert.deepEqual(await compact(archive).then(([again]) => again!.made), []);
});

test('a table of more columns than the memory is for says what to do, and leaves the hour to a later run', async () => {
  const archive = new ReadableArchive();
  const event = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`key${i}`, i]));
  await archiveOf([[chunkOf('wide', HOUR, [event])]], archive);
  const [result] = await compact(archive, undefined, undefined, '16MiB');
  assert.match(
    result!.faults[0]!.message,
    /^tag wide: .*Out of Memory.*, for 60 columns: .*--memory than 16MiB/,
  );
  assert.deepEqual(result!.made, []);
});

test('a column keeps the type of earlier hours, new ones are reported, and late events make one more object', async () => {
  const archive = new ReadableArchive();
  const first = chunkOf('app', HOUR, [{ time: at(1), n: 1 }]);
  const second = chunkOf('app', HOUR + 1, [{ time: at(3601), n: 'two', user: 'x' }]);
  await archiveOf([[first, second]], archive);
  const results = await compact(archive);
  assert.deepEqual(
    results.map(({ newColumns }) => [...newColumns]),
    [[], [['app', [{ name: 'user', type: 'VARCHAR' }]]]],
  );
  assert.deepEqual(await rowsOf(archive, 'n, user, rest'), [
    ['1', null, null],
    [null, 'x', '{"n":"two"}'],
  ]);
  const late = chunkOf('app', HOUR, [{ time: at(2), n: 3 }]);
  await archiveOf([[late]], archive, 'shard-1');
  const [again, untouched] = await compact(archive);
  assert.deepEqual(
    [again!.made.map(({ rows }) => rows), again!.compactions.length, untouched!.made],
    [[1], 2, []],
  );
  assert.equal((await rowsOf(archive, 'n')).length, 3);
});

test('a field that differs from an earlier column by case alone stays in the rest', async () => {
  const archive = new ReadableArchive();
  const first = chunkOf('case', HOUR, [{ time: at(1), Rack: 'a' }]);
  const second = chunkOf('case', HOUR + 1, [{ time: at(3601), rack: 'b' }]);
  await archiveOf([[first], [second]], archive);
  const results = await compact(archive);
  assert.deepEqual(
    results.map(({ newColumns }) => [...newColumns]),
    [[], [['case', []]]],
  );
  assert.deepEqual(await rowsOf(archive, 'Rack, rest'), [
    ['a', null],
    [null, '{"rack":"b"}'],
  ]);
});

test('compactors that named columns in another case at the same time do not stop the next one', async () => {
  const archive = new ReadableArchive();
  const rack = (hour: number, name: string) =>
    chunkOf('case', hour, [{ time: at((hour - HOUR) * 3600), [name]: 'a' }]);
  await archiveOf([[rack(HOUR, 'Rack')], [rack(HOUR + 1, 'rack')], [rack(HOUR + 2, 'RACK')]], archive);
  // Neither has read what the other wrote.
  const entries = (): string[] =>
    [...archive.objects.keys()].filter((key) => key.startsWith('_compactions/'));
  await compact(archive, [HOUR, HOUR]);
  const held = entries().map((key) => [key, archive.objects.get(key)!] as const);
  for (const [key] of held) archive.objects.delete(key);
  await compact(archive, [HOUR + 1, HOUR + 1]);
  for (const [key, bytes] of held) archive.objects.set(key, bytes);
  assert.equal(entries().length, 2);
  const [last] = await compact(archive, [HOUR + 2, HOUR + 2]);
  assert.deepEqual(
    last!.made[0]!.columns.map(({ name }) => name),
    ['Rack'],
  );
});

test('objects that are not what their commits say are named and stay as they are, and other tags are compacted', async () => {
  const archive = new ReadableArchive();
  const source = new ChunkSource({ name: 'liar' });
  const chunks = [source.next('t', HOUR, 2, { events: 5 }), source.next('u', HOUR, 2)];
  // Earlier encoders did not count lines.
  await archiveOf([chunks], archive, 'shard-0', () => NOW, 3);
  for (let run = 0; run < 2; run++) {
    const [result] = await compact(archive);
    assert.match(result!.faults[0]!.message, /tag t: 1 objects have 2 lines, their commits say 5/);
    assert.deepEqual(
      result!.compactions.map(({ tables }) => tables.map(({ tag }) => tag)),
      [['u']],
    );
  }
});

test('objects that DuckDB cannot read are named, and other tags and hours are compacted', async () => {
  const archive = new ReadableArchive();
  await archiveOf(
    [
      [
        chunkOf('long', HOUR, [{ line: 'x'.repeat(40 * 1024 * 1024) }]),
        chunkOf('web', HOUR, [{ time: at(1) }]),
      ],
      [chunkOf('web', HOUR + 1, [{ time: at(3601) }])],
    ],
    archive,
  );
  for (const made of [['web'], []]) {
    const [first, second] = await compact(archive);
    assert.match(first!.faults[0]!.message, /^tag long: DuckDB cannot make Parquet of 1 objects: /);
    assert.deepEqual(
      [first, second].map((result) => result!.made.map(({ tag }) => tag)),
      [made, made],
    );
  }
});

test('Parquet that is too large to be put is named before the log has it, and other tags are compacted', async () => {
  const archive = new ReadableArchive();
  const large = Array.from({ length: 2000 }, (_, i) => ({ time: at(i % 3600), id: digest32(String(i)) }));
  await archiveOf([[chunkOf('large', HOUR, large), chunkOf('web', HOUR, [{ time: at(1) }])]], archive);
  const [result] = await compact(archive, [HOUR, HOUR], 20_000);
  assert.match(result!.faults[0]!.message, /^tag large: its Parquet of \d+ bytes is too large to be put$/);
  assert.deepEqual(
    result!.made.map(({ tag }) => tag),
    ['web'],
  );
  const [again] = await compact(archive, [HOUR, HOUR]);
  assert.deepEqual([again!.made.map(({ tag }) => tag), again!.faults], [['large'], []]);
});

test('verify finds rows that are too few, objects that nobody named, what is compacted twice, and what came since', async () => {
  const archive = new ReadableArchive();
  const chunks = [
    chunkOf('web', HOUR, [{ time: at(1) }, { time: at(2) }]),
    chunkOf('app', HOUR, [{ time: at(3) }]),
  ];
  await archiveOf([chunks], archive);
  await compact(archive);
  const maker = await ParquetMaker.open({ store: archive, folder, memory: '256MiB' }, new Map());
  const verify = () =>
    verifyCompactions({
      archive: { store: archive, prefix: '', keyTemplate: 'logs/tag={tag}/{name}' },
      hours: [HOUR, HOUR],
      rowsOf: (key) => maker.rowsOf(key),
      differing: (table) => maker.differing(table),
    });
  const report = await verify();
  assert.deepEqual([report.ok, report.rows, report.events, report.objects, report.late], [true, 3, 3, 2, 0]);
  await archiveOf([[chunkOf('web', HOUR, [{ time: at(4) }])]], archive, 'shard-1');
  assert.deepEqual(await verify().then(({ ok, late }) => [ok, late]), [true, 1]);

  const [app, web] = [...archive.objects.keys()].filter((key) => key.startsWith('parquet/')).sort() as [
    string,
    string,
  ];
  const whole = archive.objects.get(web)!;
  archive.objects.set(web, archive.objects.get(app)!);
  archive.objects.set(app.replace(/1-\w+/, '1-other'), whole);
  const found = (await verify()).problems;
  assert.equal(found.length, 3);
  assert.match(found[0]!, /has 1 rows of 2 events/);
  assert.match(found[1]!, /has other rows than its data objects: 2 events differ/);
  assert.match(found[2]!, /1-other.parquet is not named by the compactions of/);
  archive.objects.set(web, Buffer.from('not Parquet'));
  assert.match((await verify()).problems[0]!, /has 0 rows of 2 events/);
  archive.objects.delete(web);
  assert.match((await verify()).problems[0]!, /is missing/);
  maker.close();
});

/** An archive to which something happens just before it is first asked for a name with a prefix. */
class BusyArchive extends ReadableArchive {
  readonly meanwhile = new Map<string, () => Promise<unknown>>();

  override async first(prefix: string): Promise<string | null> {
    await this.#happens(prefix);
    return super.first(prefix);
  }

  override async *list(prefix: string): AsyncGenerator<{ key: string; bytes: number }> {
    await this.#happens(prefix);
    yield* super.list(prefix);
  }

  async #happens(prefix: string): Promise<void> {
    for (const [start, what] of this.meanwhile) {
      if (!prefix.startsWith(start)) continue;
      this.meanwhile.delete(start);
      await what();
    }
  }
}

test('verify takes nothing that is compacted meanwhile for a fault', async () => {
  const archive = new BusyArchive();
  await archiveOf([[chunkOf('web', HOUR, [{ time: at(1) }])]], archive);
  await compact(archive);
  const late = async (hour: number, shard: string): Promise<void> => {
    await archiveOf([[chunkOf('web', hour, [{ time: at(2) }])]], archive, shard);
    assert.equal((await compact(archive)).flatMap(({ made }) => made).length, 1);
  };
  archive.meanwhile.set('_compactions/2026', () => late(HOUR, 'shard-1'));
  archive.meanwhile.set('parquet/', () => late(HOUR + 1, 'shard-2'));
  const maker = await ParquetMaker.open({ store: archive, folder, memory: '256MiB' }, new Map());
  const report = await verifyCompactions({
    archive: { store: archive, prefix: '', keyTemplate: 'logs/tag={tag}/{name}' },
    hours: [HOUR, HOUR + 1],
    rowsOf: (key) => maker.rowsOf(key),
  });
  maker.close();
  assert.equal(archive.meanwhile.size, 0);
  assert.deepEqual([report.problems, report.rows], [[], 2]);
});
