/** The measured side of the forward bench: a forward input with builders, sealer and a spool on disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import * as z from 'zod/mini';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../producer/builder.ts';
import { compressionOf } from '../producer/compression.ts';
import { Counters } from '../producer/counters.ts';
import { createForwardInput } from '../producer/forward/input.ts';
import { forwardOptions } from '../producer/forward/options.ts';
import { Identity, newLane } from '../producer/identity.ts';
import { Metadata } from '../producer/instance/metadata.ts';
import { DEFAULT_SEALER_OPTIONS, Sealer } from '../producer/sealer.ts';
import { Spool } from '../producer/spool/spool.ts';
import { StateMap } from '../producer/state.ts';

/** What the agent reports when asked to stop. */
export interface AgentReport {
  readonly events: number;
  readonly cpuSeconds: number;
  readonly rssMiB: number;
}

const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
const log = pino({ level: 'warn' }, pino.destination(2));
const counters = new Counters();
const spool = await Spool.open({ directory, segmentBytes: 16 * 2 ** 20, maxBytes: 2 ** 30 }, log, counters);
const own = new StateMap();
const state = new StateMap();
const identity = new Identity(own, 'bench', Date.now());
const builders = new Builders(DEFAULT_BUILDER_LIMITS, Date.now, counters, (builder) =>
  sealer.encode(builder),
);
const lane = newLane();
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
      ['forward', state],
    ]),
    ownSection: 'agent',
    counters,
    beforeCut: () => input.beforeCut(),
    floor: () => spool.oldestEpoch ?? identity.epoch,
    lane: () => lane,
    readUpTo: () => 0,
    send: () => {},
    hold: (held) => (held ? input.pause() : input.resume()),
    fail,
  },
);
const input = createForwardInput(z.parse(forwardOptions, { type: 'forward', listen: '127.0.0.1:0' }), {
  builders: builders.of('forward'),
  state,
  afterDurable: (done, urgent) => sealer.afterDurable('forward', done, urgent),
  log,
  now: Date.now,
  uptime: () => performance.now(),
  counters,
  metadata: new Metadata('http://127.0.0.1:1'),
});
await input.start();
sealer.start();
process.send!((input.addresses[0] as { port: number }).port);

const sealed = (): number => counters.total('tailrace_agent_sealed_events_total');
let before = process.cpuUsage();
let warm = 0;
process.on('message', (message) => {
  if (message === 'begin') {
    before = process.cpuUsage();
    warm = sealed();
    return;
  }
  const used = process.cpuUsage(before);
  const report: AgentReport = {
    events: sealed() - warm,
    cpuSeconds: (used.user + used.system) / 1e6,
    rssMiB: process.resourceUsage().maxRSS / 1024,
  };
  void (async () => {
    await input.stop();
    await sealer.stop();
    rmSync(directory, { recursive: true });
    process.send!(report, () => process.disconnect());
  })();
});
