/**
 * Three questions about some days of access logs: tailrace query from S3, DuckDB by hand over the whole archive, zcat and jq over the
 * right folders, and a grep of the raw logs: time, bytes and memory of each. `--size 1GB --days 30 --rounds 3 --question 2 --limit 300s`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TailraceError } from '../base/errors.ts';
import { parseDuration, parseSize } from '../base/units.ts';
import { createS3Server } from '../local/s3/server.ts';
import { Store } from '../local/s3/store.ts';
import { measureCommand } from './measure-command.ts';
import { FIRST_HOUR, fill, RARE_ADDRESS, TAG } from './query-archive.ts';
import type { BenchResult } from './run.ts';

const CLI = join(import.meta.dirname, '..', 'cli', 'tailrace.ts');
const BY_HAND = join(import.meta.dirname, 'query-by-hand.ts');
const BATCHES = 12;
const SEED = 20261123;

interface Way {
  readonly name: string;
  readonly command: readonly string[];
  /** What it reads, where that is not counted by the server. */
  readonly files?: readonly string[];
}

interface Question {
  readonly title: string;
  readonly ways: readonly Way[];
}

interface Measured {
  readonly seconds: number;
  /** Of the processor, all processes together. */
  readonly cpu: number;
  readonly bytes: number;
  readonly rssMiB: number;
  readonly answer: string;
}

export async function run(): Promise<BenchResult> {
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: {
      size: { type: 'string', default: '1GB' },
      days: { type: 'string', default: '30' },
      rounds: { type: 'string', default: '3' },
      question: { type: 'string' },
      limit: { type: 'string', default: '300s' },
      folder: { type: 'string', default: join(tmpdir(), 'tailrace-bench-query') },
    },
  });
  const rawBytes = parseSize(values.size)!;
  const days = Number(values.days);
  const { folder } = values;
  const limitMs = parseDuration(values.limit)!;
  const filled = await fill({
    ...{ folder, rawBytes, days, seed: SEED, batches: BATCHES },
    onHour: (done, total) => process.stderr.write(`\r${done} of ${total} hours`),
  });
  await compact(folder);
  const archived = sizeOf(globSync(join(folder, 's3/logs/**/*.gz')));
  process.stderr.write(
    `\n${(filled.rawBytes / 1e6).toFixed(0)} MB raw, ${filled.lines} lines, ${(archived / 1e6).toFixed(0)} MB archived in ${days * 24 * BATCHES} objects\n`,
  );
  const s3 = await serve(join(folder, 's3'));
  const results: Measured[][] = [];
  try {
    const all = questions({ folder, days, endpoint: s3.endpoint });
    for (const question of values.question === undefined ? all : [all[Number(values.question) - 1]!]) {
      process.stderr.write(`\n${question.title}\n`);
      const best: Measured[] = [];
      for (const way of question.ways) {
        const tries: Measured[] = [];
        for (let round = 0; round < Number(values.rounds); round++) {
          const tried = await measure(way, s3, limitMs);
          tries.push(tried);
          if (tried.seconds * 1000 >= limitMs) break;
        }
        // On a machine that does something else as well, CPU time says more than the clock.
        tries.sort((a, b) => a.cpu - b.cpu);
        const found = tries[Math.floor(tries.length / 2)]!;
        best.push(found);
        const { seconds, cpu, bytes, rssMiB, answer } = found;
        process.stderr.write(
          `  ${way.name.padEnd(34)} ${seconds.toFixed(2).padStart(7)} s ${cpu.toFixed(2).padStart(7)} CPU s ${(bytes / 1e6).toFixed(2).padStart(9)} MB ${rssMiB.toFixed(0).padStart(6)} MiB  ${answer}\n`,
        );
      }
      results.push(best);
    }
  } finally {
    s3.close();
  }
  const hour = results[1] ?? results[0]!;
  return {
    bench: 'query',
    value: hour[0]!.seconds,
    unit: 's for one address in one hour',
    bare: hour[4]!.seconds,
    ratio: hour[0]!.seconds / hour[4]!.seconds,
    rssMiB: hour[0]!.rssMiB,
  };
}

/** The same SQL in four ways. */
function inSql(sql: string, { folder, endpoint }: Place): Way[] {
  const query = [process.execPath, CLI, 'query', sql, ...bucketOf(endpoint), '--format', 'csv'];
  return [
    { name: 'tailrace query, ndjson.gz from S3', command: [...query, '--ndjson'] },
    { name: 'tailrace query, Parquet from S3', command: query },
    { name: 'DuckDB over the whole glob', command: [process.execPath, BY_HAND, 'ndjson', folder, sql] },
    { name: 'DuckDB over Parquet, whole glob', command: [process.execPath, BY_HAND, 'parquet', folder, sql] },
  ];
}

function bucketOf(endpoint: string): string[] {
  return ['--bucket', 'archive', '--endpoint', endpoint];
}

function shell(name: string, text: string, files: readonly string[]): Way {
  return { name, command: ['bash', '-c', text, 'bash', ...files], files };
}

interface Place {
  readonly folder: string;
  readonly days: number;
  readonly endpoint: string;
}

const P99_OF_PAIRS = `sort -k1,1 -k2,2n | awk '{n[$1]++; v[$1, n[$1]] = $2} END {for (h in n) print h, v[h, int(n[h] * 0.99)]}' | sort`;

function questions(place: Place): Question[] {
  const { folder, days, endpoint } = place;
  const noon = Math.floor(days / 2) * 24;
  const iso = (offset: number): string => new Date((FIRST_HOUR + noon + offset) * 3_600_000).toISOString();
  const objects = (pattern: string): string[] =>
    globSync(join(folder, 's3/logs', `tag=${TAG}`, pattern, '*.gz')).sort();
  const raw = (first: number, count: number): string[] =>
    Array.from({ length: count }, (_, i) =>
      join(folder, 'raw', `access-${String(first + i).padStart(4, '0')}.log`),
    );
  const within = (from: number, to: number): string =>
    `tag = '${TAG}' AND time >= '${iso(from)}' AND time < '${iso(to)}'`;
  const [day, hour] = [`dt=${iso(0).slice(0, 10)}`, iso(14).slice(0, 13)];
  return [
    {
      title: 'count by code, one day',
      ways: [
        ...inSql(`SELECT code, count(*) FROM logs WHERE ${within(0, 24)} GROUP BY 1 ORDER BY 1`, place),
        shell('zcat | jq, the right folders', 'zcat "$@" | jq .code | sort | uniq -c', objects(`${day}/*`)),
        shell('grep of the raw files', `cat "$@" | grep -oE '" [0-9]{3} ' | sort | uniq -c`, raw(noon, 24)),
      ],
    },
    {
      title: 'requests of one address, one hour',
      ways: [
        ...inSql(
          `SELECT time, path FROM logs WHERE ${within(14, 15)} AND remote = '${RARE_ADDRESS}' ORDER BY 1`,
          place,
        ),
        shell(
          'zcat | jq, the right folders',
          `zcat "$@" | jq -c 'select(.remote == "${RARE_ADDRESS}")'`,
          objects(`${day}/hour=14`),
        ),
        shell('grep of the raw files', `grep -h '^${RARE_ADDRESS} ' "$@"`, raw(noon + 14, 1)),
        {
          name: 'tailrace grep from S3',
          command: [
            ...[
              process.execPath,
              CLI,
              'grep',
              '-F',
              RARE_ADDRESS,
              '--tag',
              TAG,
              '--from',
              hour,
              '--to',
              hour,
            ],
            ...bucketOf(endpoint),
          ],
        },
      ],
    },
    {
      title: 'p99 of request_time by hour of the day, all days',
      ways: [
        ...inSql(
          `SELECT hour(time), quantile_disc(request_time, 0.99) FROM logs WHERE tag = '${TAG}' GROUP BY 1 ORDER BY 1`,
          place,
        ),
        shell(
          'zcat | jq, all folders',
          `cat "$@" | zcat | jq -r '[.time[11:13], .request_time] | @tsv' | ${P99_OF_PAIRS}`,
          objects('*/*'),
        ),
        shell(
          'grep of the raw files',
          `cat "$@" | awk '{split($4, at, ":"); print at[2], $NF}' | ${P99_OF_PAIRS}`,
          raw(0, days * 24),
        ),
      ],
    },
  ];
}

interface CountingServer {
  readonly endpoint: string;
  /** Bytes sent so far. */
  sent(): number;
  close(): void;
}

async function serve(folder: string): Promise<CountingServer> {
  const server = createS3Server(Store.openForReading(folder, 'archive'));
  let closed = 0;
  const open = new Set<{ bytesWritten: number }>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => {
      closed += socket.bytesWritten;
      open.delete(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: () => [...open].reduce((sum, { bytesWritten }) => sum + bytesWritten, closed),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Runs one way once; a way that takes longer than the limit is ended and says so in its answer. */
async function measure({ command, files }: Way, s3: CountingServer, limitMs: number): Promise<Measured> {
  const before = s3.sent();
  const { seconds, cpu, rssMiB, failure, lines: all } = await measureCommand(command, limitMs);
  const told = /^read (\d+)$/.exec(all.at(-1) ?? '');
  const lines = told ? all.slice(0, -1) : all;
  return {
    ...{ seconds, cpu, rssMiB },
    bytes: told ? Number(told[1]) : files === undefined ? s3.sent() - before : sizeOf(files),
    answer: `${failure === '' ? '' : `${failure}, `}${lines.length} lines, last ${lines.at(-1)!.trim().slice(0, 60)}`,
  };
}

function sizeOf(files: readonly string[]): number {
  return files.reduce((sum, file) => sum + statSync(file).size, 0);
}

/** Parquet of all hours, by tailrace compact: under parquet/ of the same archive. */
async function compact(folder: string): Promise<void> {
  const done = join(folder, 'compacted');
  if (existsSync(done)) return;
  const from = new Date(FIRST_HOUR * 3_600_000).toISOString().slice(0, 13);
  const words = ['compact', '--folder', join(folder, 's3'), '--from', from, '--open-after', '1h', '--json'];
  const child = spawn(process.execPath, [CLI, ...words], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new TailraceError('QUERY_FAILED', `tailrace compact ended with ${code}`);
  writeFileSync(done, '');
}
