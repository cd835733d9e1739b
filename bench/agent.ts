/**
 * Measures the whole agent, from file to acknowledged record: nginx combined lines, parsed, compressed, through the
 * spool, to a Kinesis that answers at once. With gzip and with zstd; the measure is the bare cost of zlib level 1.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { stringify } from 'yaml';
import { ask } from '../producer/control/protocol.ts';
import type { AgentStatus } from '../producer/status.ts';
import { forkBundled } from './fork-bundled.ts';
import { ndjson } from './ndjson-lines.ts';
import type { BenchResult } from './run.ts';
import { accessLines } from './tail-lines.ts';

const LINES = 1_000_000;
const PIECE = 50_000;
/** Lines that go before and are not counted: an agent runs for months, its compiler's first seconds do not matter. */
const WARM_UP = 200_000;
/** The best of so many counts: whatever else the machine does only ever adds. */
const ROUNDS = 2;
/** Ticks of the kernel's clock in a second (proc(5), USER_HZ). */
const TICKS = 100;

export interface AgentResult extends BenchResult {
  readonly bench: 'agent';
  readonly zstd: { readonly value: number; readonly ratio: number; readonly rssMiB: number };
  /** CPU seconds of zstd for each of gzip's. */
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
      bare = Math.min(bare, write(source));
      gzip = better(gzip, await measure(join(directory, `gzip${round}`), source, 'gzip', port));
      zstd = better(zstd, await measure(join(directory, `zstd${round}`), source, 'zstd', port));
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

interface Measured {
  readonly cpu: number;
  readonly rssMiB: number;
}

function better(a: Measured, b: Measured): Measured {
  return a.cpu < b.cpu ? a : b;
}

/** Writes the log, and returns the CPU seconds of zlib level 1 over the same events. */
function write(file: string): number {
  const start = Date.now() - 1_800_000;
  writeFileSync(file, '');
  let bare = 0;
  for (let first = 0; first < LINES; first += PIECE) {
    const text = accessLines(first, PIECE, start);
    appendFileSync(file, text);
    const json = ndjson(Buffer.from(text));
    const before = process.cpuUsage();
    gzipSync(json, { level: 1 });
    const used = process.cpuUsage(before);
    bare += (used.user + used.system) / 1e6;
  }
  return bare;
}

async function measure(
  directory: string,
  source: string,
  compression: string,
  port: number,
): Promise<Measured> {
  mkdirSync(directory);
  const state = join(directory, 'state');
  const log = join(directory, 'access.log');
  const warmUp = join(directory, 'warm-up.log');
  writeFileSync(
    join(directory, 'agent.yaml'),
    stringify({
      state_dir: state,
      stream: { name: 'bench', region: 'us-east-1', endpoint: `http://127.0.0.1:${port}` },
      compression,
      inputs: [
        { type: 'tail', path: [log, warmUp], tag: 'bench', format: 'nginx', refresh_interval: '100ms' },
      ],
      log_level: 'warn',
    }),
  );
  const config = join(directory, 'agent.yaml');
  const agent = await forkBundled(
    '../cli/tailrace.ts',
    join(directory, 'bundle'),
    ['agent', '--config', config],
    {
      env: {
        ...process.env,
        AWS_ACCESS_KEY_ID: 'bench',
        AWS_SECRET_ACCESS_KEY: 'bench',
        AWS_EC2_METADATA_DISABLED: 'true',
      },
      execArgv: process.env['PROFILE'] ? ['--cpu-prof', `--cpu-prof-dir=${process.env['PROFILE']}`] : [],
    },
  );
  try {
    const arrived = async (lines: number): Promise<void> => {
      while ((await acknowledged(state).catch(() => null)) !== lines) await sleep(200);
    };
    writeFileSync(warmUp, accessLines(0, WARM_UP, Date.now() - 1_800_000));
    await arrived(WARM_UP);
    const before = cpuSeconds(agent);
    renameSync(source, log);
    await arrived(WARM_UP + LINES);
    return { cpu: cpuSeconds(agent) - before, rssMiB: peakMiB(agent) };
  } finally {
    renameSync(log, source);
    agent.kill('SIGTERM');
    await once(agent, 'exit');
  }
}

async function acknowledged(state: string): Promise<number | null> {
  for await (const status of ask(state, { command: 'status' })) {
    return (status as unknown as AgentStatus).acknowledged?.events ?? null;
  }
  return null;
}

/** User and system time of all threads of a process: fields 14 and 15 of proc(5). */
function cpuSeconds({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function peakMiB({ pid }: ChildProcess): number {
  const [, kib] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kib) / 1024;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
