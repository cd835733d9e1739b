/**
 * Measures what a killed agent resends: it follows a log under full load before a Kinesis that takes everything, is
 * ended with kill -9 at random moments and restarted. Chunks that come a second time are counted by lane and sequence.
 *
 *     npm run bench -- restart --kills 10 --seed 1
 *     npm run bench -- restart --base ../other-tree    the agent of another tree, set up likewise
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { generator } from '../test/support/random.ts';
import { cpuSeconds, peakMiB, round, writeLog } from './agent-cost.ts';
import { Stream } from './peers-measure.ts';
import { end, makeFolder, ownAgent } from './peers-programs.ts';
import { spread } from './peers-table.ts';
import type { BenchResult } from './run.ts';

/** Milliseconds between a run's first record and its kill, at most. */
const MOST_MS = 1000;
const POLL_MS = 20;

export interface RestartResult extends BenchResult {
  readonly bench: 'restart';
  readonly seed: number;
  readonly kills: number;
  /** Of all chunks that came, and per kill. */
  readonly chunks: number;
  readonly resentChunks: number;
  readonly resentPutUnits: { readonly median: number; readonly highest: number };
}

export async function run(): Promise<RestartResult> {
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: {
      kills: { type: 'string', default: '10' },
      events: { type: 'string', default: '3000000' },
      seed: { type: 'string', default: String(Date.now() % 100_000) },
      base: { type: 'string' },
    },
  });
  const [kills, seed, events] = [values.kills, values.seed, values.events].map(Number) as [
    number,
    number,
    number,
  ];
  process.stderr.write(`seed ${seed}\n`);
  const random = generator(seed);
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  const stream = await Stream.open();
  try {
    const agent = await ownAgent('tailrace', directory, values.base);
    const home = makeFolder(directory, 'agent');
    const logs = [join(home, 'access.log')];
    writeFileSync(logs[0]!, '');
    const setup = {
      directory: home,
      work: 'parsed',
      codec: 'gzip',
      port: stream.port,
      logs,
      listen: 0,
    } as const;
    const source = join(directory, 'source.log');
    const bare = writeLog(source, events);
    const resent: number[] = [];
    let cpu = 0;
    let rssMiB = 0;
    let before = await stream.taken();
    for (let kill = 0; kill < kills; kill++) {
      const child = agent.start(setup);
      if (kill === 0) renameSync(source, logs[0]!);
      while ((await stream.taken()).records === before.records) await sleep(POLL_MS);
      await sleep(random() * MOST_MS);
      cpu += cpuSeconds(child);
      rssMiB = Math.max(rssMiB, peakMiB(child));
      await end(child, 'SIGKILL');
      const after = await stream.taken();
      resent.push(after.resentPutUnits - before.resentPutUnits);
      before = after;
    }
    const last = agent.start(setup);
    await stream.holds(events, last, Number.POSITIVE_INFINITY);
    cpu += cpuSeconds(last);
    await end(last, 'SIGTERM');
    const taken = await stream.taken();
    resent.push(taken.resentPutUnits - before.resentPutUnits);
    // The first run resends nothing.
    const { median, highest } = spread(resent.slice(1));
    return {
      bench: 'restart',
      value: median,
      unit: 'PUT units resent a restart',
      bare: round(bare),
      ratio: round(cpu / bare),
      rssMiB: Math.round(rssMiB),
      seed,
      kills,
      chunks: taken.chunks,
      resentChunks: taken.resentChunks,
      resentPutUnits: { median, highest },
    };
  } finally {
    stream.close();
    rmSync(directory, { recursive: true });
  }
}
