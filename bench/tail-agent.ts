/** The measured side of the tail bench: a tail input with builders, sealer and a spool on disk. */
import { linkSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import * as z from 'zod/mini';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../producer/builder.ts';
import { compressionOf } from '../producer/compression.ts';
import { Counters } from '../producer/counters.ts';
import { Identity, newLane } from '../producer/identity.ts';
import { Metadata } from '../producer/instance/metadata.ts';
import { DEFAULT_SEALER_OPTIONS, Sealer } from '../producer/sealer.ts';
import { Spool } from '../producer/spool/spool.ts';
import { StateMap } from '../producer/state.ts';
import { createTailInput } from '../producer/tail/input.ts';
import { tailOptions } from '../producer/tail/options.ts';

/** What the agent reports when it has read everything. */
export interface TailReport {
  readonly events: number;
  readonly cpuSeconds: number;
  readonly rssMiB: number;
}

const [warmUp, lines] = process.argv.slice(2);

const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
const log = pino({ level: 'warn' }, pino.destination(2));
const counters = new Counters();
const spool = await Spool.open(
  { directory, segmentBytes: 16 * 2 ** 20, maxBytes: 4 * 2 ** 30 },
  log,
  counters,
);
const own = new StateMap();
const state = new StateMap();
const identity = new Identity(own, 'bench', Date.now());
const lane = newLane();
const builders = new Builders(DEFAULT_BUILDER_LIMITS, Date.now, counters, (builder) =>
  sealer.encode(builder),
);
const fail = (error: unknown): never => {
  throw error;
};
const sealer: Sealer = new Sealer(
  { ...DEFAULT_SEALER_OPTIONS, compression: compressionOf('gzip', fail) },
  {
    builders,
    identity,
    spool,
    sections: new Map([
      ['agent', own],
      ['tail', state],
    ]),
    ownSection: 'agent',
    counters,
    beforeCut: () => input.beforeCut(),
    lane: () => lane,
    readUpTo: () => 0,
    floor: () => spool.oldestEpoch ?? identity.epoch,
    send: () => {},
    hold: (held) => (held ? input.pause() : input.resume()),
    fail,
  },
);
const path = join(directory, '*.log');
const input = createTailInput(z.parse(tailOptions, { type: 'tail', path, tag: 'bench', format: 'nginx' }), {
  builders: builders.of('tail'),
  state,
  afterDurable: (done, urgent) => sealer.afterDurable('tail', done, urgent),
  log,
  now: Date.now,
  uptime: () => performance.now(),
  counters,
  metadata: new Metadata('http://127.0.0.1:1'),
});

/** Moves a file to where the input looks, and waits until it is in the spool. */
async function take(file: string, name: string): Promise<void> {
  linkSync(file, join(directory, name));
  await input.drain();
  await sealer.cut();
}

sealer.start();
await input.start();
// An agent runs for months: the first lines, while code is being compiled, do not show what a line costs.
await take(warmUp!, 'warm-up.log');
const warm = counters.total('tailrace_agent_sealed_events_total');
const before = process.cpuUsage();
await take(lines!, 'access.log');
const used = process.cpuUsage(before);
const report: TailReport = {
  events: counters.total('tailrace_agent_sealed_events_total') - warm,
  cpuSeconds: (used.user + used.system) / 1e6,
  rssMiB: peakMemory(),
};
await input.stop();
await sealer.stop();
rmSync(directory, { recursive: true });
process.send!(report);

/** Peak resident memory in MiB. Not getrusage's maxRSS, which a process inherits from its parent. */
function peakMemory(): number {
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(peak?.[1]) / 1024;
}
