/**
 * Measures how fast forward clients get their acks, and what that costs: the whole agent before a Kinesis that answers
 * at once, with one client and with a hundred that wait for each ack, and one that has eight messages unacknowledged.
 * It also reports the pace of the disk, as the median of one fdatasync. PROGRAM names another build's cli/tailrace.ts.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  fdatasyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { encode } from '@msgpack/msgpack';
import { stringify } from 'yaml';
import { acknowledged, cpuSeconds, peakMiB, round } from './agent-cost.ts';
import { forkBundled } from './fork-bundled.ts';
import { record } from './forward-records.ts';
import type { Taken } from './null-kinesis.ts';
import type { BenchResult } from './run.ts';

/** A scenario ends after this many messages, or when this time is up. */
const SECONDS = 8;
const SYNCS = 200;

interface Scenario {
  readonly name: string;
  readonly connections: number;
  /** Messages of a connection that may be without an ack. */
  readonly unacknowledged: number;
  readonly events: number;
  readonly messages: number;
}

const SCENARIOS: readonly Scenario[] = [
  { name: 'one', connections: 1, unacknowledged: 1, events: 1, messages: 5000 },
  { name: 'hundred', connections: 100, unacknowledged: 1, events: 1, messages: 50_000 },
  { name: 'eight', connections: 1, unacknowledged: 8, events: 1000, messages: 1000 },
];

interface Pace {
  readonly messagesPerSecond: number;
  readonly ackMs: { readonly p50: number; readonly p99: number };
  readonly putUnitsPerMillion: number;
  readonly cpuSecondsPerMillion: number;
}

export interface AcksResult extends BenchResult {
  readonly bench: 'acks';
  readonly fdatasyncMs: number;
  readonly paces: Readonly<Record<string, Pace>>;
}

export async function run(): Promise<AcksResult> {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  const fdatasyncMs = round(medianSync(join(directory, 'sync')));
  const kinesis = fork(fileURLToPath(new URL('null-kinesis.ts', import.meta.url)));
  try {
    const [port] = (await once(kinesis, 'message')) as [number];
    const taken = async (): Promise<Taken> => {
      kinesis.send('taken');
      return ((await once(kinesis, 'message')) as [Taken])[0];
    };
    const paces: Record<string, Pace> = {};
    let rssMiB = 0;
    for (const scenario of SCENARIOS) {
      const measured = await measure(scenario, join(directory, scenario.name), port, taken);
      paces[scenario.name] = measured.pace;
      rssMiB = Math.max(rssMiB, measured.rssMiB);
    }
    const one = paces['one']!;
    return {
      bench: 'acks',
      value: one.messagesPerSecond,
      unit: 'acks/s',
      bare: fdatasyncMs / 1000,
      ratio: round(1000 / one.messagesPerSecond / fdatasyncMs),
      rssMiB: Math.round(rssMiB),
      fdatasyncMs,
      paces,
    };
  } finally {
    kinesis.disconnect();
    rmSync(directory, { recursive: true });
  }
}

/** Milliseconds of an fdatasync after an append of the size of a small cut. */
function medianSync(path: string): number {
  const file = openSync(path, 'a');
  const times = Array.from({ length: SYNCS }, () => {
    writeSync(file, Buffer.alloc(1024, 1));
    const before = performance.now();
    fdatasyncSync(file);
    return performance.now() - before;
  });
  closeSync(file);
  return percentile(times, 0.5);
}

async function measure(
  scenario: Scenario,
  directory: string,
  kinesis: number,
  taken: () => Promise<Taken>,
): Promise<{ pace: Pace; rssMiB: number }> {
  mkdirSync(directory);
  const state = join(directory, 'state');
  const socket = join(directory, 'forward.sock');
  const config = join(directory, 'agent.yaml');
  writeFileSync(
    config,
    stringify({
      state_dir: state,
      stream: { name: 'bench', region: 'us-east-1', endpoint: `http://127.0.0.1:${kinesis}` },
      compression: 'zstd',
      inputs: [{ type: 'forward', listen: `unix:${socket}` }],
      log_level: 'warn',
    }),
  );
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const program = process.env['PROGRAM'] ?? '../cli/tailrace.ts';
  const profile = process.env['PROFILE'];
  const execArgv = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [];
  const args = ['agent', '--config', config];
  const agent = await forkBundled(program, join(directory, 'bundle'), args, { env, execArgv });
  try {
    while ((await acknowledged(state).catch(() => null)) === null) await sleep(50);
    const messages = Array.from({ length: Math.min(scenario.messages, 500) }, (_, n) => message(scenario, n));
    const before = { cpu: cpuSeconds(agent), taken: await taken() };
    const { acks, seconds } = await send(scenario, messages, socket);
    const events = acks.length * scenario.events;
    while ((await acknowledged(state)) !== events) await sleep(50);
    const millions = events / 1e6;
    const after = await taken();
    const pace = {
      messagesPerSecond: Math.round(acks.length / seconds),
      ackMs: { p50: round(percentile(acks, 0.5)), p99: round(percentile(acks, 0.99)) },
      putUnitsPerMillion: Math.round((after.putUnits - before.taken.putUnits) / millions),
      cpuSecondsPerMillion: round((cpuSeconds(agent) - before.cpu) / millions),
    };
    return { pace, rssMiB: peakMiB(agent) };
  } finally {
    agent.kill('SIGTERM');
    await once(agent, 'exit');
  }
}

/** A message up to its id, which {@link send} appends. */
function message({ events }: Scenario, n: number): Buffer {
  const started = Math.floor(Date.now() / 1000);
  const entries = Array.from({ length: events }, (_, i) => encode([started, record(n * events + i)]));
  return Buffer.from(encode(['bench.access', Buffer.concat(entries)])).subarray(1);
}

const ID = Buffer.from('\x81\xa5chunk\xb0', 'latin1');

/** Sends until the messages or the time are at their end; returns the milliseconds of each ack. */
async function send(
  { connections, unacknowledged, messages }: Scenario,
  bodies: readonly Buffer[],
  path: string,
): Promise<{ acks: number[]; seconds: number }> {
  const acks: number[] = [];
  const started = performance.now();
  let next = 0;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(path);
      const sent: number[] = [];
      const fill = (): void => {
        while (sent.length < unacknowledged) {
          if (next >= messages || performance.now() - started > SECONDS * 1000) break;
          const id = Buffer.from(`${next}`.padStart(16, '0'));
          socket.write(Buffer.concat([Buffer.of(0x93), bodies[next++ % bodies.length]!, ID, id]));
          sent.push(performance.now());
        }
        if (sent.length > 0) return;
        socket.end();
        resolve();
      };
      let partial = 0;
      socket.on('connect', fill);
      socket.on('data', (bytes) => {
        partial += bytes.length;
        for (; partial >= ACK_BYTES; partial -= ACK_BYTES) acks.push(performance.now() - sent.shift()!);
        fill();
      });
      socket.on('error', reject);
    });
  await Promise.all(Array.from({ length: connections }, one));
  return { acks, seconds: (performance.now() - started) / 1000 };
}

/** `{"ack": …}` with an id of sixteen bytes. */
const ACK_BYTES = 1 + 4 + 1 + 16;

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}
