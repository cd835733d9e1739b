/**
 * Makes the flame graphs of docs/performance.md: the packaged agent's main thread under full load, with raw lines and
 * with forwarded events of nine fields, both with zstd.
 *
 *     npm run bench -- flame --events 3000000
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { round, writeLog } from './agent-cost.ts';
import { type CpuProfile, flameGraph, framesOf } from './flame-graph.ts';
import { measure } from './peers-measure.ts';
import { ownAgent } from './peers-programs.ts';
import { ROWS } from './peers-rows.ts';
import type { BenchResult } from './run.ts';

const DOCS = join(import.meta.dirname, '..', 'docs');
const GRAPHS = { 'raw, zstd': 'flame-raw.svg', 'forward, nine fields, zstd': 'flame-forward.svg' };
/** The start and its warm-up are this share of the samples at most. */
const START_SHARE = 0.3;

export async function run(): Promise<BenchResult> {
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: { events: { type: 'string', default: '2000000' } },
  });
  const events = Number(values.events);
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  try {
    const source = join(directory, 'source.log');
    const bare = writeLog(source, events);
    let value = 0;
    let rssMiB = 0;
    for (const [name, file] of Object.entries(GRAPHS)) {
      const profiles = join(directory, file);
      process.env['PROFILE'] = profiles;
      const agent = await ownAgent('tailrace', join(directory, `of-${file}`));
      const row = ROWS.find((one) => one.name === name)!;
      const measured = await measure(agent, row, join(directory, `run-${file}`), source, events);
      const [profile] = readdirSync(join(profiles, 'tailrace'));
      const text = readFileSync(join(profiles, 'tailrace', profile!), 'utf8');
      const title = `The agent's main thread: ${name}`;
      const frames = framesOf(JSON.parse(text) as CpuProfile, START_SHARE);
      writeFileSync(join(DOCS, file), flameGraph(title, frames));
      process.stderr.write(`wrote docs/${file}\n`);
      value = Math.round(measured.warm * 1000);
      rssMiB = Math.round(measured.peakMiB);
    }
    const ratio = round(events / value / bare);
    return { bench: 'flame', value, unit: 'events/cpu-s while profiled', bare: round(bare), ratio, rssMiB };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
