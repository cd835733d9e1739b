/** The agent's core without inputs, network or disk: builders, sealer and a spool on in-memory files. */
import { pino } from 'pino';
import { Builders, DEFAULT_BUILDER_LIMITS, type TagBuilders } from '../../producer/builder.ts';
import { Counters } from '../../producer/counters.ts';
import { Identity, newLane } from '../../producer/identity.ts';
import { DEFAULT_SEALER_OPTIONS, Sealer, type SealerOptions } from '../../producer/sealer.ts';
import { Spool, type SpooledChunk } from '../../producer/spool/spool.ts';
import { StateMap } from '../../producer/state.ts';
import { MemoryFiles } from './memory-files.ts';

export const silent = pino({ level: 'silent' });

export interface Core {
  readonly builders: Builders;
  readonly sealer: Sealer;
  readonly spool: Spool;
  readonly identity: Identity;
  readonly counters: Counters;
  readonly files: MemoryFiles;
  /** The section of the one simulated input. */
  readonly state: StateMap;
  /** The section of one more input. */
  readonly addSection: (name: string) => StateMap;
  readonly sent: SpooledChunk[];
  readonly held: boolean[];
  readonly failures: unknown[];
  beforeCut: (inputs: ReadonlySet<string> | null) => void;
}

export async function startCore(
  options: Partial<SealerOptions> & { maxSpoolBytes?: number; files?: MemoryFiles; readUpTo?: number } = {},
): Promise<Core> {
  const files = options.files ?? new MemoryFiles();
  const counters = new Counters();
  const spool = await Spool.open(
    { directory: '/state/spool', segmentBytes: 64 * 1024, maxBytes: options.maxSpoolBytes ?? 1e9, files },
    silent,
    counters,
  );
  const own = new StateMap(spool.section('agent'));
  const state = new StateMap(spool.section('input'));
  const identity = new Identity(own, 'machine', Date.now());
  const builders = new Builders(DEFAULT_BUILDER_LIMITS, Date.now, counters, (builder) =>
    sealer.encode(builder),
  );
  const sections = new Map([
    ['agent', own],
    ['input', state],
  ]);
  const addSection = (name: string): StateMap => {
    const section = new StateMap(spool.section(name));
    sections.set(name, section);
    return section;
  };
  const core = { builders, spool, identity, counters, files, state, addSection, beforeCut: () => {} };
  const sent: SpooledChunk[] = [];
  const held: boolean[] = [];
  const failures: unknown[] = [];
  const lane = newLane();
  const sealer: Sealer = new Sealer(
    { ...DEFAULT_SEALER_OPTIONS, ...options },
    {
      builders,
      identity,
      spool,
      sections,
      ownSection: 'agent',
      counters,
      beforeCut: (inputs) => whole.beforeCut(inputs),
      floor: () => spool.oldestEpoch ?? identity.epoch,
      lane: () => lane,
      readUpTo: () => options.readUpTo ?? 0,
      send: (chunks) => sent.push(...chunks),
      hold: (hold) => held.push(hold),
      fail: (error) => failures.push(error),
    },
  );
  const whole: Core = Object.assign(core, { sealer, sent, held, failures });
  return whole;
}

/** Adds one line as an input does. */
export function addLine(tag: TagBuilders, event: object, time = Date.now()): void {
  const builder = tag.at(time);
  const line = `${JSON.stringify(event)}\n`;
  builder.reserve(Buffer.byteLength(line));
  builder.commit(builder.length + builder.buffer.write(line, builder.length));
}
