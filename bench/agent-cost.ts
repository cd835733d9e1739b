/** Runs the whole agent over a million access log lines, for the benchmarks that measure it and those that compare it. */
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { stringify } from 'yaml';
import { ask } from '../producer/control/protocol.ts';
import type { AgentStatus } from '../producer/status.ts';
import { forkBundled } from './fork-bundled.ts';
import { ndjson } from './ndjson-lines.ts';
import { accessLines } from './tail-lines.ts';

export const LINES = 1_000_000;
const PIECE = 50_000;
/** Uncounted warm-up lines: an agent runs for months, so the compiler's first seconds do not matter. */
const WARM_UP = 200_000;
/** Kernel clock ticks per second (proc(5), USER_HZ). */
const TICKS = 100;

export interface Measured {
  readonly cpu: number;
  readonly rssMiB: number;
}

export function better(a: Measured, b: Measured): Measured {
  return a.cpu < b.cpu ? a : b;
}

/** Writes the log, and returns the CPU seconds of zlib level 1 over the same events. */
export function writeLog(file: string, lines = LINES): number {
  const start = Date.now() - 1_800_000;
  writeFileSync(file, '');
  let bare = 0;
  for (let first = 0; first < lines; first += PIECE) {
    const text = accessLines(first, Math.min(PIECE, lines - first), start);
    appendFileSync(file, text);
    const json = ndjson(Buffer.from(text));
    const before = process.cpuUsage();
    gzipSync(json, { level: 1 });
    const used = process.cpuUsage(before);
    bare += (used.user + used.system) / 1e6;
  }
  return bare;
}

/** The CPU seconds from file to acknowledged record, after a warm-up. */
export async function measureAgent(
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

/** Events that the stream has acknowledged; null while the agent does not know. */
export async function acknowledged(state: string): Promise<number | null> {
  for await (const status of ask(state, { command: 'status' })) {
    return (status as unknown as AgentStatus).acknowledged?.events ?? null;
  }
  return null;
}

/** User and system time of all threads of a process: fields 14 and 15 of proc(5). */
export function cpuSeconds({ pid }: { readonly pid?: number | undefined }): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

export function peakMiB({ pid }: { readonly pid?: number | undefined }): number {
  const [, kib] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kib) / 1024;
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
