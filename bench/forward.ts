/**
 * Measures the forward input: a million events of ten fields in packed messages with acks, from socket to spool, in
 * CPU seconds of the agent's process; the bare cost is gzip level 1 alone over the same events.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { forkBundled } from './fork-bundled.ts';
import type { AgentReport } from './forward-agent.ts';
import type { ClientReport } from './forward-client.ts';
import type { BenchResult } from './run.ts';

const EVENTS = 1_000_000;
/** Uncounted warm-up events: an agent runs for months, so the compiler's first seconds do not matter. */
const WARM_UP = 200_000;
const PER_MESSAGE = 2000;
const CONNECTIONS = 16;

export async function run(): Promise<BenchResult> {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  const agent = watched(await forkBundled('forward-agent.ts', directory, []));
  const [port] = await once(agent, 'message');
  const file = fileURLToPath(new URL('forward-client.ts', import.meta.url));
  const client = watched(fork(file, [port, WARM_UP, EVENTS, PER_MESSAGE, CONNECTIONS].map(String)));
  await once(client, 'message');
  client.send('warm-up');
  await once(client, 'message');
  agent.send('begin');
  client.send('begin');
  const [sent] = (await once(client, 'message')) as [ClientReport];
  agent.send('end');
  const [taken] = (await once(agent, 'message')) as [AgentReport];
  await once(agent, 'exit');
  rmSync(directory, { recursive: true });
  if (taken.events !== sent.events)
    throw new Error(`sent ${sent.events} events, ${taken.events} in the spool`);
  return {
    bench: 'forward',
    value: Math.round(taken.events / taken.cpuSeconds),
    unit: 'events/cpu-s',
    bare: round(sent.bareSeconds),
    ratio: round(taken.cpuSeconds / sent.bareSeconds),
    rssMiB: Math.round(taken.rssMiB),
  };
}

function watched(child: ChildProcess): ChildProcess {
  return child.once('exit', (code) => {
    if (code !== 0) throw new Error(`${child.spawnargs.at(1)} exited with code ${code}`);
  });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
