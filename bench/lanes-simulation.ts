/**
 * Simulates agents that share a stream, on a virtual clock: shows how load spreads over shards, with the agents' own lanes,
 * queues and backoff. Shards are token buckets as the service documents them: 1 MB and 1,000 records per second each.
 */
import { pathToFileURL } from 'node:url';
import { LaneQueue, RECORD_BACKOFF } from '../producer/sender/lane-queue.ts';
import { DEFAULT_LANE_LIMITS, type LaneLimits, Lanes, type ShardRange } from '../producer/sender/lanes.ts';
import type { SpooledChunk } from '../producer/spool/spool.ts';

export interface Scenario {
  readonly agents: number;
  /** Compressed bytes per second produced by all agents together. */
  readonly offered: number;
  /** Bytes per second that others put on each shard; the length is the number of shards. */
  readonly foreign: readonly number[];
  readonly seconds: number;
  readonly seed?: number;
  readonly limits?: Partial<LaneLimits>;
}

export interface Outcome {
  /** Bytes accepted in each second, by shard. */
  readonly accepted: readonly (readonly number[])[];
  /** Bytes still waiting at the end. */
  readonly backlog: number;
  /** Lanes in use at the end, of all agents. */
  readonly lanes: number;
  /** Records throttled per record accepted. */
  readonly refused: number;
}

const SHARD_BYTES = 1_000_000;
const SHARD_RECORDS = 1000;
const TICK_MS = 50;
/** Time from a request to its response. */
const ROUND_TRIP_MS = 50;
const RECORD_BYTES = 256 * 1024;
const CHUNK_BYTES = 64 * 1024;
const KEY_SPACE = 1n << 128n;

export function simulate(scenario: Scenario): Outcome {
  const random = generator(scenario.seed ?? 1);
  const count = scenario.foreign.length;
  const shards = evenRanges(count);
  const bytesLeft = new Array<number>(count).fill(SHARD_BYTES);
  const recordsLeft = new Array<number>(count).fill(SHARD_RECORDS);
  const accepted: number[][] = [];
  let accepts = 0;
  let refusals = 0;

  const agents = Array.from({ length: scenario.agents }, () => {
    const limits = { ...DEFAULT_LANE_LIMITS, ...scenario.limits };
    const lanes = new Lanes(limits, 0, () => randomKey(random));
    return {
      lanes,
      queues: new Map<string, LaneQueue>(),
      made: random() * CHUNK_BYTES,
      answers: [] as Answer[],
      phase: random() * TICK_MS,
    };
  });

  for (let tick = 0; tick < (scenario.seconds * 1000) / TICK_MS; tick++) {
    const now = tick * TICK_MS;
    if (now % 1000 === 0) accepted.push(new Array<number>(count).fill(0));
    for (let s = 0; s < count; s++) {
      bytesLeft[s] = Math.min(SHARD_BYTES, bytesLeft[s]! + (SHARD_BYTES * TICK_MS) / 1000);
      recordsLeft[s] = Math.min(SHARD_RECORDS, recordsLeft[s]! + (SHARD_RECORDS * TICK_MS) / 1000);
      bytesLeft[s] = Math.max(0, bytesLeft[s]! - (scenario.foreign[s]! * TICK_MS) / 1000);
    }
    for (const agent of shuffled(agents, random)) {
      const { lanes, queues } = agent;
      if (lanes.wantsShards) lanes.setShards(shards);
      agent.made += (scenario.offered / scenario.agents) * (TICK_MS / 1000);
      while (agent.made >= CHUNK_BYTES) {
        agent.made -= CHUNK_BYTES;
        const lane = lanes.next(now, (name) => queues.get(name)?.backlog ?? 0);
        let queue = queues.get(lane);
        if (!queue) {
          queue = new LaneQueue(lane, RECORD_BACKOFF, random);
          queues.set(lane, queue);
        }
        queue.push({ header: { bytes: CHUNK_BYTES } } as SpooledChunk);
      }

      for (const answer of agent.answers.splice(0)) {
        if (answer.at > now) {
          agent.answers.push(answer);
          continue;
        }
        const { queue, taken, refused, shard } = answer;
        queue.settle(taken.flat());
        queue.putBack(refused.flat());
        queue.answered(taken.length, refused.length, now);
        if (taken.length > 0) lanes.accepted(queue.lane, shards[shard]!.id, queue.empty, now);
        if (refused.length > 0) lanes.throttled(queue.lane, now);
      }

      for (const queue of queues.values()) {
        if (now < queue.notBefore) continue;
        const shard = shards.findIndex(({ last }) => BigInt(`0x${queue.lane}`) <= last);
        const taken: SpooledChunk[][] = [];
        const refused: SpooledChunk[][] = [];
        for (
          let record = queue.takeRecord(RECORD_BYTES);
          record.length > 0;
          record = queue.takeRecord(RECORD_BYTES)
        ) {
          const bytes = record.length * CHUNK_BYTES;
          if (bytesLeft[shard]! >= bytes && recordsLeft[shard]! >= 1) {
            bytesLeft[shard]! -= bytes;
            recordsLeft[shard]!--;
            accepted.at(-1)![shard]! += bytes;
            accepts++;
            taken.push(record);
          } else {
            refusals++;
            refused.push(record);
          }
        }
        if (taken.length + refused.length > 0) {
          agent.answers.push({ at: now + ROUND_TRIP_MS, queue, taken, refused, shard });
        }
      }
    }
  }
  return {
    accepted,
    backlog: sum(agents.flatMap(({ queues }) => [...queues.values()].map(({ backlog }) => backlog))),
    lanes: sum(agents.map(({ lanes }) => lanes.active.length)),
    refused: refusals / accepts,
  };
}

interface Answer {
  readonly at: number;
  readonly queue: LaneQueue;
  readonly taken: SpooledChunk[][];
  readonly refused: SpooledChunk[][];
  readonly shard: number;
}

/** A stream's open shards after creation: the key space in equal parts. */
export function evenRanges(count: number): ShardRange[] {
  const width = KEY_SPACE / BigInt(count);
  return Array.from({ length: count }, (_, i) => ({
    id: `shardId-${i}`,
    first: width * BigInt(i),
    last: i === count - 1 ? KEY_SPACE - 1n : width * BigInt(i + 1) - 1n,
  }));
}

/** Repeatable random numbers in [0, 1) (mulberry32, T. Ettinger). */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function randomKey(random: () => number): bigint {
  let key = 0n;
  for (let i = 0; i < 4; i++) key = (key << 32n) | BigInt(Math.floor(random() * 2 ** 32));
  return key;
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}

/** Megabytes per second that each shard accepted from second `from` to second `to`. */
export function rates(outcome: Outcome, from: number, to: number): number[] {
  const seconds = outcome.accepted.slice(from, to);
  return outcome.accepted[0]!.map((_, s) => sum(seconds.map((second) => second[s]!)) / seconds.length / 1e6);
}

/** The table of docs/sending.md. */
export function table(): string {
  const rows = [
    '| agents | seconds | shard 0 (hot) | shard 1 | shard 2 | shard 3 | all, MB/s | lanes | throttled per accepted |',
  ];
  rows.push('|---|---|---|---|---|---|---|---|---|');
  for (const agents of [1, 2, 5, 10, 20, 50]) {
    for (const [from, to] of [
      [0, 10],
      [10, 30],
      [30, 60],
      [60, 180],
    ] as const) {
      const outcome = simulate({ agents, offered: 4e6, foreign: [950_000, 0, 0, 0], seconds: to });
      const each = rates(outcome, from, to);
      const cells = [...each, sum(each)].map((rate) => rate.toFixed(2));
      rows.push(
        `| ${agents} | ${from}-${to} | ${cells.join(' | ')} | ${outcome.lanes} | ${outcome.refused.toFixed(2)} |`,
      );
    }
  }
  return rows.join('\n');
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) console.log(table());
