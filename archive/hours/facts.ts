/** What commits say of producers and of hours, gathered so that {@link judgeHours} can tell which hours are complete. */
import type { Commit, CommitObject, Watermark } from '../commit.ts';
import { Runs } from '../runs.ts';
import type { ShardState } from '../state.ts';

export interface LaneFacts {
  readonly producer: string;
  readonly epoch: string;
  /** The sequences that are archived. */
  readonly archived: Runs;
  /** By their sequence. */
  readonly watermarks: Map<number, Watermark>;
}

export interface EpochFacts {
  /** The epoch before this one and its last ordinal, once the commit of the first chunk was read; else null. */
  previous: { readonly epoch: string; readonly ordinal: number } | null;
  /** The highest ordinal of its chunks in the commits that were read, 0 when there is none. */
  ordinal: number;
  /** Arrival of the last record that named it, milliseconds since 1970. */
  heard: number;
  /** When the first one had arrived at the latest, milliseconds since 1970. */
  arrived: number;
}

export interface HourFacts {
  /** The sequences of each lane that are in objects of the hour. */
  readonly lanes: Map<string, Runs>;
  readonly objects: CommitObject[];
}

export class Facts {
  readonly lanes = new Map<string, LaneFacts>();
  /** producer → epoch → facts. */
  readonly producers = new Map<string, Map<string, EpochFacts>>();
  /** By hours since 1970. */
  readonly hours = new Map<number, HourFacts>();
  readonly #keepRuns: boolean;
  readonly #keepHours: readonly [number, number];

  /**
   * @param keepRuns whether the objects of hours have their runs, which are most of what they are
   * @param keepHours the first and the last hour whose objects are kept, since 1970
   */
  constructor(
    keepRuns = true,
    keepHours: readonly [number, number] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  ) {
    this.#keepRuns = keepRuns;
    this.#keepHours = keepHours;
  }

  /**
   * What a log had before the commits that are added.
   *
   * @param next the first of those: it may void objects of the commit before it
   */
  addState(state: ShardState, next: Commit | null): void {
    for (const { runs } of next?.voided ?? [])
      for (const [name, text] of Object.entries(runs)) state.lanes.get(name)?.runs.subtract(Runs.parse(text));
    for (const [name, { producer, epoch, runs, seen, watermark }] of state.lanes) {
      const lane = this.#lane(name, producer, epoch);
      lane.archived.union(runs);
      if (watermark !== null) lane.watermarks.set(watermark[0], watermark);
      this.#heard(producer, epoch, seen);
    }
  }

  /** @param lost objects of it that the next commit voids */
  add(commit: Commit, lost: ReadonlySet<string>): void {
    const heard = commit.arrival?.[1] ?? 0;
    for (const object of commit.objects) {
      if (lost.has(object.key)) continue;
      this.#addRuns(commit, object.runs);
      if (object.hour < this.#keepHours[0] || object.hour > this.#keepHours[1]) continue;
      const hour = this.hours.get(object.hour) ?? { lanes: new Map<string, Runs>(), objects: [] };
      this.hours.set(object.hour, hour);
      hour.objects.push(this.#keepRuns ? object : { ...object, runs: {}, lane_events: {} });
      for (const [name, text] of Object.entries(object.runs)) {
        const runs = hour.lanes.get(name) ?? new Runs();
        hour.lanes.set(name, runs);
        runs.union(Runs.parse(text));
      }
    }
    this.#addRuns(commit, commit.empty);
    for (const [name, list] of Object.entries(commit.watermarks ?? {}))
      for (const watermark of list) this.lanes.get(name)?.watermarks.set(watermark[0], watermark);
    for (const { producer, epoch, ordinal, previous } of commit.producers) {
      const facts = this.#heard(producer, epoch, heard);
      facts.previous ??= previous;
      facts.ordinal = Math.max(facts.ordinal, ordinal);
    }
  }

  #addRuns(commit: Commit, runsByLane: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(runsByLane)) {
      const [producer, epoch] = commit.lanes[name] ?? ['', ''];
      this.#lane(name, producer, epoch).archived.union(Runs.parse(text));
    }
  }

  #lane(name: string, producer: string, epoch: string): LaneFacts {
    const known = this.lanes.get(name);
    if (known) return known;
    const lane: LaneFacts = { producer, epoch, archived: new Runs(), watermarks: new Map() };
    this.lanes.set(name, lane);
    return lane;
  }

  #heard(producer: string, epoch: string, heard: number): EpochFacts {
    const epochs = this.producers.get(producer) ?? new Map<string, EpochFacts>();
    this.producers.set(producer, epochs);
    const facts = epochs.get(epoch) ?? {
      previous: null,
      ordinal: 0,
      heard: 0,
      arrived: Number.POSITIVE_INFINITY,
    };
    epochs.set(epoch, facts);
    facts.heard = Math.max(facts.heard, heard);
    facts.arrived = Math.min(facts.arrived, heard);
    return facts;
  }
}
