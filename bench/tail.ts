/** Measures the tail input: nginx combined lines from a file, parsed and compressed, to the spool. The bare cost is zlib level 1. */
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { forkBundled } from './fork-bundled.ts';
import { ndjson } from './ndjson-lines.ts';
import type { BenchResult } from './run.ts';
import type { TailReport } from './tail-agent.ts';
import { accessLines } from './tail-lines.ts';

const LINES = 1_000_000;
/** How often the same lines are repeated in the file: their NDJSON is held in memory once. */
const REPEATS = 4;
const PIECE = 50_000;
const WARM_UP = 100_000;
/** Rounds of both measurements; the median counts, since other processes disturb single rounds. */
const ROUNDS = 3;

export async function run(): Promise<BenchResult> {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  const file = join(directory, 'lines');
  const warmUp = join(directory, 'warm-up');
  writeFileSync(warmUp, accessLines(LINES, WARM_UP, Date.now() - 3_600_000));
  const pieces: Buffer[] = [];
  const start = Date.now() - 1_800_000;
  for (let first = 0; first < LINES / REPEATS; first += PIECE) {
    const text = accessLines(first, PIECE, start);
    for (let time = 0; time < REPEATS; time++) appendFileSync(file, text);
    pieces.push(ndjson(Buffer.from(text)));
  }
  const rounds: BenchResult[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const bare = compress(pieces);
    const report = await follow(warmUp, file);
    rounds.push({
      bench: 'tail',
      value: Math.round(LINES / report.cpuSeconds),
      unit: 'lines/cpu-s',
      bare: round2(bare),
      ratio: round2(report.cpuSeconds / bare),
      rssMiB: Math.round(report.rssMiB),
    });
  }
  rmSync(directory, { recursive: true });
  return rounds.toSorted((a, b) => a.ratio - b.ratio)[Math.floor(ROUNDS / 2)]!;
}

/** CPU seconds of zlib over the same NDJSON: one piece at a time, which makes no difference with a window of 32 KiB. */
function compress(pieces: readonly Buffer[]): number {
  const before = process.cpuUsage();
  for (const piece of pieces) for (let time = 0; time < REPEATS; time++) gzipSync(piece, { level: 1 });
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1e6;
}

async function follow(warmUp: string, file: string): Promise<TailReport> {
  const agent = await forkBundled('tail-agent.ts', join(dirname(file), 'agent'), [warmUp, file]);
  const [report] = (await once(agent, 'message')) as [TailReport];
  await once(agent, 'exit');
  if (report.events !== LINES) throw new Error(`${LINES} lines, ${report.events} events in the spool`);
  return report;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
