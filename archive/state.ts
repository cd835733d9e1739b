/** What a shard's commit log amounts to: the runs of every lane that are archived, and where the log stands. */
import type { Commit, CommitObject, Snapshot, Watermark } from './commit.ts';
import { compareSequence } from './commit-keys.ts';
import { Runs } from './runs.ts';

export interface Lane {
  readonly producer: string;
  readonly epoch: string;
  readonly runs: Runs;
  /** Arrival time of the last record that named the lane, ms. */
  seen: number;
  /** The newest by which its producer said how far it had read; null when none did. */
  watermark: Watermark | null;
}

export interface Floor {
  readonly epoch: string;
  readonly seen: number;
}

/** First and last hash key, 32 hex digits each. */
export type HashRange = readonly [string, string];

export interface ForgetPolicy {
  /** A lane idle for this long is forgotten, ms. */
  readonly horizon: number;
  /** A lane whose producer's floor has passed its epoch is forgotten after being idle for this long, ms. */
  readonly grace: number;
}

/** The lanes of a shard. Only {@link ShardState.apply} changes it, and only by what a commit says. */
export class ShardState {
  readonly lanes = new Map<string, Lane>();
  readonly floors = new Map<string, Floor>();
  /** Number of the newest commit, 0 when there is none. */
  number = 0;
  /** The last sequence number that a commit covers; null when none covers any. */
  to: string | null = null;
  closed = false;
  /** The newest commit with a snapshot. */
  snapshotAt = 0;
  /** Objects of the newest commit that the next one must void. */
  voiding: readonly CommitObject[] = [];
  /** hour → foreign records up to there are archived although the commits will cover that range once more. */
  kept = new Map<number, string>();

  has(lane: string, sequence: number): boolean {
    return this.lanes.get(lane)?.runs.has(sequence) ?? false;
  }

  /** Goes on by one commit. */
  apply(commit: Commit): void {
    // rule: the runs that a commit voids are taken back by whoever follows it
    for (const voided of commit.voided) this.#takeBack(voided.runs);
    const seen = commit.arrival?.[1] ?? 0;
    if (commit.snapshot) {
      this.lanes.clear();
      this.floors.clear();
      this.absorb(commit.snapshot, null);
    } else {
      for (const object of commit.objects) this.#add(object.runs, commit, seen);
      this.#add(commit.empty, commit, seen);
      for (const [name, list] of Object.entries(commit.watermarks ?? {}))
        for (const watermark of list) this.#raiseWatermark(name, watermark);
      for (const mark of commit.producers) this.#raiseFloor(mark.producer, mark.floor, seen);
    }
    this.number = commit.number;
    this.to = commit.to;
    this.closed = commit.close;
    this.snapshotAt = commit.snapshot_at;
    this.voiding = [];
    this.kept = new Map();
    for (const [hour, to] of Object.entries(commit.kept)) {
      if (commit.to === null || compareSequence(to, commit.to) > 0) this.kept.set(Number(hour), to);
    }
  }

  /**
   * Goes back over the newest commit, of which `lost` are the objects that never got their data: the records of its
   * range are to be archived once more, except for what its other objects hold.
   */
  redo(commit: Commit, lost: readonly CommitObject[]): void {
    // rule: the runs of lost objects are taken back
    for (const object of lost) this.#takeBack(object.runs);
    this.voiding = lost;
    this.closed = false;
    const kept = new Map<number, string>();
    for (const [hour, to] of Object.entries(commit.kept)) kept.set(Number(hour), to);
    for (const object of commit.objects) {
      const isLost = lost.some((other) => other.key === object.key);
      if (object.foreign > 0 && !isLost && commit.to !== null)
        kept.set(object.hour, later(kept.get(object.hour), commit.to));
    }
    this.kept = kept;
  }

  /** Takes over the lanes of another log; with `range`, those inside it only. */
  absorb(snapshot: Snapshot, range: HashRange | null): void {
    for (const [name, [producer, epoch, runs, seen]] of Object.entries(snapshot.lanes)) {
      // rule: a child takes over what is inside its own range of hash keys
      if (range && !inRange(name, range)) continue;
      const lane = this.lanes.get(name);
      if (lane) {
        lane.runs.union(Runs.parse(runs));
        lane.seen = Math.max(lane.seen, seen);
      } else {
        this.lanes.set(name, { producer, epoch, runs: Runs.parse(runs), seen, watermark: null });
      }
    }
    for (const [name, watermark] of Object.entries(snapshot.watermarks ?? {}))
      this.#raiseWatermark(name, watermark);
    for (const [producer, [epoch, seen]] of Object.entries(snapshot.floors)) {
      this.#raiseFloor(producer, epoch, seen);
    }
  }

  snapshot(): Snapshot {
    const lanes: Record<string, [string, string, string, number]> = {};
    for (const [name, lane] of this.lanes) {
      if (lane.runs.last > 0) lanes[name] = [lane.producer, lane.epoch, lane.runs.toString(), lane.seen];
    }
    const floors: Record<string, [string, number]> = {};
    for (const [producer, floor] of this.floors) floors[producer] = [floor.epoch, floor.seen];
    const watermarks = [...this.lanes].flatMap(([name, { watermark }]) =>
      watermark !== null && name in lanes ? [[name, watermark] as const] : [],
    );
    return {
      lanes,
      floors,
      ...(watermarks.length === 0 ? {} : { watermarks: Object.fromEntries(watermarks) }),
    };
  }

  /** What {@link snapshot} will say after `commit`, without what the policy forgets by then. */
  snapshotAfter(commit: Commit, policy: ForgetPolicy): Snapshot {
    const next = new ShardState();
    next.absorb(this.snapshot(), null);
    next.apply(commit);
    next.#forget(commit.arrival?.[1] ?? 0, policy);
    return next.snapshot();
  }

  #forget(now: number, policy: ForgetPolicy): void {
    for (const [name, lane] of this.lanes) {
      const floor = this.floors.get(lane.producer);
      // rule: a lane is forgotten only when its producer's floor has passed its epoch
      const passed = floor !== undefined && lane.epoch < floor.epoch;
      if (now - lane.seen > (passed ? Math.min(policy.grace, policy.horizon) : policy.horizon))
        this.lanes.delete(name);
    }
    for (const [producer, floor] of this.floors) {
      if (now - floor.seen > policy.horizon) this.floors.delete(producer);
    }
  }

  #add(runsByLane: Readonly<Record<string, string>>, commit: Commit, seen: number): void {
    for (const [name, text] of Object.entries(runsByLane)) {
      let lane = this.lanes.get(name);
      if (!lane) {
        const [producer, epoch] = commit.lanes[name]!;
        lane = { producer, epoch, runs: new Runs(), seen, watermark: null };
        this.lanes.set(name, lane);
      }
      lane.runs.union(Runs.parse(text));
      lane.seen = Math.max(lane.seen, seen);
    }
  }

  #raiseWatermark(name: string, watermark: Watermark): void {
    const lane = this.lanes.get(name);
    if (lane && (lane.watermark === null || lane.watermark[0] < watermark[0])) lane.watermark = watermark;
  }

  #takeBack(runsByLane: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(runsByLane)) {
      this.lanes.get(name)?.runs.subtract(Runs.parse(text));
    }
  }

  #raiseFloor(producer: string, epoch: string, seen: number): void {
    const floor = this.floors.get(producer);
    this.floors.set(producer, {
      // rule: the floor of a producer is the highest that it named
      epoch: floor && floor.epoch > epoch ? floor.epoch : epoch,
      seen: Math.max(floor?.seen ?? 0, seen),
    });
  }
}

export function inRange(lane: string, range: HashRange): boolean {
  return lane >= range[0] && lane <= range[1];
}

function later(a: string | undefined, b: string): string {
  return a !== undefined && compareSequence(a, b) > 0 ? a : b;
}
