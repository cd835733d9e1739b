/**
 * Measures each station of the agent alone and all of them together, and compares with the committed baseline: CPU
 * seconds of a million nginx lines, and how many times that is what zstd level 1 takes for the same NDJSON. The whole
 * agent stands next to Fluent Bit where FLUENT_BIT names its program. `npm run bench` without a name runs it.
 *
 *     npm run bench -- stations --rounds 5 --events 1000000    for figures that are to be kept
 *     npm run bench -- stations --only forward                 stations whose names match
 *     npm run bench -- stations --save                         makes bench/baseline.json of this run
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { TailraceError } from '../base/errors.ts';
import { writeLog } from './agent-cost.ts';
import { measure, Stream } from './peers-measure.ts';
import { fluentBit, ownAgent, type Program, SERVER_AUTHORITY } from './peers-programs.ts';
import { PER_MESSAGE, ROWS, type Row } from './peers-rows.ts';
import { inTurn, spread } from './peers-table.ts';
import type { BenchResult } from './run.ts';
import { ALONE, type StationReport } from './stations-alone.ts';
import { type Baseline, renderStations, type Station } from './stations-table.ts';

const BASELINE = join(import.meta.dirname, 'baseline.json');
/** What of the peers' rows the whole agent is measured by, and the station whose NDJSON is theirs. */
const TOGETHER: readonly (readonly [row: string, like: string])[] = [
  ['parsed, zstd', 'nginx lines parsed to NDJSON'],
  ['parsed, gzip', 'nginx lines parsed to NDJSON'],
  ['raw, zstd', 'raw lines to NDJSON'],
  ['forward, one field, zstd', 'forward, one field, to NDJSON'],
  ['forward, nine fields, zstd', 'forward, nine fields, to NDJSON'],
  ['forward with acks, zstd', 'forward, nine fields, to NDJSON'],
];
const WHOLE = 'the whole agent: ';

export interface StationsResult extends BenchResult {
  readonly bench: 'stations';
  readonly stations: readonly Station[];
}

interface Options {
  readonly rounds: number;
  readonly events: number;
  readonly only: RegExp;
  readonly save: boolean;
}

export async function run(): Promise<StationsResult> {
  const options = optionsOf(process.argv.slice(3));
  const alone = await measureAll(options);
  const together = await measureTogether(options, alone);
  const stations = [...alone.filter(({ name }) => options.only.test(name)), ...together];
  if (stations.length === 0) {
    throw new TailraceError('CONFIG', `no station matches ${options.only.source}`);
  }
  process.stdout.write(renderStations(stations, readBaseline()));
  if (options.save) save(stations);
  const first = together[0] ?? stations[0]!;
  return {
    bench: 'stations',
    value: Math.round(1e6 / first.seconds.median),
    unit: `events/cpu-s of "${first.name}"`,
    bare: first.bare,
    ratio: first.ratio.median,
    rssMiB: Math.round(Math.max(0, ...together.map(({ peakMiB }) => peakMiB ?? 0))),
    stations,
  };
}

function optionsOf(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '3' },
      events: { type: 'string', default: '300000' },
      only: { type: 'string', default: '.' },
      save: { type: 'boolean', default: false },
    },
  });
  const [rounds, events] = [Number(values.rounds), Number(values.events)];
  if (!(rounds >= 1) || !(events >= PER_MESSAGE) || events % PER_MESSAGE !== 0) {
    throw new TailraceError(
      'CONFIG',
      `expected --rounds from 1 on and --events as a multiple of ${PER_MESSAGE}`,
    );
  }
  return { rounds, events, only: new RegExp(values.only), save: values.save };
}

async function measureAll({ rounds, only }: Options): Promise<Station[]> {
  const needed = new Set(TOGETHER.filter(([row]) => only.test(WHOLE + row)).map(([, like]) => like));
  const stream = await Stream.open();
  try {
    const stations: Station[] = [];
    for (const name of ALONE) {
      if (!only.test(name) && !needed.has(name)) continue;
      const { seconds, bare } = await inProcess(name, rounds, stream.port);
      const ratios = seconds.map((one, i) => one / bare[i]!);
      const station = {
        name,
        seconds: spread(seconds),
        bare: spread(bare).median,
        ratio: spread(ratios),
      };
      say(station);
      stations.push(station);
    }
    return stations;
  } finally {
    stream.close();
  }
}

async function inProcess(name: string, rounds: number, port: number): Promise<StationReport> {
  const file = fileURLToPath(new URL('stations-alone.ts', import.meta.url));
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    NODE_EXTRA_CA_CERTS: SERVER_AUTHORITY,
  };
  const child = fork(file, [name, String(rounds), String(port)], { env });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the process of station "${name}" exited with code ${code}`);
  });
  ended.catch(() => {});
  const [report] = (await Promise.race([once(child, 'message'), ended])) as [StationReport];
  return report;
}

async function measureTogether(options: Options, alone: readonly Station[]): Promise<Station[]> {
  const rows = TOGETHER.filter(([row]) => options.only.test(WHOLE + row));
  if (rows.length === 0) return [];
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  try {
    const programs = [await ownAgent('tailrace', directory)];
    const peer = fluentBit();
    if (peer === null) process.stderr.write('no Fluent Bit: name its program in FLUENT_BIT to compare\n');
    else programs.push(peer);
    const source = join(directory, 'source.log');
    writeLog(source, options.events);
    const stations: Station[] = [];
    for (const [name, like] of rows) {
      const { bare } = alone.find((station) => station.name === like)!;
      const row = ROWS.find((one) => one.name === name)!;
      const station = await inTurns(row, bare, { ...options, programs, directory, source });
      say(station);
      stations.push(station);
    }
    return stations;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

interface Turns extends Options {
  readonly programs: readonly Program[];
  readonly directory: string;
  readonly source: string;
}

async function inTurns(row: Row, bare: number, turns: Turns): Promise<Station> {
  const { programs, rounds, events, directory, source } = turns;
  const seconds = new Map<string, number[]>(programs.map(({ name }) => [name, []]));
  let peakMiB = 0;
  for (let round = 0; round < rounds; round++) {
    for (const program of inTurn(programs, round)) {
      const home = join(directory, 'run');
      const measured = await measure(program, row, home, source, events);
      rmSync(home, { recursive: true });
      seconds.get(program.name)!.push(1000 / measured.warm);
      if (program === programs[0]) peakMiB = Math.max(peakMiB, measured.peakMiB);
    }
  }
  const [own, peer] = [...seconds.values()].map((values) => spread(values));
  const ratio = spread(seconds.get(programs[0]!.name)!.map((one) => one / bare));
  return { name: WHOLE + row.name, seconds: own!, bare, ratio, peakMiB, ...(peer ? { peer } : {}) };
}

function say({ name, seconds, ratio }: Station): void {
  process.stderr.write(`${name}: ${seconds.median} CPU s a million, ${ratio.median} times zstd\n`);
}

function readBaseline(): Baseline {
  return JSON.parse(readFileSync(BASELINE, 'utf8')) as Baseline;
}

/** Stations that were not measured keep what they had. */
function save(stations: readonly Station[]): void {
  const ratios = Object.fromEntries(stations.map(({ name, ratio }) => [name, ratio]));
  const baseline: Baseline = { node: process.version, ratios: { ...readBaseline().ratios, ...ratios } };
  writeFileSync(BASELINE, `${JSON.stringify(baseline, null, 2)}\n`);
  process.stderr.write(`wrote ${BASELINE}\n`);
}
