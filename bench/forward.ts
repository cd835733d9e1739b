/**
 * Measures the forward input: a million events of ten fields in packed messages with acks, from socket to spool, in
 * CPU seconds of the agent's process; the bare cost is gzip level 1 alone over the same events.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { AgentReport } from './forward-agent.ts';
import type { ClientReport } from './forward-client.ts';
import type { BenchResult } from './run.ts';

const EVENTS = 1_000_000;
const PER_MESSAGE = 2000;
const CONNECTIONS = 16;

export async function run(): Promise<BenchResult> {
  const agent = start('forward-agent.ts');
  const [port] = await once(agent, 'message');
  const client = start('forward-client.ts', port, EVENTS, PER_MESSAGE, CONNECTIONS);
  await once(client, 'message');
  agent.send('begin');
  client.send('begin');
  const [sent] = (await once(client, 'message')) as [ClientReport];
  agent.send('end');
  const [taken] = (await once(agent, 'message')) as [AgentReport];
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

function start(file: string, ...args: readonly number[]): ChildProcess {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args.map(String));
  child.once('exit', (code) => {
    if (code !== 0) throw new Error(`${file} ended with exit code ${code}`);
  });
  return child;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
