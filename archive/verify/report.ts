/** What verify says of the commits that it has noted: per producer and epoch, and what is wrong with the archive itself. */
import type { CommitObject } from '../commit.ts';
import { DEDUPE_HORIZON_MS } from '../dedupe-horizon.ts';
import { Runs } from '../runs.ts';
import type { Book, EpochBook, LaneBook } from './book.ts';
import type { TimeRange } from './range.ts';

export interface VerifyOptions {
  readonly now: number;
  /** A gap seen for less than this may still be filled, ms. */
  readonly pendingFor: number;
  /** Objects older than this may have been expired by a rule of the bucket and are not looked for, ms. */
  readonly expireAfter?: number | undefined;
  /** Reads every object, not only what the commits say. */
  readonly deep: boolean;
  /** Looks at no objects but those of the newest commits: for whoever asks for chunks alone. */
  readonly commitsOnly?: boolean;
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

/** What the commits and objects that were noted come to. */
export function reportOf(book: Book, options: VerifyOptions, logs: number): VerifyReport {
  const lanesOf = new Map<string, [string, LaneBook][]>();
  for (const [name, lane] of book.lanes) {
    const key = `${lane.producer}/${lane.epoch}`;
    const list = lanesOf.get(key);
    if (list) list.push([name, lane]);
    else lanesOf.set(key, [[name, lane]]);
  }
  const producers: ProducerReport[] = [];
  let missing = 0;
  let pending = 0;
  for (const producer of [...book.epochs.keys()].sort()) {
    if (options.producer !== undefined && !producer.startsWith(options.producer)) continue;
    const epochs = [...book.epochs.get(producer)!].sort(([a], [b]) => (a < b ? -1 : 1));
    const reports = epochs.map(([epoch, noted], i) => {
      const isLatest = i === epochs.length - 1;
      return epochReport(epoch, noted, lanesOf.get(`${producer}/${epoch}`) ?? [], isLatest, options);
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
    book.live.reduce((total, { object }) => total + value(object), 0);
  return {
    ok: missing === 0 && book.repeats.length === 0 && book.problems.length === 0,
    logs,
    commits: book.counts.commits,
    objects: book.live.length,
    bytes: sum((object) => object.bytes),
    chunks: sum((object) => (object.foreign > 0 ? 0 : object.chunks)),
    events: sum((object) => object.events),
    foreign: sum((object) => object.foreign),
    damaged: book.counts.damaged,
    unproven: book.counts.unproven,
    duplicatesSkipped: book.counts.duplicates,
    voidedObjects: book.counts.voided,
    missing,
    pending,
    producers,
    repeats: book.repeats,
    expired: book.expired,
    cold: book.cold,
    unfinished: book.unfinished,
    problems: book.problems,
  };
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
