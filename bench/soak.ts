/**
 * Watches the packaged agent's memory over a long time: 10,000 logs and a busy one, all of them rotated, and a forward
 * client with acks, before a Kinesis over TLS; every few minutes a burst of lines makes the agent run at full load.
 * Resident memory is written down each minute, and at the end every line must have arrived once.
 *
 *     npm run bench -- soak --minutes 60 --plot docs/memory-soak.svg
 *     npm run bench -- soak --minutes 5 --files 100 --rate 100000
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpuSeconds, peakMiB, round } from './agent-cost.ts';
import { freePort, Stream, startClient } from './peers-measure.ts';
import { end, makeFolder, ownAgent } from './peers-programs.ts';
import { PER_MESSAGE } from './peers-rows.ts';
import type { BenchResult } from './run.ts';
import type { WriterOptions } from './soak-writer.ts';
import { linePlot } from './svg-plots.ts';

const SAMPLE_MS = 1000;
const FOLDER_OF = 1000;
/** Shares of the rate: the rest is the busy log's. */
const OTHERS_SHARE = 0.1;
const FORWARD_SHARE = 0.25;
const BURST_SECONDS = 300;

/** A minute of the agent, MiB. */
interface Minute {
  readonly median: number;
  readonly most: number;
  /** Not of a file, at the end of the minute. */
  readonly anonymous: number;
}

export interface SoakResult extends BenchResult {
  readonly bench: 'soak';
  readonly minutes: number;
  readonly files: number;
  readonly events: number;
  readonly firstQuarter: Minute;
  readonly lastQuarter: Minute;
  readonly cpuPercent: number;
}

export async function run(): Promise<SoakResult> {
  const values = optionsOf(process.argv.slice(3));
  const [minutes, files, rate, burst] = [values.minutes, values.files, values.rate, values.burst].map(
    Number,
  ) as [number, number, number, number];
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  const stream = await Stream.open();
  try {
    const folder = makeLogs(directory, files);
    const agent = await ownAgent('tailrace', directory);
    const listen = await freePort();
    const child = agent.start({
      directory,
      work: 'parsed',
      codec: 'zstd',
      port: stream.port,
      logs: [],
      listen,
      inputs: [
        { type: 'tail', path: join(folder, 'busy', 'access.log'), tag: 'busy', format: 'nginx' },
        { type: 'tail', path: join(folder, 'app*', '*.log'), tag: 'app', format: 'none' },
        { type: 'forward', listen: `127.0.0.1:${listen}` },
      ],
    });
    const forward = await startClient(
      { name: '', work: 'forward', codec: 'zstd', fields: 'nine', unacknowledged: 8 },
      listen,
    );
    const messages = Math.round((rate * FORWARD_SHARE) / PER_MESSAGE);
    const options: WriterOptions = {
      folder,
      files,
      busy: rate * (1 - OTHERS_SHARE - FORWARD_SHARE),
      others: files === 0 ? 0 : rate * OTHERS_SHARE,
      burst,
      burstSeconds: BURST_SECONDS,
    };
    const file = fileURLToPath(new URL('soak-writer.ts', import.meta.url));
    const writer = fork(file, [JSON.stringify(options)]);
    await once(writer, 'message');
    writer.once('exit', (code) => {
      if (code !== 0) throw new Error(`the writer exited with code ${code}`);
    });
    const began = performance.now();
    const cpuBefore = cpuSeconds(child);
    const { watched, forwarded } = await watch(child, forward, messages, minutes, values.log);
    const cpu = cpuSeconds(child) - cpuBefore;
    const seconds = (performance.now() - began) / 1000;
    writer.send('end');
    const [written] = (await once(writer, 'message')) as [number];
    writer.disconnect();
    forward.disconnect();
    const taken = await stream.holds(written + forwarded, child);
    const most = peakMiB(child);
    await end(child, 'SIGTERM');
    if (values.plot !== undefined) writeFileSync(values.plot, plotOf(watched));
    const quarter = Math.max(1, Math.floor(watched.length / 4));
    return {
      bench: 'soak',
      value: Math.round(taken.events / cpu),
      unit: 'events/cpu-s',
      bare: 0,
      ratio: 0,
      rssMiB: Math.round(most),
      minutes,
      files,
      events: taken.events,
      firstQuarter: quarterOf(watched.slice(0, quarter)),
      lastQuarter: quarterOf(watched.slice(-quarter)),
      cpuPercent: round((cpu / seconds) * 100),
    };
  } finally {
    stream.close();
    rmSync(directory, { recursive: true });
  }
}

function optionsOf(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '60' },
      files: { type: 'string', default: '10000' },
      rate: { type: 'string', default: '20000' },
      burst: { type: 'string', default: '500000' },
      plot: { type: 'string' },
      log: { type: 'string' },
    },
  });
  return values;
}

/** Sends forward events each second, and writes the agent's memory down each minute. */
async function watch(
  child: ChildProcess,
  forward: ChildProcess,
  messages: number,
  minutes: number,
  log: string | undefined,
): Promise<{ watched: Minute[]; forwarded: number }> {
  const began = performance.now();
  const watched: Minute[] = [];
  let forwarded = 0;
  for (let minute = 0; minute < minutes; minute++) {
    const samples: number[] = [];
    while (performance.now() - began < (minute + 1) * 60_000) {
      forward.send(messages);
      forwarded += messages * PER_MESSAGE;
      await Promise.all([once(forward, 'message'), sleep(SAMPLE_MS)]);
      samples.push(residentMiB(child.pid!));
    }
    watched.push(minuteOf(samples, child.pid!));
    const text = JSON.stringify({ minute: minute + 1, ...watched.at(-1) });
    process.stderr.write(`${text}\n`);
    if (log !== undefined) writeFileSync(log, `${text}\n`, { flag: 'a' });
  }
  return { watched, forwarded };
}

function makeLogs(directory: string, files: number): string {
  const folder = makeFolder(directory, 'logs');
  mkdirSync(join(folder, 'busy'));
  for (let i = 0; i * FOLDER_OF < files; i++) mkdirSync(join(folder, `app${i}`));
  for (let i = 0; i < files; i++) {
    writeFileSync(join(folder, `app${Math.floor(i / FOLDER_OF)}`, `${i}.log`), '');
  }
  return folder;
}

function residentMiB(pid: number): number {
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kib) / 1024;
}

function minuteOf(samples: readonly number[], pid: number): Minute {
  const [, kib] = /^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))!;
  return {
    median: round(middle(samples)),
    most: round(Math.max(...samples)),
    anonymous: round(Number(kib) / 1024),
  };
}

function quarterOf(minutes: readonly Minute[]): Minute {
  return {
    median: round(middle(minutes.map(({ median }) => median))),
    most: round(Math.max(...minutes.map(({ most }) => most))),
    anonymous: round(middle(minutes.map(({ anonymous }) => anonymous))),
  };
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

function plotOf(minutes: readonly Minute[]): string {
  return linePlot({
    title: 'Resident memory of the agent by the minute, MiB',
    x: 'minutes',
    lines: [
      { name: 'most in the minute', values: minutes.map(({ most }) => most) },
      { name: 'median', values: minutes.map(({ median }) => median) },
    ],
  });
}
