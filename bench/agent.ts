/**
 * Measures the whole agent, from file to acknowledged record: nginx combined lines, parsed, compressed, through the
 * spool, to a Kinesis that responds immediately. With gzip and zstd; the reference is the bare cost of zlib level 1.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { better, LINES, type Measured, measureAgent, round, writeLog } from './agent-cost.ts';
import type { BenchResult } from './run.ts';

/** The best of this many runs counts: other load on the machine can only add time. */
const ROUNDS = 2;

export interface AgentResult extends BenchResult {
  readonly bench: 'agent';
  readonly zstd: { readonly value: number; readonly ratio: number; readonly rssMiB: number };
  /** CPU seconds with zstd per CPU second with gzip. */
  readonly zstdToGzip: number;
}

export async function run(): Promise<AgentResult> {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  const kinesis = fork(fileURLToPath(new URL('null-kinesis.ts', import.meta.url)));
  try {
    const [port] = (await once(kinesis, 'message')) as [number];
    const source = join(directory, 'source.log');
    let bare = Number.POSITIVE_INFINITY;
    let gzip: Measured = { cpu: Number.POSITIVE_INFINITY, rssMiB: 0 };
    let zstd = gzip;
    for (let round = 0; round < ROUNDS; round++) {
      bare = Math.min(bare, writeLog(source));
      gzip = better(gzip, await measureAgent(join(directory, `gzip${round}`), source, 'gzip', port));
      zstd = better(zstd, await measureAgent(join(directory, `zstd${round}`), source, 'zstd', port));
    }
    return {
      bench: 'agent',
      value: Math.round(LINES / gzip.cpu),
      unit: 'lines/cpu-s',
      bare: round(bare),
      ratio: round(gzip.cpu / bare),
      rssMiB: Math.round(gzip.rssMiB),
      zstd: {
        value: Math.round(LINES / zstd.cpu),
        ratio: round(zstd.cpu / bare),
        rssMiB: Math.round(zstd.rssMiB),
      },
      zstdToGzip: round(zstd.cpu / gzip.cpu),
    };
  } finally {
    kinesis.disconnect();
    rmSync(directory, { recursive: true });
  }
}
