/**
 * How far a producer's epoch is known to be archived.
 *
 * Sequences of a lane run 1, 2, 3, … and ordinals count the chunks of an epoch over all lanes. A watermark says a sequence
 * and its ordinal n: the chunks of its lane up to that sequence have ordinals up to n. So when the newest sequences that
 * watermarks up to ordinal n name, summed over the lanes that the archive knows, come to n, then no chunk up to n is on
 * a lane that the archive does not know of, or behind what it knows of a lane. Which of them are missing is in the runs.
 */
import type { Watermark } from '../commit.ts';
import { Runs } from '../runs.ts';
import type { LaneFacts } from './facts.ts';

/** All chunks of an epoch up to `ordinal` are accounted for: archived, or known to be missing. */
export interface Point {
  readonly ordinal: number;
  /** All that the sources had at this time is in them, milliseconds since 1970. */
  readonly until: number;
  /** When it was sealed. */
  readonly at: number;
  readonly end: boolean;
  /** Per lane the last sequence up to the ordinal. */
  readonly sequences: ReadonlyMap<string, number>;
}

/** A chunk that should be archived by now and is not, and when it was sealed: after all of `since` was read, before `before`. */
export interface Gap {
  readonly lane: string;
  readonly missing: Runs;
  readonly since: number;
  readonly before: number;
}

export type Lanes = ReadonlyMap<string, LaneFacts>;

/** The points that are proven, by ordinal. */
export function pointsOf(lanes: Lanes): Point[] {
  const all: { lane: string; watermark: Watermark }[] = [];
  for (const [lane, { watermarks }] of lanes)
    for (const watermark of watermarks.values()) all.push({ lane, watermark });
  all.sort((a, b) => a.watermark[1] - b.watermark[1]);
  const points: Point[] = [];
  const sequences = new Map<string, number>();
  let sum = 0;
  for (const { lane, watermark } of all) {
    const [sequence, ordinal, until, at, end] = watermark;
    if (end === 1) continue;
    sum += sequence - (sequences.get(lane) ?? 0);
    sequences.set(lane, sequence);
    // rule: a watermark counts when all chunks before it are accounted for, on all lanes
    if (sum === ordinal) points.push({ ordinal, until, at, end: false, sequences: new Map(sequences) });
  }
  const last = all.at(-1)?.watermark;
  const ended = last?.[4] === 1 ? finalPoint(lanes, last[1]) : null;
  if (ended) points.push({ ...ended, until: last![2], at: last![3], end: true });
  return points;
}

/** All of an epoch whose last ordinal is known; null while some of it is unaccounted for. */
export function finalPoint(lanes: Lanes, ordinal: number): Point | null {
  const sequences = new Map([...lanes].map(([name, { archived }]) => [name, archived.last]));
  const sum = [...sequences.values()].reduce((total, sequence) => total + sequence, 0);
  // rule: an epoch is over when all its chunks are accounted for
  return sum === ordinal ? { ordinal, until: 0, at: 0, end: false, sequences } : null;
}

/**
 * Whether the first chunk of an epoch is archived: it is the first of one of the lanes that have all chunks up to a point.
 *
 * @param ordinal the highest that is known
 */
export function hasFirst(lanes: Lanes, points: readonly Point[], ordinal: number): boolean {
  const sequences = (points[0] ?? finalPoint(lanes, ordinal))?.sequences;
  if (sequences === undefined) return false;
  return [...sequences].every(([name, last]) => last === 0 || lanes.get(name)!.archived.has(1));
}

/** Where the first value is that is not below `least`, of values that never fall; their number when there is none. */
export function firstAtLeast<T>(values: readonly T[], least: number, of: (value: T) => number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (of(values[middle]!) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sequenceOf([sequence]: Watermark): number {
  return sequence;
}

/** Once for a lane that lacks something, of which every hour is asked. */
const ordered = new WeakMap<LaneFacts['watermarks'], readonly Watermark[]>();

function inOrder(watermarks: LaneFacts['watermarks']): readonly Watermark[] {
  const known = ordered.get(watermarks);
  if (known?.length === watermarks.size) return known;
  const marks = [...watermarks.values()].sort(([a], [b]) => a - b);
  ordered.set(watermarks, marks);
  return marks;
}

/** What is missing up to a point. */
export function gapsBefore(lanes: Lanes, { sequences }: Pick<Point, 'sequences'>): Gap[] {
  const gaps: Gap[] = [];
  for (const [name, last] of sequences) {
    const { archived, watermarks } = lanes.get(name)!;
    const missing = new Runs();
    if (last > 0) missing.addRange(1, last);
    missing.subtract(archived);
    if (missing.count === 0) continue;
    const marks = inOrder(watermarks);
    for (const [first, end] of missing) {
      const run = new Runs();
      run.addRange(first, end);
      gaps.push({
        lane: name,
        missing: run,
        since: marks[firstAtLeast(marks, first, sequenceOf) - 1]?.[2] ?? -1,
        before: marks[firstAtLeast(marks, end + 1, sequenceOf)]?.[3] ?? Number.POSITIVE_INFINITY,
      });
    }
  }
  return gaps;
}
