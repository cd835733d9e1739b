/** What goes wrong, where and when: a plan that a seed decides, and nothing else. */
import { LIES } from '../support/chunks.ts';
import { generator } from '../support/random.ts';

/** What faults happen to. Those of one target come one after another, those of different targets at the same time. */
export const TARGETS = [
  'agent-1',
  'agent-2',
  'agent-3',
  'consumer',
  'kinesis',
  's3',
  'dynamodb',
  'stream',
  'instances',
  'strangers',
  'compaction',
] as const;
export type Target = (typeof TARGETS)[number];

export interface Fault {
  /** Milliseconds after the start. */
  readonly at: number;
  readonly target: Target;
  readonly kind: string;
  /** How long it lasts, or how long what was killed stays away, ms. */
  readonly ms: number;
  /** For choices of the fault's own, 0 to 1. */
  readonly pick: number;
}

interface Kind {
  /** How likely it is among those of its target. */
  readonly weight: number;
  /** Shortest and longest `ms`. */
  readonly ms: readonly [number, number];
  /** Only in runs of so many minutes or more: it takes minutes itself. */
  readonly minutes?: number;
}

interface Plan {
  /** Mean time between two, ms; exponentially distributed. */
  readonly every: number;
  readonly kinds: Readonly<Record<string, Kind>>;
}

/** An agent that is killed in every way; files are rotated while it is away. */
const KILLED_AGENT: Plan = {
  every: 9_000,
  kinds: {
    kill: { weight: 8, ms: [0, 3_000] },
    'stay away': { weight: 2, ms: [8_000, 25_000] },
    freeze: { weight: 3, ms: [1_000, 9_000] },
    restart: { weight: 2, ms: [0, 1_000] },
    'other build': { weight: 2, ms: [0, 1_000] },
    'full disk': { weight: 2, ms: [2_000, 8_000] },
    'clock jump': { weight: 2, ms: [4_000, 12_000] },
    'second agent': { weight: 1, ms: [0, 3_000] },
  },
};

const WORKER_KINDS: Readonly<Record<string, Kind>> = {
  'kill the host': { weight: 3, ms: [0, 0] },
  'kill a relay': { weight: 2, ms: [0, 0] },
  'kill the daemon': { weight: 3, ms: [0, 0] },
  'kill the launcher': { weight: 2, ms: [500, 4_000] },
  'freeze the host': { weight: 2, ms: [3_000, 15_000] },
  'freeze the daemon': { weight: 2, ms: [8_000, 40_000] },
  'freeze the launcher': { weight: 1, ms: [3_000, 10_000] },
  restart: { weight: 1, ms: [0, 1_000] },
  'take leases': { weight: 2, ms: [0, 0] },
  'clock jump': { weight: 1, ms: [5_000, 15_000] },
  takeover: { weight: 2.5, ms: [0, 0], minutes: 15 },
  'dead worker': { weight: 2.5, ms: [0, 0], minutes: 15 },
};

/** What happens when no stranger lies. */
export const OLD_AGENT = 'chunk of an old agent';

export const FUNCTION_KINDS: Readonly<Record<string, Kind>> = {
  'kill an environment': { weight: 5, ms: [0, 0] },
  'kill all environments': { weight: 2, ms: [0, 0] },
  'freeze an environment': { weight: 4, ms: [3_000, 20_000] },
  'run out of time': { weight: 3, ms: [4_000, 12_000] },
  'refuse calls': { weight: 1, ms: [2_000, 10_000] },
  'deploy another version': { weight: 2, ms: [1_000, 4_000] },
  'recreate the mapping': { weight: 0.5, ms: [0, 0] },
};

/** What archives in a run. */
export const ARCHIVERS = ['worker', 'function', 'mixed'] as const;
export type Archiver = (typeof ARCHIVERS)[number];

const CONSUMER_PLANS: Readonly<Record<Archiver, Plan>> = {
  worker: { every: 12_000, kinds: WORKER_KINDS },
  function: { every: 6_000, kinds: FUNCTION_KINDS },
  mixed: {
    every: 8_000,
    kinds: { ...WORKER_KINDS, ...FUNCTION_KINDS, 'change over': { weight: 6, ms: [0, 0] } },
  },
};

const PLANS: Readonly<Record<Exclude<Target, 'consumer'>, Plan>> = {
  'agent-1': KILLED_AGENT,
  'agent-2': {
    every: KILLED_AGENT.every,
    kinds: { ...KILLED_AGENT.kinds, 'damaged spool': { weight: 1, ms: [0, 1_000] } },
  },
  // Never killed, so that its memory can be looked at over the whole run.
  'agent-3': {
    every: 40_000,
    kinds: {
      freeze: { weight: 3, ms: [1_000, 9_000] },
      'clock jump': { weight: 1, ms: [4_000, 12_000] },
      flush: { weight: 2, ms: [0, 0] },
    },
  },
  kinesis: {
    every: 14_000,
    kinds: {
      throttling: { weight: 4, ms: [3_000, 15_000] },
      'lost answers': { weight: 3, ms: [3_000, 12_000] },
      'late answers': { weight: 2, ms: [3_000, 10_000] },
      'internal errors': { weight: 2, ms: [2_000, 8_000] },
      'access denied': { weight: 1, ms: [2_000, 8_000] },
      resets: { weight: 2, ms: [2_000, 8_000] },
      'hanging requests': { weight: 1, ms: [2_000, 6_000] },
      freeze: { weight: 1, ms: [1_000, 5_000] },
    },
  },
  s3: {
    every: 14_000,
    kinds: {
      'slow down': { weight: 3, ms: [3_000, 12_000] },
      'internal errors': { weight: 2, ms: [3_000, 10_000] },
      'access denied': { weight: 1, ms: [2_000, 8_000] },
      'lost answers': { weight: 3, ms: [3_000, 12_000] },
      'late answers': { weight: 2, ms: [3_000, 10_000] },
      resets: { weight: 2, ms: [2_000, 8_000] },
      freeze: { weight: 1, ms: [1_000, 5_000] },
    },
  },
  dynamodb: {
    every: 25_000,
    kinds: {
      throttling: { weight: 2, ms: [3_000, 12_000] },
      'internal errors': { weight: 2, ms: [3_000, 12_000] },
      'lost answers': { weight: 2, ms: [2_000, 8_000] },
      'late answers': { weight: 2, ms: [3_000, 8_000] },
      resets: { weight: 2, ms: [2_000, 8_000] },
      freeze: { weight: 1, ms: [1_000, 5_000] },
    },
  },
  stream: { every: 50_000, kinds: { reshard: { weight: 1, ms: [0, 0] } } },
  instances: {
    every: 45_000,
    kinds: {
      'terminate: nothing fails': { weight: 2, ms: [2_000, 6_000] },
      'terminate: events lost and repeated': { weight: 2, ms: [2_000, 6_000] },
      'terminate: functions killed': { weight: 2, ms: [2_000, 6_000] },
      'terminate: the flush fails once': { weight: 1, ms: [2_000, 6_000] },
      'terminate: retained, flushed later': { weight: 1, ms: [2_000, 6_000] },
      'terminate: spilled and readmitted': { weight: 3, ms: [2_000, 6_000] },
    },
  },
  strangers: {
    every: 1_500,
    kinds: {
      [OLD_AGENT]: { weight: 2, ms: [0, 0] },
      ...Object.fromEntries(LIES.map((lie) => [lie, { weight: 1, ms: [0, 0] }])),
    },
  },
  compaction: {
    every: 10_000,
    kinds: {
      run: { weight: 2, ms: [0, 0] },
      kill: { weight: 3, ms: [0, 0] },
      'kill at an entry': { weight: 4, ms: [0, 0] },
      'two at once': { weight: 3, ms: [0, 0] },
      'two killed at once': { weight: 1, ms: [0, 0] },
      freeze: { weight: 1, ms: [0, 10_000] },
      function: { weight: 1, ms: [0, 0] },
    },
  },
};

/** Faults begin when the pipeline has come up, and end while there is time to see that everything recovers. */
const FIRST_AT = 8_000;

/**
 * The faults of a run.
 *
 * @param minutes length of the run; faults end with it
 * @param archiver decides what can happen to the stream's consumer
 * @returns by target, each in the order of time
 */
export function planFaults(
  seed: number,
  minutes: number,
  archiver: Archiver = 'worker',
): ReadonlyMap<Target, readonly Fault[]> {
  return new Map(
    TARGETS.map((target, i) => {
      const random = generator(seed * 1009 + i);
      const { every, kinds } = target === 'consumer' ? CONSUMER_PLANS[archiver] : PLANS[target];
      const possible = Object.entries(kinds).filter(([, kind]) => minutes >= (kind.minutes ?? 0));
      const faults: Fault[] = [];
      // Leases are KCL's alone.
      if (target === 'dynamodb' && archiver === 'function') return [target, faults];
      for (let at = FIRST_AT; ; ) {
        at += Math.min(4 * every, -Math.log(1 - random()) * every);
        if (at >= minutes * 60_000) break;
        const [kind, { ms }] = choose(possible, random());
        const [least, most] = ms;
        const length = Math.round(least + random() * (most - least));
        faults.push({ at: Math.round(at), target, kind, ms: length, pick: random() });
      }
      return [target, faults];
    }),
  );
}

function choose(kinds: readonly [string, Kind][], share: number): [string, Kind] {
  let left = share * kinds.reduce((sum, [, { weight }]) => sum + weight, 0);
  for (const kind of kinds) {
    left -= kind[1].weight;
    if (left < 0) return kind;
  }
  return kinds.at(-1)!;
}
