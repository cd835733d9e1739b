/** What verify notes down of the commits that it reads. */
import type { Commit, CommitObject } from '../commit.ts';
import { compareSequence } from '../commit-keys.ts';
import { Runs } from '../runs.ts';
import type { Lane } from '../state.ts';
import type { LogPart } from './range.ts';

export interface LaneBook {
  readonly producer: string;
  readonly epoch: string;
  readonly archived: Runs;
  /** What other commits have archived than those that are looked at: before their time, and after it. */
  readonly before: Runs;
  readonly after: Runs;
  readonly voided: Runs;
  events: number;
  /** A sequence, and when it was archived; of each batch the last one. */
  readonly marks: [sequence: number, written: number][];
}

export interface EpochBook {
  ordinal: number;
  final: number | null;
  clean: boolean;
  lastWritten: number;
}

/** An object, and when its commit was written, ms. */
export interface Placed {
  readonly object: CommitObject;
  readonly written: number;
}

export class Book {
  readonly problems: string[] = [];
  readonly unfinished: string[] = [];
  readonly repeats: { lane: string; sequences: string; key: string }[] = [];
  /** Objects that can lack data: those of the newest commit of each log. */
  readonly newest: Placed[] = [];
  /** Objects that hold their data. */
  readonly live: Placed[] = [];
  /** Keys of objects that were given up. */
  readonly voidedKeys = new Set<string>();
  /** Of each log, as `incarnation/shard`, the number of its newest commit that was read. */
  readonly newestNumbers = new Map<string, number>();
  expired = 0;
  cold = 0;
  readonly #keepRuns: boolean;
  readonly lanes = new Map<string, LaneBook>();
  readonly epochs = new Map<string, Map<string, EpochBook>>();

  readonly counts = { commits: 0, voided: 0, damaged: 0, unproven: 0, duplicates: 0 };

  /** @param keepRuns whether {@link live} has the runs of its objects */
  constructor(keepRuns: boolean) {
    this.#keepRuns = keepRuns;
  }

  /** @param part when they are not all of the log: what stands around them */
  addLog(commits: readonly Commit[], part: LogPart | null): void {
    const known = part?.before?.lanes ?? new Map<string, Lane>();
    this.#addState('before', known);
    this.#addState('after', part?.now?.lanes ?? new Map<string, Lane>());
    for (const { runs } of commits[0]?.number === part?.first ? (commits[0]?.voided ?? []) : []) {
      this.#takeBack(runs, known);
    }
    commits.forEach((commit, i) => {
      this.counts.commits += 1;
      const before = commits[i - 1];
      // rule: a part of the archive knows what of its last commit was lost
      const next = commits[i + 1] ?? part?.next;
      const lost = new Set(next?.number === commit.number + 1 ? next.voided.map(({ key }) => key) : []);
      this.#checkChain(before, commit);
      this.counts.damaged += commit.damaged;
      this.counts.unproven += commit.unproven;
      this.counts.duplicates += commit.skipped.duplicates;
      for (const object of commit.objects) {
        // rule: verify counts what was voided as missing
        const isLost = lost.has(object.key);
        this.#addRuns(commit, object.runs, object.key, isLost, known);
        if (isLost) {
          this.counts.voided += 1;
          this.voidedKeys.add(object.key);
        } else {
          for (const [name, n] of Object.entries(object.lane_events ?? {})) {
            const lane = this.lanes.get(name);
            if (lane) lane.events += n;
          }
          // Lists of runs are most of what commits are; only a check that reads the objects needs them later.
          const kept = this.#keepRuns ? object : { ...object, runs: {}, lane_events: {} };
          const placed = { object: kept, written: commit.written };
          this.live.push(placed);
          if (!next) this.newest.push(placed);
        }
      }
      this.#addRuns(commit, commit.empty, 'chunks without events', false, known);
      for (const mark of commit.producers) this.#addMark(commit, mark);
      this.newestNumbers.set(`${commit.incarnation}/${commit.shard}`, commit.number);
    });
  }

  #checkChain(before: Commit | undefined, commit: Commit): void {
    if (!before?.to || !commit.from) return;
    const goesBack = compareSequence(commit.from, before.to) <= 0;
    const name = `${commit.incarnation}/${commit.shard}: commit ${commit.number}`;
    if (goesBack && commit.voided.length === 0)
      this.problems.push(`${name} repeats records of the one before it`);
    if (before.close && commit.voided.length === 0)
      this.problems.push(`${name} comes after the end of the shard`);
  }

  #openLane(name: string, producer: string, epoch: string): LaneBook {
    const [archived, before, after, voided] = [new Runs(), new Runs(), new Runs(), new Runs()];
    const lane: LaneBook = { producer, epoch, archived, before, after, voided, events: 0, marks: [] };
    this.lanes.set(name, lane);
    return lane;
  }

  #addState(when: 'before' | 'after', lanes: ReadonlyMap<string, Lane>): void {
    for (const [name, { producer, epoch, runs }] of lanes) {
      const lane = this.lanes.get(name) ?? this.#openLane(name, producer, epoch);
      lane[when].union(runs);
    }
  }

  /** The first commit of a part may void objects of the one before it. */
  #takeBack(runsByLane: Readonly<Record<string, string>>, known: ReadonlyMap<string, Lane>): void {
    for (const [name, text] of Object.entries(runsByLane)) {
      const lost = Runs.parse(text);
      known.get(name)?.runs.subtract(lost);
      const lane = this.lanes.get(name);
      if (!lane) continue;
      lane.before.subtract(lost);
      lane.voided.union(lost);
      this.#epoch(lane.producer, lane.epoch);
    }
  }

  /**
   * @param key where the runs are
   * @param known what the log had before
   */
  #addRuns(
    commit: Commit,
    runsByLane: Readonly<Record<string, string>>,
    key: string,
    isLost: boolean,
    known: ReadonlyMap<string, Lane>,
  ): void {
    for (const [name, text] of Object.entries(runsByLane)) {
      let lane = this.lanes.get(name);
      if (!lane) {
        const [producer, epoch] = commit.lanes[name] ?? ['', ''];
        lane = this.#openLane(name, producer, epoch);
      }
      const runs = Runs.parse(text);
      if (isLost) {
        lane.voided.union(runs);
        continue;
      }
      const twice = lane.archived.intersection(runs);
      const earlier = known.get(name)?.runs.intersection(runs);
      if (earlier) twice.union(earlier);
      addMark(lane.marks, runs.last, commit.written);
      if (twice.count > 0) this.repeats.push({ lane: name, sequences: twice.toString(), key });
      lane.archived.union(runs);
    }
  }

  #addMark(commit: Commit, mark: Commit['producers'][number]): void {
    const book = this.#epoch(mark.producer, mark.epoch);
    book.ordinal = Math.max(book.ordinal, mark.ordinal);
    book.lastWritten = Math.max(book.lastWritten, commit.written);
    if (mark.end) {
      book.clean = true;
      book.final = Math.max(book.final ?? 0, mark.ordinal);
    }
    if (mark.previous) {
      const previous = this.#epoch(mark.producer, mark.previous.epoch);
      previous.final = Math.max(previous.final ?? 0, mark.previous.ordinal);
      previous.lastWritten = Math.max(previous.lastWritten, commit.written);
    }
  }

  #epoch(producer: string, epoch: string): EpochBook {
    let epochs = this.epochs.get(producer);
    if (!epochs) {
      epochs = new Map();
      this.epochs.set(producer, epochs);
    }
    let book = epochs.get(epoch);
    if (!book) {
      book = { ordinal: 0, final: null, clean: false, lastWritten: 0 };
      epochs.set(epoch, book);
    }
    return book;
  }
}

/** Keeps what says when a lane had come so far at the latest. */
function addMark(marks: LaneBook['marks'], sequence: number, written: number): void {
  const top = marks.at(-1);
  if (!top || sequence > top[0] || written < top[1]) marks.push([sequence, written]);
}
