/**
 * Compares the agent with Fluent Bit (FLUENT_BIT names the program, otherwise it is found on PATH) over the same nginx
 * log. Fluent Bit parses it with the regular expression of its own parsers.conf and sends JSON lines over HTTP to a
 * server that accepts everything; once gzipped, once not. It buffers in memory, as is its default, while the agent
 * writes everything durably to its spool before sending it.
 */
import { fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TailraceError } from '../base/errors.ts';
import {
  better,
  cpuSeconds,
  LINES,
  type Measured,
  measureAgent,
  peakMiB,
  round,
  writeLog,
} from './agent-cost.ts';
import type { BenchResult } from './run.ts';

const PROGRAM = process.env['FLUENT_BIT'] ?? 'fluent-bit';
const ROUNDS = 2;

/** CPU seconds of Fluent Bit per CPU second of the agent, and its own figures. */
interface Rival {
  readonly value: number;
  readonly times: number;
  readonly rssMiB: number;
}

export interface FluentBitResult extends BenchResult {
  readonly bench: 'fluentbit';
  readonly version: string;
  readonly gzip: Rival;
  readonly plain: Rival;
}

export async function run(): Promise<FluentBitResult> {
  const asked = spawnSync(PROGRAM, ['--version'], { encoding: 'utf8' });
  if (asked.status !== 0)
    throw new TailraceError(
      'CONFIG',
      `${PROGRAM} cannot be run: install Fluent Bit, or name its program in FLUENT_BIT`,
    );
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  const kinesis = fork(fileURLToPath(new URL('null-kinesis.ts', import.meta.url)));
  try {
    const [port] = (await once(kinesis, 'message')) as [number];
    const source = join(directory, 'source.log');
    const none: Measured = { cpu: Number.POSITIVE_INFINITY, rssMiB: 0 };
    let [bare, own, gzip, plain] = [Number.POSITIVE_INFINITY, none, none, none];
    for (let round = 0; round < ROUNDS; round++) {
      bare = Math.min(bare, writeLog(source));
      own = better(own, await measureAgent(join(directory, `own${round}`), source, 'gzip', port));
      gzip = better(gzip, await measureFluentBit(join(directory, `gzip${round}`), source, true));
      plain = better(plain, await measureFluentBit(join(directory, `plain${round}`), source, false));
    }
    const rival = ({ cpu, rssMiB }: Measured): Rival => ({
      value: Math.round(LINES / cpu),
      times: round(cpu / own.cpu),
      rssMiB: Math.round(rssMiB),
    });
    return {
      bench: 'fluentbit',
      value: Math.round(LINES / own.cpu),
      unit: 'lines/cpu-s',
      bare: round(bare),
      ratio: round(own.cpu / bare),
      rssMiB: Math.round(own.rssMiB),
      version: /v[\d.]+/.exec(asked.stdout)?.[0] ?? asked.stdout.trim(),
      gzip: rival(gzip),
      plain: rival(plain),
    };
  } finally {
    kinesis.disconnect();
    rmSync(directory, { recursive: true });
  }
}

async function measureFluentBit(directory: string, source: string, gzip: boolean): Promise<Measured> {
  mkdirSync(directory);
  const server = fork(fileURLToPath(new URL('null-http.ts', import.meta.url)));
  const [port] = (await once(server, 'message')) as [number];
  let lines = 0;
  server.on('message', (count: number) => {
    lines = count;
  });
  const log = join(directory, 'access.log');
  writeFileSync(join(directory, 'parsers.conf'), PARSERS);
  writeFileSync(join(directory, 'fluent-bit.conf'), configuration(log, port, gzip));
  const bit = spawn(PROGRAM, ['-c', join(directory, 'fluent-bit.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  bit.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    renameSync(source, log);
    while (lines < LINES) {
      if (bit.exitCode !== null) throw new Error(`Fluent Bit exited with ${bit.exitCode}: ${said}`);
      await sleep(200);
    }
    if (lines > LINES) throw new Error(`${LINES} lines sent, ${lines} received`);
    return { cpu: cpuSeconds(bit), rssMiB: peakMiB(bit) };
  } finally {
    renameSync(log, source);
    bit.kill('SIGKILL');
    server.disconnect();
  }
}

/** As in Fluent Bit's own parsers.conf. */
const PARSERS = `[PARSER]
    Name nginx
    Format regex
    Regex ^(?<remote>[^ ]*) (?<host>[^ ]*) (?<user>[^ ]*) \\[(?<time>[^\\]]*)\\] "(?<method>\\S+)(?: +(?<path>[^\\"]*?)(?: +\\S*)?)?" (?<code>[^ ]*) (?<size>[^ ]*)(?: "(?<referer>[^\\"]*)" "(?<agent>[^\\"]*)")
    Time_Key time
    Time_Format %d/%b/%Y:%H:%M:%S %z
`;

function configuration(log: string, port: number, gzip: boolean): string {
  return `[SERVICE]
    flush 1
    log_level warn
    parsers_file parsers.conf
[INPUT]
    name tail
    path ${log}
    parser nginx
    tag bench
    read_from_head true
    refresh_interval 1
[OUTPUT]
    name http
    match *
    host 127.0.0.1
    port ${port}
    uri /
    format json_lines
${gzip ? '    compress gzip\n' : ''}`;
}
