/** What verify notes down of the commits that it reads, and what it says of them in the end. */
import type { Commit, CommitObject } from '../commit.ts';
import { compareSequence } from '../commit-keys.ts';
import { DEDUPE_HORIZON_MS } from '../dedupe-horizon.ts';
import { Runs } from '../runs.ts';
import type { Lane } from '../state.ts';
import type { LogPart, TimeRange } from './range.ts';

export interface VerifyOptions {
  readonly now: number;
  /** A gap seen for less than this may still be filled, ms. */
  readonly pendingFor: number;
  /** Objects older than this may have been expired by a rule of the bucket and are not looked for, ms. */
  readonly expireAfter?: number | undefined;
  /** Reads every object, not only what the commits say. */
  readonly deep: boolean;
  /** Only producers whose id begins with this. */
  readonly producer?: string | undefined;
  /** Only what was archived in this time; commits before and after are not read, but for the few that say what was known. */
  readonly range?: TimeRange | undefined;
  /** The consumer's dedupe_horizon, ms: lanes of epochs that began earlier than that before the range may be forgotten. */
  readonly horizon?: number | undefined;
  readonly onProgress?: (done: number, total: number, what: 'commits' | 'objects') => void;
}

export interface LaneHole {
  readonly lane: string;
  /** The missing sequences. */
  readonly missing: string;
  readonly count: number;
  /** Whether the gap is so young that it may still be filled. */
  readonly pending: boolean;
  /** Those of them that were archived by a commit whose data was lost. */
  readonly voided: string;
}

export interface EpochReport {
  readonly epoch: string;
  readonly chunks: number;
  /** In commits that say so; all that this release writes do. */
  readonly events: number;
  /** How many there were at least; exactly, when the epoch has ended. */
  readonly expected: number;
  /** Ended by a clean stop, known to be over from a later epoch, or open: running, or dead without a word. */
  readonly end: 'clean' | 'over' | 'open';
  readonly lanes: number;
  readonly holes: readonly LaneHole[];
  /** Missing chunks, by their ordinals, that no gap in a lane shows: whole ends of lanes. */
  readonly unlocated: number;
  readonly unlocatedPending: boolean;
}

export interface ProducerReport {
  readonly producer: string;
  readonly epochs: readonly EpochReport[];
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly logs: number;
  readonly commits: number;
  readonly objects: number;
  readonly bytes: number;
  readonly chunks: number;
  readonly events: number;
  readonly foreign: number;
  readonly damaged: number;
  readonly unproven: number;
  readonly duplicatesSkipped: number;
  readonly voidedObjects: number;
  /** Chunks that are missing for good, and those that may still come. */
  readonly missing: number;
  readonly pending: number;
  readonly producers: readonly ProducerReport[];
  readonly repeats: readonly { readonly lane: string; readonly sequences: string; readonly key: string }[];
  /** Objects that are too old to be looked for. */
  readonly expired: number;
  /** Objects in a storage class from which they have to be restored before they can be read. */
  readonly cold: number;
  /** Objects of newest commits without data yet. */
  readonly unfinished: readonly string[];
  /** What is wrong with the archive itself. */
  readonly problems: readonly string[];
}

interface LaneBook {
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

interface EpochBook {
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
  expired = 0;
  cold = 0;
  readonly #keepRuns: boolean;
  readonly #lanes = new Map<string, LaneBook>();
  readonly #epochs = new Map<string, Map<string, EpochBook>>();
  #commits = 0;
  #voided = 0;
  #damaged = 0;
  #unproven = 0;
  #duplicates = 0;

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
      this.#commits += 1;
      const before = commits[i - 1];
      // rule: a part of the archive knows what of its last commit was lost
      const next = commits[i + 1] ?? part?.next;
      const lost = new Set(next?.number === commit.number + 1 ? next.voided.map(({ key }) => key) : []);
      this.#checkChain(before, commit);
      this.#damaged += commit.damaged;
      this.#unproven += commit.unproven;
      this.#duplicates += commit.skipped.duplicates;
      for (const object of commit.objects) {
        // rule: verify counts what was voided as missing
        const isLost = lost.has(object.key);
        this.#addRuns(commit, object.runs, object.key, isLost, known);
        if (isLost) this.#voided += 1;
        else {
          for (const [name, n] of Object.entries(object.lane_events ?? {})) {
            const lane = this.#lanes.get(name);
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
    this.#lanes.set(name, lane);
    return lane;
  }

  #addState(when: 'before' | 'after', lanes: ReadonlyMap<string, Lane>): void {
    for (const [name, { producer, epoch, runs }] of lanes) {
      const lane = this.#lanes.get(name) ?? this.#openLane(name, producer, epoch);
      lane[when].union(runs);
    }
  }

  /** The first commit of a part may void objects of the one before it. */
  #takeBack(runsByLane: Readonly<Record<string, string>>, known: ReadonlyMap<string, Lane>): void {
    for (const [name, text] of Object.entries(runsByLane)) {
      const lost = Runs.parse(text);
      known.get(name)?.runs.subtract(lost);
      const lane = this.#lanes.get(name);
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
      let lane = this.#lanes.get(name);
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
    let epochs = this.#epochs.get(producer);
    if (!epochs) {
      epochs = new Map();
      this.#epochs.set(producer, epochs);
    }
    let book = epochs.get(epoch);
    if (!book) {
      book = { ordinal: 0, final: null, clean: false, lastWritten: 0 };
      epochs.set(epoch, book);
    }
    return book;
  }

  report(options: VerifyOptions, logs: number): VerifyReport {
    const lanesOf = new Map<string, [string, LaneBook][]>();
    for (const [name, lane] of this.#lanes) {
      const key = `${lane.producer}/${lane.epoch}`;
      const list = lanesOf.get(key);
      if (list) list.push([name, lane]);
      else lanesOf.set(key, [[name, lane]]);
    }
    const producers: ProducerReport[] = [];
    let missing = 0;
    let pending = 0;
    for (const producer of [...this.#epochs.keys()].sort()) {
      if (options.producer !== undefined && !producer.startsWith(options.producer)) continue;
      const epochs = [...this.#epochs.get(producer)!].sort(([a], [b]) => (a < b ? -1 : 1));
      const reports = epochs.map(([epoch, book], i) => {
        const isLatest = i === epochs.length - 1;
        return epochReport(epoch, book, lanesOf.get(`${producer}/${epoch}`) ?? [], isLatest, options);
      });
      for (const { holes, unlocated, unlocatedPending } of reports) {
        for (const hole of holes) {
          if (hole.pending) pending += hole.count;
          else missing += hole.count;
        }
        if (unlocatedPending) pending += unlocated;
        else missing += unlocated;
      }
      producers.push({ producer, epochs: reports });
    }
    const sum = (value: (object: CommitObject) => number): number =>
      this.live.reduce((total, { object }) => total + value(object), 0);
    return {
      ok: missing === 0 && this.repeats.length === 0 && this.problems.length === 0,
      logs,
      commits: this.#commits,
      objects: this.live.length,
      bytes: sum((object) => object.bytes),
      chunks: sum((object) => (object.foreign > 0 ? 0 : object.chunks)),
      events: sum((object) => object.events),
      foreign: sum((object) => object.foreign),
      damaged: this.#damaged,
      unproven: this.#unproven,
      duplicatesSkipped: this.#duplicates,
      voidedObjects: this.#voided,
      missing,
      pending,
      producers,
      repeats: this.repeats,
      expired: this.expired,
      cold: this.cold,
      unfinished: this.unfinished,
      problems: this.problems,
    };
  }
}

/** Keeps what says when a lane had come so far at the latest. */
function addMark(marks: LaneBook['marks'], sequence: number, written: number): void {
  const top = marks.at(-1);
  if (!top || sequence > top[0] || written < top[1]) marks.push([sequence, written]);
}

function epochReport(
  epoch: string,
  book: EpochBook,
  lanes: readonly [string, LaneBook][],
  isLatest: boolean,
  options: VerifyOptions,
): EpochReport {
  let chunks = 0;
  let events = 0;
  /** Archived at any time, and missing, whenever it should have come. */
  let accounted = 0;
  const holes: LaneHole[] = [];
  for (const [name, lane] of lanes) {
    chunks += lane.archived.count;
    events += lane.events;
    const archived = allArchived(lane);
    const gaps = gapsOf(lane, archived);
    accounted += archived.count + gaps.count;
    holes.push(...laneHoles(name, lane, gaps, options));
  }
  const expected = Math.max(book.ordinal, book.final ?? 0);
  return {
    epoch,
    chunks,
    events,
    expected,
    end: book.clean ? 'clean' : book.final !== null || !isLatest ? 'over' : 'open',
    lanes: lanes.length,
    holes,
    unlocated: remembersAll(epoch, options) ? Math.max(0, expected - accounted) : 0,
    unlocatedPending: options.now - book.lastWritten < options.pendingFor,
  };
}

/** Whether no lane of the epoch can have been forgotten before the time that is looked at. */
function remembersAll(epoch: string, { range, horizon = DEDUPE_HORIZON_MS }: VerifyOptions): boolean {
  // An epoch's first twelve digits are the time at which it began.
  return range === undefined || Number.parseInt(epoch.slice(0, 12), 16) >= range.from - horizon;
}

function allArchived(lane: LaneBook): Runs {
  const all = new Runs();
  for (const runs of [lane.archived, lane.before, lane.after]) all.union(runs);
  return all;
}

/** What is missing between the lane's first chunk and the last one that came up to the end of the time. */
function gapsOf(lane: LaneBook, archived: Runs): Runs {
  const last = Math.max(lane.archived.last, lane.before.last, lane.voided.last);
  const gaps = new Runs();
  if (last > 0) gaps.addRange(1, last);
  gaps.subtract(archived);
  return gaps;
}

function laneHoles(name: string, lane: LaneBook, gaps: Runs, options: VerifyOptions): LaneHole[] {
  const holes: LaneHole[] = [];
  for (const [first, last] of gaps) {
    let since = Number.POSITIVE_INFINITY;
    for (const [mark, written] of lane.marks) if (mark > last) since = Math.min(since, written);
    const missing = new Runs();
    missing.addRange(first, last);
    const voided = new Runs();
    voided.union(lane.voided);
    if (first > 1) voided.removeRange(1, first - 1);
    voided.removeRange(last + 1, Number.MAX_SAFE_INTEGER);
    // A gap that already existed before the time was reported then.
    if (first < lane.before.last && voided.count === 0) continue;
    holes.push({
      lane: name,
      missing: missing.toString(),
      count: missing.count,
      pending: since !== Number.POSITIVE_INFINITY && options.now - since < options.pendingFor,
      voided: voided.toString(),
    });
  }
  return holes;
}
