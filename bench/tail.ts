/** Measures the tail input: nginx combined lines from a file, parsed and compressed by gzip level 1, to the spool. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../producer/builder.ts';
import { Counters } from '../producer/counters.ts';
import { compileFormat } from '../producer/format/compile.ts';
import { Tally } from '../producer/format/json-bytes.ts';
import { Transform } from '../producer/format/transform.ts';
import type { BenchResult } from './run.ts';
import type { TailReport } from './tail-agent.ts';
import { accessLines } from './tail-lines.ts';

const LINES = 1_000_000;
const PIECE = 50_000;

export async function run(): Promise<BenchResult> {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  const file = join(directory, 'access.log');
  const start = Date.now() - 1_800_000;
  let bare = 0;
  for (let first = 0; first < LINES; first += PIECE) {
    const text = accessLines(first, PIECE, start);
    appendFileSync(file, text);
    // A piece at a time, so that memory does not enter into it: zlib's window is 32 KiB anyway.
    const json = ndjson(Buffer.from(text));
    const before = process.cpuUsage();
    gzipSync(json, { level: 1 });
    const used = process.cpuUsage(before);
    bare += (used.user + used.system) / 1e6;
  }
  const agent = fork(fileURLToPath(new URL('tail-agent.ts', import.meta.url)), [file]);
  const [report] = (await once(agent, 'message')) as [TailReport];
  await once(agent, 'exit');
  rmSync(directory, { recursive: true });
  if (report.events !== LINES) throw new Error(`${LINES} lines, ${report.events} events in the spool`);
  return {
    bench: 'tail',
    value: Math.round(LINES / report.cpuSeconds),
    unit: 'lines/cpu-s',
    bare: round(bare),
    ratio: round(report.cpuSeconds / bare),
    rssMiB: Math.round(report.rssMiB),
  };
}

/** The same events without an agent around them. */
function ndjson(text: Buffer): Buffer {
  const limits = { ...DEFAULT_BUILDER_LIMITS, chunkBytes: Number.POSITIVE_INFINITY };
  const builders = new Builders(limits, Date.now, new Counters(), () => undefined);
  const target = { builders: builders.tag('bench'), tally: new Tally(), clock: { now: Date.now() } };
  const parser = compileFormat({ type: 'nginx' }, target, new Transform({}));
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf(0x0a, at);
    parser.parse(text, at, newline);
    at = newline + 1;
  }
  return Buffer.concat([...builders.filled()].map((builder) => builder.buffer.subarray(0, builder.length)));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
