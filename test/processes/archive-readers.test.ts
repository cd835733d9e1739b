/** Archives as outsiders read them, without knowledge of chunks and commits: all give the same counts. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import type { CommitObject } from '../../archive/commit.ts';
import { fence } from '../../archive/voiding.ts';
import type { StreamRecord } from '../../archive/writer/record.ts';
import { FIRST_HOUR, fill } from '../../bench/query-archive.ts';
import { archivePython } from '../support/archive-python.ts';
import { openArchiver } from '../support/archiver.ts';
import { ChunkSource } from '../support/chunks.ts';
import { codeBlocks } from '../support/documents.ts';
import { MemoryArchive } from '../support/memory-archive.ts';

const HOUR = 494_000;
const HOUR_MS = 3_600_000;
const withLibraries = await archivePython();
const SKIP_LIBRARIES = 'skip' in withLibraries ? withLibraries.skip : false;
const PYTHON = 'python' in withLibraries ? withLibraries.python : 'python3';

let directory: string;
/** Events of each tag and hour; the gzip files' alone under `gzip`. */
const expected = { gzip: 0, all: 0, slice: 0, foreign: 0 };

before(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-readers-'));
  const archive = new MemoryArchive();
  const archiver = await openArchiver(archive, { maxBytes: 300_000, now: () => HOUR * HOUR_MS });
  const sources = [new ChunkSource({ name: 'gz' }), new ChunkSource({ name: 'zs', codec: 'zstd' })];
  const records: StreamRecord[] = [];
  for (let i = 0; i < 400; i++) {
    const zstd = i % 10 === 9;
    const tag = ['nginx.access', 'app/log'][i % 2]!;
    const hour = HOUR + (i % 3);
    const events = 100 + (i % 7);
    const { bytes } = sources[zstd ? 1 : 0]!.next(zstd ? 'zstd' : tag, hour, events);
    records.push({ sequence: `${1000 + i}`, arrival: hour * HOUR_MS, data: bytes });
    expected.all += events;
    if (!zstd) expected.gzip += events;
    if (!zstd && tag === 'app/log' && i % 3 === 1) expected.slice += events;
  }
  for (const line of ['{"id":"json"}', 'text', '\xff']) {
    records.push({
      sequence: `${1000 + records.length}`,
      arrival: HOUR * HOUR_MS,
      data: Buffer.from(line, 'latin1'),
    });
    expected.all += 1;
    expected.gzip += 1;
    expected.foreign += 1;
  }
  await archiver.take(records, false);
  await archiver.end();
  // What stands under a name whose data was lost.
  const voided = 'logs/tag=nginx.access/dt=2026-05-10/hour=08/void.ndjson.gz';
  await fence(archive, { key: voided, codec: 'gzip' } as CommitObject);
  for (const [key, bytes] of archive.objects) {
    const file = path.join(directory, key);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, bytes);
  }
});

after(() => fs.rmSync(directory, { recursive: true }));

function has(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function python(code: string): string {
  return execFileSync(PYTHON, ['-c', code, path.join(directory, 'logs')], { encoding: 'utf8' }).trim();
}

test('zcat', { skip: !has('zcat', '--version') }, () => {
  const count = execFileSync('sh', ['-c', 'find logs -name "*.gz" -exec zcat {} + | wc -l'], {
    cwd: directory,
  });
  assert.equal(Number(count), expected.gzip);
});

test('zstdcat', { skip: !has('zstd', '--version') }, () => {
  const count = execFileSync('sh', ['-c', 'find logs -name "*.zst" -exec zstd -dc {} + | wc -l'], {
    cwd: directory,
  });
  assert.equal(Number(count), expected.all - expected.gzip);
});

test('gzip of Python', { skip: !has(PYTHON, '--version') }, () => {
  const code = `
import glob, gzip, json, sys
n = 0
for f in glob.glob(sys.argv[1] + '/**/*.gz', recursive=True):
    for line in gzip.open(f, 'rt'):
        json.loads(line); n += 1
print(n)`;
  assert.equal(Number(python(code)), expected.gzip);
});

test('DuckDB, by partition', { skip: SKIP_LIBRARIES }, () => {
  const code = `
import duckdb, sys
g = sys.argv[1] + '/**/*.ndjson.*'
q = "select count(*), count(distinct id) from read_json('%s', format='newline_delimited', hive_partitioning=true%s) where %s"
types = ", hive_types={'tag': VARCHAR, 'dt': DATE, 'hour': VARCHAR}, columns={'id': 'VARCHAR'}"
print(*duckdb.sql(q % (g, types, 'true')).fetchall()[0])
print(*duckdb.sql(q % (g, types, "tag = 'app/log' and dt = '2026-05-10' and hour = '09'")).fetchall()[0])`;
  const lines = python(code).split('\n');
  // Foreign lines without an id are no less lines.
  assert.deepEqual(lines[0], `${expected.all} ${expected.all - expected.foreign + 1}`);
  assert.deepEqual(lines[1], `${expected.slice} ${expected.slice}`);
});

test('pyarrow', { skip: SKIP_LIBRARIES }, () => {
  const code = `
import glob, pyarrow as pa, pyarrow.json as pj, sys
n = 0
for f in glob.glob(sys.argv[1] + '/**/*.ndjson.gz', recursive=True):
    with pa.input_stream(f, compression='gzip') as s:
        try: n += pj.read_json(s).num_rows
        except pa.ArrowInvalid as e:
            if 'Empty JSON' not in str(e): raise
            print('empty:', f.split('/')[-1])
print(n)`;
  // It takes a file without a line for an error.
  assert.deepEqual(python(code).split('\n'), ['empty: void.ndjson.gz', String(expected.gzip)]);
});

test('GZIPInputStream of Java', { skip: !has('javac', '-version') }, () => {
  const source = `
import java.io.*; import java.nio.file.*; import java.util.zip.*;
public class Count { public static void main(String[] a) throws Exception {
  long n = 0;
  for (Path p : (Iterable<Path>) Files.walk(Path.of(a[0])).filter(f -> f.toString().endsWith(".gz"))::iterator)
    try (BufferedReader r = new BufferedReader(new InputStreamReader(new GZIPInputStream(Files.newInputStream(p))))) {
      while (r.readLine() != null) n++;
    }
  System.out.println(n);
} }`;
  const file = path.join(directory, 'Count.java');
  fs.writeFileSync(file, source);
  const count = execFileSync('java', [file, path.join(directory, 'logs')], { encoding: 'utf8' });
  assert.equal(Number(count), expected.gzip);
});

test('Python of docs/query.md counts the events of its hour', { skip: SKIP_LIBRARIES }, async () => {
  const folder = path.join(directory, 'documented');
  await fill({ folder, rawBytes: 200_000, days: 1, seed: 3, batches: 2 });
  assert.equal(new Date(FIRST_HOUR * HOUR_MS).toISOString().slice(0, 10), '2026-10-24');
  const lines = fs.readFileSync(path.join(folder, 'raw', 'access-0014.log'), 'utf8').split('\n').length - 1;
  const [pyarrow] = codeBlocks('docs/query.md', 'python');
  const code = pyarrow!.replaceAll('data/s3/logs', path.join(folder, 's3'));
  const rows = [...python(code).matchAll(/'code_count': (\d+)/g)].map(([, count]) => Number(count));
  assert.equal(
    rows.reduce((sum, count) => sum + count, 0),
    lines,
  );
});
