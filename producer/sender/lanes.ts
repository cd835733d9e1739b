/**
 * Which lane a new chunk goes to: load spreads over the stream's shards by itself, with no key balanced by hand.
 *
 * Pure choice on a clock that the caller gives. A lane is fixed to a place of the hash key space and so to a shard. An
 * agent begins with few lanes. One that its shard throttles for long is joined by another inside another shard's
 * range; one that is needed no more gets no new chunks. Chunks that have their lane keep it.
 */
import { randomBytes } from 'node:crypto';

/** The part of the hash key space that an open shard takes. */
export interface ShardRange {
  readonly id: string;
  /** First and last explicit hash key, both included. */
  readonly first: bigint;
  readonly last: bigint;
}

export interface LaneLimits {
  /** Lanes that a run begins with, evenly spread over the hash key space. */
  readonly initial: number;
  /** Lanes in use at most; never more than there are shards, once these are known. */
  readonly max: number;
  /** Milliseconds of throttling after which a lane is joined by another, and after which that one may be joined. */
  readonly joinAfter: number;
  /** Milliseconds without throttling after which a lane beyond the initial ones is used no more. */
  readonly idleAfter: number;
}

export const DEFAULT_LANE_LIMITS: LaneLimits = {
  initial: 1,
  max: 64,
  joinAfter: 3000,
  idleAfter: 120_000,
};

/** A lane in use, as status shows it. */
export interface ActiveLane {
  readonly lane: string;
  /** The shard that took its last record; null before the first answer. */
  readonly shard: string | null;
  /** Since when its shard throttles it, on the caller's clock; null when it does not. */
  readonly throttledSince: number | null;
}

interface LaneState {
  readonly lane: string;
  shard: string | null;
  throttledSince: number | null;
  lastThrottled: number;
}

const KEY_SPACE = 1n << 128n;
/** Milliseconds without a refusal after which a shard is no longer taken for a throttling one. */
const CALM_MS = 2000;

/** A random place of the hash key space: 0 to 2^128 - 1. */
export type RandomKey = () => bigint;

const randomKey: RandomKey = () => BigInt(`0x${randomBytes(16).toString('hex')}`);

export class Lanes {
  readonly #limits: LaneLimits;
  readonly #random: RandomKey;
  #active: LaneState[];
  #shards: readonly ShardRange[] = [];
  #turn = 0;
  #changed = 0;
  #stale = false;

  /** @param now the caller's clock, milliseconds */
  constructor(limits: LaneLimits, now: number, random: RandomKey = randomKey) {
    this.#limits = limits;
    this.#random = random;
    this.#changed = now;
    const offset = random();
    this.#active = Array.from({ length: limits.initial }, (_, i) =>
      newState(laneAt(offset + (KEY_SPACE * BigInt(i)) / BigInt(limits.initial))),
    );
  }

  get active(): readonly ActiveLane[] {
    return this.#active;
  }

  /** Whether the list of shards is asked for: a shard throttles, or an answer named another one than it says. */
  get wantsShards(): boolean {
    return this.#stale;
  }

  /** The stream's open shards, as ListShards gave them. */
  setShards(shards: readonly ShardRange[]): void {
    this.#shards = shards;
    this.#stale = false;
    for (const state of this.#active) state.shard = this.#shardOf(state.lane)?.id ?? state.shard;
    this.#leaveShared();
  }

  /**
   * The lane of the next chunk: in turn those that are not throttled; where all are, the one with the least waiting.
   *
   * @param backlog bytes of a lane that wait or are in flight
   */
  next(now: number, backlog: (lane: string) => number): string {
    this.#review(now);
    const free = this.#active.filter(({ throttledSince }) => throttledSince === null);
    this.#turn++;
    if (free.length > 0) return free[this.#turn % free.length]!.lane;
    let least = this.#active[0]!;
    for (const state of this.#active) if (backlog(state.lane) < backlog(least.lane)) least = state;
    return least.lane;
  }

  /**
   * A record of a lane was accepted.
   *
   * @param drained whether nothing of the lane waits any more
   */
  accepted(lane: string, shard: string | null, drained: boolean, now: number): void {
    // Another one than the list says: a reshard, or a stream that was deleted and recreated under the same names.
    if (shard !== null && this.#shards.length > 0 && this.#shardOf(lane)?.id !== shard) this.#stale = true;
    const state = this.#find(lane);
    if (!state) return;
    if (shard !== null && shard !== state.shard) {
      state.shard = shard;
      this.#leaveShared();
    }
    if (drained || now - state.lastThrottled >= CALM_MS) state.throttledSince = null;
  }

  /** A record of a lane was refused because its shard takes no more at present. */
  throttled(lane: string, now: number): void {
    const state = this.#find(lane);
    if (!state) return;
    // Another lane may soon be wanted.
    if (this.#shards.length === 0) this.#stale = true;
    state.throttledSince ??= now;
    state.lastThrottled = now;
  }

  #find(lane: string): LaneState | undefined {
    return this.#active.find((state) => state.lane === lane);
  }

  #review(now: number): void {
    const { initial, joinAfter, idleAfter } = this.#limits;
    const since = now - this.#changed;
    const long = this.#active.filter(
      ({ throttledSince }) => throttledSince !== null && now - throttledSince >= joinAfter,
    );
    if (long.length === this.#active.length && since >= joinAfter) {
      this.#changed = now;
      this.#join();
    } else if (this.#active.length > initial && since >= idleAfter) {
      const last = Math.max(...this.#active.map(({ lastThrottled }) => lastThrottled));
      if (now - last < idleAfter) return;
      this.#changed = now;
      // The one whose shard was short of room last is the one to leave.
      const index = this.#active.findIndex(({ lastThrottled }) => lastThrottled === last);
      this.#active.splice(index, 1);
    }
  }

  #join(): void {
    if (this.#active.length >= this.#limits.max) return;
    if (this.#shards.length === 0) {
      this.#stale = true;
      this.#active.push(newState(laneAt(this.#random())));
      return;
    }
    const used = new Set(this.#active.map(({ lane }) => this.#shardOf(lane)?.id));
    const unused = this.#shards.filter(({ id }) => !used.has(id));
    if (unused.length === 0) return;
    const { id, first, last } = unused[Number(this.#random() % BigInt(unused.length))]!;
    this.#active.push(newState(laneAt(first + (this.#random() % (last - first + 1n))), id));
  }

  /** Of several lanes in one shard, as after a merge, the first is enough. */
  #leaveShared(): void {
    if (this.#shards.length === 0) return;
    const seen = new Set<string>();
    const { initial } = this.#limits;
    let spare = this.#active.length - Math.min(initial, this.#shards.length);
    this.#active = this.#active.filter(({ shard }) => {
      if (shard === null || !seen.has(shard)) {
        if (shard !== null) seen.add(shard);
        return true;
      }
      return spare-- <= 0;
    });
  }

  #shardOf(lane: string): ShardRange | undefined {
    const key = BigInt(`0x${lane}`);
    return this.#shards.find(({ first, last }) => key >= first && key <= last);
  }
}

function newState(lane: string, shard: string | null = null): LaneState {
  return { lane, shard, throttledSince: null, lastThrottled: Number.NEGATIVE_INFINITY };
}

function laneAt(key: bigint): string {
  return (((key % KEY_SPACE) + KEY_SPACE) % KEY_SPACE).toString(16).padStart(32, '0');
}
