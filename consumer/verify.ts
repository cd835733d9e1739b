/** Proves from the commit logs that the archive has every chunk once, or names what is missing or repeated. */
import { createHash } from 'node:crypto';
import type { Commit, CommitObject } from '../chunk/commit.ts';
import { COMMITS_FOLDER, compareSequence, parseCommitKey } from '../chunk/commit-keys.ts';
import { TailraceError } from '../chunk/errors.ts';
import { readChunks } from '../chunk/reader.ts';
import { Runs } from '../chunk/runs.ts';
import { type ArchiveStore, readCommit } from './store.ts';
import { standing } from './voiding.ts';

/** An archive that can be listed as well. */
export interface ArchiveReader extends ArchiveStore {
  list(prefix: string): AsyncIterable<{ readonly key: string; readonly bytes: number }>;
}

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
  /** Objects of newest commits without data yet. */
  readonly unfinished: readonly string[];
  /** What is wrong with the archive itself. */
  readonly problems: readonly string[];
}

interface LaneBook {
  readonly producer: string;
  readonly epoch: string;
  readonly archived: Runs;
  readonly voided: Runs;
  /** first sequence of a run, when it was archived. */
  readonly marks: [first: number, written: number][];
}

interface EpochBook {
  ordinal: number;
  final: number | null;
  clean: boolean;
  lastWritten: number;
}

const READS_AT_ONCE = 32;

export async function verifyArchive(
  store: ArchiveReader,
  prefix: string,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const book = new Book();
  const logs = await listLogs(store, prefix, book.problems);
  const total = [...logs.values()].reduce((sum, log) => sum + log.numbers.length, 0);
  let done = 0;
  for (const log of logs.values()) {
    const commits = new Map<number, Commit>();
    await atOnce(log.numbers, async (number) => {
      try {
        commits.set(number, await readCommit(store, { prefix, ...log }, number));
      } catch (error) {
        if (!(error instanceof TailraceError) || error.retriable) throw error;
        book.problems.push(error.message);
      }
      done += 1;
      options.onProgress?.(done, total, 'commits');
    });
    book.addLog(log.numbers.map((number) => commits.get(number)).filter((commit) => commit !== undefined));
  }
  const isExpired = ({ written }: Placed): boolean =>
    options.now - written > (options.expireAfter ?? Number.POSITIVE_INFINITY);
  book.expired = book.live.filter(isExpired).length;
  await atOnce(book.newest, async (placed) => {
    if (isExpired(placed)) return;
    const { object, written } = placed;
    try {
      if ((await standing(store, object)) === 'data') return;
      book.unfinished.push(object.key);
      if (options.now - written >= options.pendingFor) {
        book.problems.push(
          `${object.key} has no data: no consumer has completed its commit, or it was deleted`,
        );
      }
    } catch (error) {
      book.problems.push((error as Error).message);
    }
  });
  if (options.deep)
    await checkObjects(
      store,
      book,
      book.live.filter((placed) => !isExpired(placed)),
      options,
    );
  return book.report(options, logs.size);
}

interface LogName {
  readonly incarnation: string;
  readonly shard: string;
  readonly numbers: number[];
}

/** Every log with the numbers of its commits, ascending. */
async function listLogs(
  store: ArchiveReader,
  prefix: string,
  problems: string[],
): Promise<Map<string, LogName>> {
  const logs = new Map<string, LogName>();
  for await (const { key } of store.list(prefix + COMMITS_FOLDER)) {
    const parsed = parseCommitKey(key);
    if (!parsed) {
      problems.push(`${key}: is not the name of a commit`);
      continue;
    }
    const { incarnation, shard, number } = parsed;
    const name = `${incarnation}/${shard}`;
    const log = logs.get(name);
    if (log) log.numbers.unshift(number);
    else logs.set(name, { incarnation, shard, numbers: [number] });
  }
  for (const [name, { numbers }] of logs) {
    for (let i = 0; i < numbers.length; i++) {
      const expected = (numbers[i - 1] ?? 0) + 1;
      if (numbers[i]! !== expected)
        problems.push(`${name}: commits ${expected} to ${numbers[i]! - 1} are missing`);
    }
  }
  return logs;
}

/** An object, and when its commit was written, ms. */
interface Placed {
  readonly object: CommitObject;
  readonly written: number;
}

class Book {
  readonly problems: string[] = [];
  readonly unfinished: string[] = [];
  readonly repeats: { lane: string; sequences: string; key: string }[] = [];
  /** Objects that can lack data: those of the newest commit of each log. */
  readonly newest: Placed[] = [];
  /** Objects that hold their data. */
  readonly live: Placed[] = [];
  expired = 0;
  readonly #lanes = new Map<string, LaneBook>();
  readonly #epochs = new Map<string, Map<string, EpochBook>>();
  #commits = 0;
  #voided = 0;
  #damaged = 0;
  #unproven = 0;
  #duplicates = 0;

  addLog(commits: readonly Commit[]): void {
    commits.forEach((commit, i) => {
      this.#commits += 1;
      const before = commits[i - 1];
      const next = commits[i + 1];
      const lost = new Set(next?.number === commit.number + 1 ? next.voided.map(({ key }) => key) : []);
      this.#checkChain(before, commit);
      this.#damaged += commit.damaged;
      this.#unproven += commit.unproven;
      this.#duplicates += commit.skipped.duplicates;
      for (const object of commit.objects) {
        const isLost = lost.has(object.key);
        if (isLost) this.#voided += 1;
        else {
          const placed = { object, written: commit.written };
          this.live.push(placed);
          if (!next) this.newest.push(placed);
        }
        this.#addRuns(commit, object.runs, object.key, isLost);
      }
      this.#addRuns(commit, commit.empty, 'chunks without events', false);
      for (const mark of commit.producers) this.#addMark(commit, mark);
    });
  }

  #checkChain(before: Commit | undefined, commit: Commit): void {
    if (!before?.to || !commit.from) return;
    const goesBack = compareSequence(commit.from, before.to) <= 0;
    const name = `${commit.incarnation}/${commit.shard}: commit ${commit.number}`;
    if (goesBack && commit.voided.length === 0)
      this.problems.push(`${name} covers records of the one before it again`);
    if (before.close && commit.voided.length === 0)
      this.problems.push(`${name} comes after the end of the shard`);
  }

  /** @param key where the runs are */
  #addRuns(commit: Commit, runsByLane: Readonly<Record<string, string>>, key: string, isLost: boolean): void {
    for (const [name, text] of Object.entries(runsByLane)) {
      let lane = this.#lanes.get(name);
      if (!lane) {
        const [producer, epoch] = commit.lanes[name] ?? ['', ''];
        lane = { producer, epoch, archived: new Runs(), voided: new Runs(), marks: [] };
        this.#lanes.set(name, lane);
      }
      const runs = Runs.parse(text);
      if (isLost) {
        lane.voided.union(runs);
        continue;
      }
      const twice = new Runs();
      for (const [first, last] of runs) {
        lane.marks.push([first, commit.written]);
        for (const [from, to] of lane.archived) {
          if (from <= last && to >= first) twice.addRange(Math.max(from, first), Math.min(to, last));
        }
      }
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
      unfinished: this.unfinished,
      problems: this.problems,
    };
  }
}

function epochReport(
  epoch: string,
  book: EpochBook,
  lanes: readonly [string, LaneBook][],
  isLatest: boolean,
  options: VerifyOptions,
): EpochReport {
  let chunks = 0;
  let located = 0;
  const holes: LaneHole[] = [];
  for (const [name, lane] of lanes) {
    chunks += lane.archived.count;
    for (const hole of laneHoles(name, lane, options)) {
      holes.push(hole);
      located += hole.count;
    }
  }
  const expected = Math.max(book.ordinal, book.final ?? 0);
  return {
    epoch,
    chunks,
    expected,
    end: book.clean ? 'clean' : book.final !== null || !isLatest ? 'over' : 'open',
    lanes: lanes.length,
    holes,
    unlocated: Math.max(0, expected - chunks - located),
    unlocatedPending: options.now - book.lastWritten < options.pendingFor,
  };
}

function laneHoles(name: string, lane: LaneBook, options: VerifyOptions): LaneHole[] {
  const made = new Runs();
  made.union(lane.archived);
  made.union(lane.voided);
  const gaps = new Runs();
  gaps.addRange(1, made.last);
  gaps.subtract(lane.archived);
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

/** Reads every object: its checksum, its chunks', and that they are the ones that the commit names. */
async function checkObjects(
  store: ArchiveReader,
  book: Book,
  live: readonly Placed[],
  options: VerifyOptions,
): Promise<void> {
  let done = 0;
  const unfinished = new Set(book.unfinished);
  const there = live.filter(({ object }) => !unfinished.has(object.key));
  const check = async ({ object }: Placed): Promise<void> => {
    const fault = objectFault(object, await store.get(object.key));
    if (fault) book.problems.push(`${object.key}: ${fault}`);
    done += 1;
    options.onProgress?.(done, there.length, 'objects');
  };
  await atOnce(there, check, 4);
}

function objectFault(object: CommitObject, bytes: Buffer | null): string | null {
  if (bytes === null) return 'is missing: expired by a rule of the bucket, or deleted';
  if (bytes.length !== object.bytes) return `has ${bytes.length} bytes, its commit says ${object.bytes}`;
  if (createHash('sha256').update(bytes).digest('hex') !== object.sha256)
    return 'does not match its checksum';
  // In objects of zstd the chunks' headers are left out.
  if (object.codec !== 'gzip' || object.foreign > 0) return null;
  const runs = new Map<string, Runs>();
  try {
    for (const { header } of readChunks(bytes)) {
      let lane = runs.get(header.lane);
      if (!lane) {
        lane = new Runs();
        runs.set(header.lane, lane);
      }
      if (!lane.add(header.sequence)) return `has chunk ${header.sequence} of lane ${header.lane} twice`;
    }
  } catch (error) {
    return (error as Error).message;
  }
  const same =
    runs.size === Object.keys(object.runs).length &&
    [...runs].every(([lane, found]) => object.runs[lane] === found.toString());
  return same ? null : 'has other chunks than its commit says';
}

async function atOnce<T>(
  values: readonly T[],
  work: (value: T) => Promise<void>,
  workers: number = READS_AT_ONCE,
): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < values.length) await work(values[next++]!);
  };
  await Promise.all(Array.from({ length: Math.min(workers, values.length) }, run));
}
