/**
 * Measures how long a line takes from its write to its record's acknowledgement by a Kinesis over TLS that answers at
 * once: the packaged agent, at 1,000 and at 100,000 lines a second, from a log and as forward events. Other trees are
 * measured in turn with this one.
 *
 *     npm run bench -- latency --rounds 3 --seconds 20
 *     npm run bench -- latency --base ../other-tree --base ../older-tree
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpuSeconds, peakMiB, round } from './agent-cost.ts';
import type { Latencies } from './latency-sink.ts';
import { freePort } from './peers-measure.ts';
import { end, makeFolder, ownAgent, type Program, SERVER_TLS } from './peers-programs.ts';
import { inTurn, type Spread, spread } from './peers-table.ts';
import type { BenchResult } from './run.ts';

const KINDS = ['tail', 'forward'] as const;
const RATES = [1000, 100_000];
const POLL_MS = 100;
/** Uncounted seconds at the same rate, for the compiler. */
const WARM_UP = 5;

interface Latency {
  readonly p50: number;
  readonly p99: number;
  /** Hundredths of a core. */
  readonly cpuPercent: number;
}

/** One way of one program, over all rounds; milliseconds. */
interface LatencyRow {
  readonly kind: string;
  readonly rate: number;
  readonly program: string;
  readonly p50: Spread;
  readonly p99: Spread;
  readonly cpuPercent: Spread;
}

export interface LatencyResult extends BenchResult {
  readonly bench: 'latency';
  readonly rows: readonly LatencyRow[];
}

export async function run(): Promise<LatencyResult> {
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '20' },
      rates: { type: 'string', default: RATES.join() },
      base: { type: 'string', multiple: true, default: [] },
    },
  });
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  try {
    const programs = [await ownAgent('tailrace', directory)];
    for (const base of values.base) {
      programs.push(await ownAgent(basename(base), directory, resolve(base)));
    }
    const rows: LatencyRow[] = [];
    let mostMiB = 0;
    for (const kind of KINDS) {
      for (const rate of values.rates.split(',').map(Number)) {
        const measured = new Map<string, Latency[]>(programs.map(({ name }) => [name, []]));
        for (let turn = 0; turn < Number(values.rounds); turn++) {
          for (const program of inTurn(programs, turn)) {
            const home = join(directory, 'run');
            const { latency, rssMiB } = await measureOne(program, kind, rate, Number(values.seconds), home);
            rmSync(home, { recursive: true });
            mostMiB = Math.max(mostMiB, rssMiB);
            measured.get(program.name)!.push(latency);
            process.stderr.write(
              `${kind}, ${rate} lines a second, ${program.name}: p50 ${latency.p50} ms, p99 ${latency.p99} ms, ${latency.cpuPercent} % CPU\n`,
            );
          }
        }
        for (const [program, list] of measured) rows.push(rowOf(kind, rate, program, list));
      }
    }
    process.stdout.write(render(rows));
    const [first] = rows;
    return {
      bench: 'latency',
      value: first!.p50.median,
      unit: 'ms from write to acknowledgement, p50',
      bare: 0,
      ratio: 0,
      rssMiB: Math.round(mostMiB),
      rows,
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function measureOne(
  program: Program,
  kind: (typeof KINDS)[number],
  rate: number,
  seconds: number,
  home: string,
): Promise<{ latency: Latency; rssMiB: number }> {
  makeFolder(home);
  const sink = fork(here('latency-sink.ts'), SERVER_TLS);
  const [port] = (await once(sink, 'message')) as [number];
  const log = join(home, 'access.log');
  writeFileSync(log, '');
  const listen = await freePort();
  const work = kind === 'tail' ? 'parsed' : 'forward';
  const agent = program.start({ directory: home, work, codec: 'zstd', port, logs: [log], listen });
  try {
    const target = kind === 'tail' ? log : String(listen);
    await write(sink, kind, target, rate, WARM_UP);
    const before = cpuSeconds(agent);
    const found = (await write(sink, kind, target, rate, seconds)).toSorted((a, b) => a - b);
    const at = (share: number): number => Math.round(found[Math.floor((found.length - 1) * share)]!);
    const cpuPercent = round(((cpuSeconds(agent) - before) / seconds) * 100);
    return { latency: { p50: at(0.5), p99: at(0.99), cpuPercent }, rssMiB: peakMiB(agent) };
  } finally {
    await end(agent, 'SIGTERM');
    sink.disconnect();
  }
}

/** Writes for so many seconds, and waits until each stamped line is acknowledged. */
async function write(
  sink: ChildProcess,
  kind: string,
  target: string,
  rate: number,
  seconds: number,
): Promise<number[]> {
  const writer = fork(here('latency-writer.ts'), [kind, target, String(rate), String(seconds)]);
  const found: number[] = [];
  const [stamped] = (await once(writer, 'message')) as [number];
  while (found.length < stamped) {
    await sleep(POLL_MS);
    sink.send('latencies');
    found.push(...((await once(sink, 'message')) as [Latencies])[0]);
  }
  writer.disconnect();
  if (found.length > stamped) throw new Error(`${stamped} stamped lines sent, ${found.length} received`);
  return found;
}

function here(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

function rowOf(kind: string, rate: number, program: string, list: readonly Latency[]): LatencyRow {
  const of = (key: keyof Latency): Spread => spread(list.map((one) => one[key]));
  return { kind, rate, program, p50: of('p50'), p99: of('p99'), cpuPercent: of('cpuPercent') };
}

/** In Markdown; medians with their range. */
function render(rows: readonly LatencyRow[]): string {
  const text = ({ median, lowest, highest }: Spread): string =>
    lowest === highest ? `${median}` : `${median} (${lowest} to ${highest})`;
  const lines = rows.map(
    ({ kind, rate, program, p50, p99, cpuPercent }) =>
      `| ${kind}, ${rate.toLocaleString('en-US')} a second | ${program} | ${text(p50)} | ${text(p99)} | ${text(cpuPercent)} |`,
  );
  return `| | build | p50, ms | p99, ms | % of a core |\n|---|---|---|---|---|\n${lines.join('\n')}\n`;
}
