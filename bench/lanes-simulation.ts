/**
 * Simulates agents that share a stream, on a virtual clock: shows how load spreads over shards, with the agents' own lanes,
 * queues and backoff. Shards are token buckets as the service documents them: 1 MB and 1,000 records per second each.
 */
import { pathToFileURL } from 'node:url';
import { LaneQueue, RECORD_BACKOFF } from '../producer/sender/lane-queue.ts';
import { DEFAULT_LANE_LIMITS, type LaneLimits, Lanes, type ShardRange } from '../producer/sender/lanes.ts';
import type { SpooledChunk } from '../producer/spool/spool.ts';
import { generator } from '../test/support/random.ts';

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
  const stream = new SimulatedStream(scenario.foreign);
  const limits = { ...DEFAULT_LANE_LIMITS, ...scenario.limits };
  const agents = Array.from({ length: scenario.agents }, () => new SimulatedAgent(limits, stream, random));
  const bytes = (scenario.offered / scenario.agents) * (TICK_MS / 1000);
  for (let tick = 0; tick < (scenario.seconds * 1000) / TICK_MS; tick++) {
    const now = tick * TICK_MS;
    stream.tick(now);
    for (const agent of shuffled(agents, random)) agent.tick(now, bytes);
  }
  return {
    accepted: stream.accepted,
    backlog: sum(agents.map(({ backlog }) => backlog)),
    lanes: sum(agents.map(({ lanes }) => lanes.active.length)),
    refused: stream.refusals / stream.accepts,
  };
}

/** Shards as token buckets of bytes and records, which other producers use as well. */
class SimulatedStream {
  readonly shards: readonly ShardRange[];
  readonly accepted: number[][] = [];
  accepts = 0;
  refusals = 0;
  readonly #foreign: readonly number[];
  readonly #bytes: number[];
  readonly #records: number[];

  constructor(foreign: readonly number[]) {
    this.#foreign = foreign;
    this.shards = evenRanges(foreign.length);
    this.#bytes = foreign.map(() => SHARD_BYTES);
    this.#records = foreign.map(() => SHARD_RECORDS);
  }

  tick(now: number): void {
    if (now % 1000 === 0) this.accepted.push(this.#foreign.map(() => 0));
    for (const [s, foreign] of this.#foreign.entries()) {
      const bytes = Math.min(SHARD_BYTES, this.#bytes[s]! + (SHARD_BYTES * TICK_MS) / 1000);
      this.#bytes[s] = Math.max(0, bytes - (foreign * TICK_MS) / 1000);
      this.#records[s] = Math.min(SHARD_RECORDS, this.#records[s]! + (SHARD_RECORDS * TICK_MS) / 1000);
    }
  }

  shardOf(lane: string): number {
    return this.shards.findIndex(({ last }) => BigInt(`0x${lane}`) <= last);
  }

  put(shard: number, bytes: number): boolean {
    if (this.#bytes[shard]! < bytes || this.#records[shard]! < 1) {
      this.refusals++;
      return false;
    }
    this.#bytes[shard]! -= bytes;
    this.#records[shard]!--;
    this.accepted.at(-1)![shard]! += bytes;
    this.accepts++;
    return true;
  }
}

interface Answer {
  readonly at: number;
  readonly queue: LaneQueue;
  readonly taken: SpooledChunk[][];
  readonly refused: SpooledChunk[][];
  readonly shard: number;
}

/** An agent's own lanes and queues, with chunks of one size. */
class SimulatedAgent {
  readonly lanes: Lanes;
  readonly #stream: SimulatedStream;
  readonly #random: () => number;
  readonly #queues = new Map<string, LaneQueue>();
  #answers: Answer[] = [];
  #made: number;

  constructor(limits: LaneLimits, stream: SimulatedStream, random: () => number) {
    this.lanes = new Lanes(limits, 0, () => randomKey(random));
    this.#stream = stream;
    this.#random = random;
    this.#made = random() * CHUNK_BYTES;
  }

  get backlog(): number {
    return sum([...this.#queues.values()].map(({ backlog }) => backlog));
  }

  tick(now: number, bytes: number): void {
    if (this.lanes.wantsShards) this.lanes.setShards([...this.#stream.shards]);
    this.#made += bytes;
    for (; this.#made >= CHUNK_BYTES; this.#made -= CHUNK_BYTES) this.#seal(now);
    const due = this.#answers.filter(({ at }) => at <= now);
    this.#answers = this.#answers.filter(({ at }) => at > now);
    for (const answer of due) this.#settle(answer, now);
    for (const queue of this.#queues.values()) if (now >= queue.notBefore) this.#send(queue, now);
  }

  #seal(now: number): void {
    const lane = this.lanes.next(now, (name) => this.#queues.get(name)?.backlog ?? 0);
    let queue = this.#queues.get(lane);
    if (!queue) {
      queue = new LaneQueue(lane, RECORD_BACKOFF, this.#random);
      this.#queues.set(lane, queue);
    }
    queue.push({ header: { bytes: CHUNK_BYTES } } as SpooledChunk, 0);
  }

  #settle({ queue, taken, refused, shard }: Answer, now: number): void {
    queue.settle(taken.flat());
    queue.putBack(refused.flat());
    queue.answered(taken.length, refused.length, now);
    if (taken.length > 0) this.lanes.accepted(queue.lane, this.#stream.shards[shard]!.id, queue.empty, now);
    if (refused.length > 0) this.lanes.throttled(queue.lane, now);
  }

  #send(queue: LaneQueue, now: number): void {
    const shard = this.#stream.shardOf(queue.lane);
    const taken: SpooledChunk[][] = [];
    const refused: SpooledChunk[][] = [];
    for (
      let record = queue.takeRecord(RECORD_BYTES);
      record.length > 0;
      record = queue.takeRecord(RECORD_BYTES)
    ) {
      (this.#stream.put(shard, record.length * CHUNK_BYTES) ? taken : refused).push(record);
    }
    if (taken.length + refused.length > 0) {
      this.#answers.push({ at: now + ROUND_TRIP_MS, queue, taken, refused, shard });
    }
  }
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
