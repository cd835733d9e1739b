/**
 * Compares the agent with Fluent Bit (FLUENT_BIT names the program, otherwise it is found on PATH) on every kind of
 * work, both before a Kinesis over TLS that takes everything at once. The programs take turns, row by row and round by
 * round; the table has medians and ranges. Without Fluent Bit it measures our agent alone.
 *
 *     npm run bench -- peers --rounds 5 --events 1000000
 *     npm run bench -- peers --rows forward            rows whose names match
 *     npm run bench -- peers --rows connections --rounds 1 --events 5000000
 *     npm run bench -- peers --docs                    writes the table and its plot to docs/
 *     npm run bench -- peers --base ../other-tree      also the agent of another tree, set up likewise
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { TailraceError } from '../base/errors.ts';
import { round, writeLog } from './agent-cost.ts';
import { writeDocument } from './peers-document.ts';
import { type Measurement, measure, measureStart, type StartMeasurement } from './peers-measure.ts';
import { fluentBit, ownAgent, type Program } from './peers-programs.ts';
import { PER_MESSAGE, ROWS, type Row } from './peers-rows.ts';
import { figuresOf, inTurn, render, type Spread, spread, type Table } from './peers-table.ts';
import type { BenchResult } from './run.ts';

const START = 'start';
const EVERY = '.';

export interface PeersResult extends BenchResult {
  readonly bench: 'peers';
  readonly rounds: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly table: Table;
}

export async function run(): Promise<PeersResult> {
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: {
      rounds: { type: 'string', default: '5' },
      events: { type: 'string', default: '1000000' },
      rows: { type: 'string', default: EVERY },
      base: { type: 'string' },
      docs: { type: 'boolean', default: false },
    },
  });
  const [rounds, events] = [Number(values.rounds), Number(values.events)];
  if (!(rounds >= 1) || !(events >= PER_MESSAGE) || events % PER_MESSAGE !== 0) {
    throw new TailraceError(
      'CONFIG',
      `expected --rounds from 1 on and --events as a multiple of ${PER_MESSAGE}`,
    );
  }
  const wanted = new RegExp(values.rows);
  const rows = ROWS.filter(({ name, extra }) => wanted.test(name) && (!extra || values.rows !== EVERY));
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  try {
    const programs = await choosePrograms(directory, values.base);
    const measured = new Map<string, Measurement[]>();
    const starts = new Map<string, StartMeasurement[]>();
    const source = join(directory, 'source.log');
    let bare = Number.POSITIVE_INFINITY;
    let run = 0;
    for (let turn = 0; turn < rounds; turn++) {
      bare = Math.min(bare, writeLog(source, events));
      for (const row of rows) {
        for (const program of inTurn(programs, run++)) {
          const home = join(directory, `run${turn}-${program.name}-${rows.indexOf(row)}`);
          const one = await measure(program, row, home, source, events);
          add(measured, key(row, program), one);
          say(turn, `${row.name}: ${program.name} ${Math.round(one.warm)} k events/CPU s`);
          rmSync(home, { recursive: true });
        }
      }
      if (!wanted.test(START)) continue;
      for (const program of inTurn(programs, run++)) {
        const one = await measureStart(program, join(directory, `start${turn}-${program.name}`));
        add(starts, program.name, one);
        say(turn, `start: ${program.name} ${round(one.cpuSeconds)} CPU s, ${Math.round(one.restMiB)} MiB`);
      }
    }
    const result = resultOf(programs, rows, measured, starts, { rounds, events, bare });
    if (values.docs) writeDocument(result.table, { rounds, events, versions: result.versions });
    return result;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function choosePrograms(directory: string, base: string | undefined): Promise<Program[]> {
  const programs = [await ownAgent('tailrace', directory)];
  if (base !== undefined) programs.push(await ownAgent('base', directory, resolve(base)));
  const peer = fluentBit();
  if (peer !== null) programs.push(peer);
  else process.stderr.write('no Fluent Bit: name its program in FLUENT_BIT to compare with it\n');
  return programs;
}

function key(row: Row, program: Program): string {
  return `${row.name}\n${program.name}`;
}

function add<T>(map: Map<string, T[]>, name: string, value: T): void {
  const list = map.get(name);
  if (list) list.push(value);
  else map.set(name, [value]);
}

function say(turn: number, text: string): void {
  process.stderr.write(`round ${turn + 1}: ${text}\n`);
}

function resultOf(
  programs: readonly Program[],
  rows: readonly Row[],
  measured: ReadonlyMap<string, readonly Measurement[]>,
  starts: ReadonlyMap<string, readonly StartMeasurement[]>,
  { rounds, events, bare }: { rounds: number; events: number; bare: number },
): PeersResult {
  const of = <T>(get: (program: Program) => T): Record<string, T> =>
    Object.fromEntries(programs.map((program) => [program.name, get(program)]));
  const table: Table = {
    programs: programs.map(({ name }) => name),
    rows: rows.map((row) => ({
      name: row.name,
      figures: of((program) => figuresOf(measured.get(key(row, program))!)),
    })),
    start: starts.size === 0 ? {} : of((program) => startFigures(starts.get(program.name)!)),
  };
  process.stdout.write(render(table));
  const first = table.rows[0]?.figures['tailrace'];
  const value = first?.warm?.median ?? 0;
  return {
    bench: 'peers',
    value,
    unit: `thousand events/cpu-s of "${table.rows[0]?.name ?? START}"`,
    bare: round(bare),
    ratio: value === 0 ? 0 : round(events / 1000 / value / bare),
    rssMiB: first?.peakMiB?.median ?? 0,
    rounds,
    versions: of(({ version }) => version),
    table,
  };
}

function startFigures(
  measured: readonly StartMeasurement[],
): Readonly<Record<keyof StartMeasurement, Spread>> {
  return {
    cpuSeconds: spread(measured.map(({ cpuSeconds }) => cpuSeconds)),
    restMiB: spread(measured.map(({ restMiB }) => restMiB)),
  };
}
