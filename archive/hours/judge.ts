/**
 * Decides which hours of an archive are closed; pure.
 *
 * An hour is closed when every producer that could have events of it has said that it read all that its sources had
 * `lateness` after the hour's end, and all chunks that it sealed until then are archived. docs/decisions/closed-hours.md
 * has what that promises. Nothing is guessed: what keeps an hour open is named.
 */
import type { EpochFacts, Facts, HourFacts } from './facts.ts';
import {
  finalPoint,
  firstAtLeast,
  type Gap,
  gapsBefore,
  hasFirst,
  type Lanes,
  type Point,
  pointsOf,
} from './progress.ts';

const HOUR_MS = 3_600_000;

export interface HoursPolicy {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** An event that reaches its agent longer than this after the end of its hour is late, ms. */
  readonly lateness: number;
  /** A producer that stopped cleanly and did not come back for so long is not waited for, ms. */
  readonly returnWithin: number;
  /** A producer that nothing was heard of for so long before an hour began is not waited for, ms. */
  readonly silentAfter: number;
  /** Whether a producer is not waited for because somebody said so. */
  readonly isGone: (producer: string) => boolean;
}

export type Why =
  /** Heard of lately, but its last watermark does not reach the hour's end. */
  | 'awaited'
  /** Its watermarks come, but it has not read that far. */
  | 'behind'
  /** Nothing was heard of it. */
  | 'silent'
  /** It stopped cleanly, and may come back. */
  | 'stopped'
  /** Chunks that it sealed are not archived. */
  | 'missing'
  /** It sends no watermarks: an agent of an earlier release. */
  | 'unmarked'
  /** Events came behind the watermark that closed the hour; its next one closes the hour once more. */
  | 'late';

/** What keeps an hour open. */
export interface Wait {
  readonly producer: string;
  readonly why: Why;
  /** Milliseconds since 1970; null when that is not known. */
  readonly since: number | null;
  /** Of missing chunks: how many at least, and on which lanes. */
  readonly missing?: number;
  readonly lanes?: readonly string[];
}

export interface HourReport {
  /** Whole hours since 1970. */
  readonly hour: number;
  readonly state: 'open' | 'closed' | 'reopened';
  readonly waits: readonly Wait[];
  /** Producers that are not waited for: silent, or declared gone. */
  readonly without: readonly string[];
  readonly events: number;
  readonly objects: number;
  readonly bytes: number;
  /** Chunks that came behind their producer's closing watermark, and the producers. */
  readonly late: { readonly chunks: number; readonly producers: readonly string[] };
}

/** Watermarks that are this much older than what was heard of a producer are those of one that is behind, ms. */
const USUAL_LAG = 900_000;

/** Where nothing shows that the clock of an epoch was ahead, it may have been ahead by this much, ms. */
const CLOCK_ERROR = 900_000;

interface Epoch extends EpochFacts {
  readonly name: string;
  /** When it began by the machine's clock, as its name says; null when that clock was ahead: see {@link startOf}. */
  readonly start: number | null;
  /** Whether its first chunk is archived and says that there was no epoch before it. */
  readonly isFirst: boolean;
  readonly lanes: Lanes;
  readonly points: readonly Point[];
  /** Of each point, the latest time that it or one before it says was read: a clock may have been set back. */
  readonly reach: readonly number[];
  /** The latest time up to which all was read, as any watermark says; -1 when there is none. */
  readonly newest: number;
}

interface Producer {
  readonly id: string;
  /** Oldest first. */
  readonly epochs: readonly Epoch[];
  readonly heard: number;
}

/** How a producer stands to an hour. */
interface Standing {
  readonly wait: Wait | null;
  readonly isPassedOver: boolean;
  /** The first point that says that all was read; what follows it is late. Null when there is none. */
  readonly closing: { readonly epoch: number; readonly point: Point } | null;
  /** Whether all of its events of the hour are late, because it began after the hour. */
  readonly isLater: boolean;
}

const NOT_CONCERNED: Standing = { wait: null, isPassedOver: false, closing: null, isLater: false };

/** @param hours since 1970, first and last */
export function judgeHours(
  facts: Facts,
  policy: HoursPolicy,
  hours: readonly [number, number],
): HourReport[] {
  const producers = producersOf(facts);
  return Array.from({ length: hours[1] - hours[0] + 1 }, (_, i) =>
    judgeHour(facts, producers, policy, hours[0] + i),
  );
}

function producersOf(facts: Facts): Producer[] {
  const lanes = new Map<
    string,
    Map<string, Facts['lanes'] extends ReadonlyMap<string, infer L> ? L : never>
  >();
  for (const [name, lane] of facts.lanes) {
    const key = `${lane.producer}/${lane.epoch}`;
    const list = lanes.get(key) ?? new Map();
    lanes.set(key, list);
    list.set(name, lane);
  }
  return [...facts.producers].map(([id, epochs]) => {
    const list = [...epochs].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      id,
      heard: Math.max(...list.map(([, { heard }]) => heard)),
      epochs: list.map(([name, epoch]): Epoch => {
        const own: Lanes = lanes.get(`${id}/${name}`) ?? new Map();
        const points = pointsOf(own);
        let latest = -1;
        return {
          ...epoch,
          name,
          start: startOf(name, epoch.arrived, own),
          isFirst: epoch.previous === null && hasFirst(own, points, epoch.ordinal),
          lanes: own,
          points,
          reach: points.map(({ until }) => (latest = Math.max(latest, until))),
          newest: newestOf(own),
        };
      }),
    };
  });
}

/**
 * When an epoch began by the clock of its machine, which is in the first twelve digits of its name; null when that clock
 * was ahead.
 *
 * Nothing of an epoch arrives or is sealed before it begins. So when a chunk of it arrived, or a watermark of it was
 * sealed, before the time in its name, that time was wrong: the epoch began earlier, nobody knows how much, and may have
 * events of any hour that ended before the first arrival. Its name then proves nothing, and nor does the arrival, which
 * is only when it had begun at the latest: hours wait for its watermarks, as for those of an agent that began in time.
 * A clock that is behind needs no such care: an epoch that seems older than it is has to account for more hours.
 */
function startOf(name: string, arrived: number, lanes: Lanes): number | null {
  const start = Number.parseInt(name.slice(0, 12), 16);
  // rule: a clock that was ahead does not say that its producer began after an hour
  return start > Math.min(arrived, firstSealOf(lanes)) ? null : start;
}

function firstSealOf(lanes: Lanes): number {
  let first = Number.POSITIVE_INFINITY;
  for (const { watermarks } of lanes.values())
    for (const [, , , at] of watermarks.values()) first = Math.min(first, at);
  return first;
}

function judgeHour(
  facts: Facts,
  producers: readonly Producer[],
  policy: HoursPolicy,
  hour: number,
): HourReport {
  const found = facts.hours.get(hour);
  const waits: Wait[] = [];
  const without: string[] = [];
  const late = { chunks: 0, producers: [] as string[] };
  for (const producer of producers) {
    const standing = standingOf(producer, policy, hour);
    if (standing.isPassedOver) without.push(producer.id);
    const chunks = found ? lateChunks(producer, standing, found) : 0;
    if (chunks > 0) {
      late.chunks += chunks;
      late.producers.push(producer.id);
    }
    const wait = standing.wait ?? (found && !standing.isPassedOver ? waitForLate(producer, found) : null);
    if (wait) waits.push(wait);
  }
  const sum = (value: (object: HourFacts['objects'][number]) => number): number =>
    (found?.objects ?? []).reduce((total, object) => total + value(object), 0);
  // rule: an hour is open until events of it are no longer in time
  const isOver = policy.now >= (hour + 1) * HOUR_MS + policy.lateness;
  const isClosed = isOver && waits.length === 0 && producers.length > 0;
  const isReopened = isOver && waits.length > 0 && waits.every(({ why }) => why === 'late');
  return {
    hour,
    state: isClosed ? 'closed' : isReopened ? 'reopened' : 'open',
    waits,
    without,
    events: sum(({ events }) => events),
    objects: found?.objects.length ?? 0,
    bytes: sum(({ bytes }) => bytes),
    late,
  };
}

function standingOf(producer: Producer, policy: HoursPolicy, hour: number): Standing {
  const { id, epochs, heard } = producer;
  const begin = hour * HOUR_MS;
  const inTime = begin + HOUR_MS + policy.lateness;
  if (policy.isGone(id)) return { ...NOT_CONCERNED, isPassedOver: true };
  const first = epochs[0]!;
  // rule: a producer that began when events of the hour were late already has only late ones
  if (first.isFirst && first.start !== null && first.start >= inTime + CLOCK_ERROR)
    return { ...NOT_CONCERNED, isLater: true };
  const closing = closingPoint(epochs, inTime) ?? endingPoint(epochs, policy.now - policy.returnWithin);
  if (closing === null) {
    // rule: a producer is waited for until it was silent for long when the hour began
    if (begin > heard + policy.silentAfter) return { ...NOT_CONCERNED, isPassedOver: true };
    return { ...NOT_CONCERNED, wait: whyNot(producer, policy, hour) };
  }
  const fault = faultBefore(epochs, closing, begin, inTime);
  return { ...NOT_CONCERNED, closing, wait: fault && { producer: id, ...fault } };
}

/** The first point at which all was read that came in time. */
function closingPoint(epochs: readonly Epoch[], inTime: number): Standing['closing'] {
  for (const [epoch, { points, reach }] of epochs.entries()) {
    // rule: a producer has read an hour when its watermark is past all that is in time
    const point = points[firstAtLeast(reach, inTime, (value) => value)];
    if (point) return { epoch, point };
  }
  return null;
}

/** The end of a producer that stopped cleanly before `stopped` and has not come back. */
function endingPoint(epochs: readonly Epoch[], stopped: number): Standing['closing'] {
  const point = epochs.at(-1)!.points.at(-1);
  // rule: a producer that stopped a moment ago may come back with more
  return point?.end && point.at <= stopped ? { epoch: epochs.length - 1, point } : null;
}

/** What is missing up to the closing point that could hold events of the hour. */
function faultBefore(
  epochs: readonly Epoch[],
  closing: NonNullable<Standing['closing']>,
  begin: number,
  inTime: number,
): Omit<Wait, 'producer'> | null {
  const gaps = gapsBefore(epochs[closing.epoch]!.lanes, closing.point);
  // By arrivals: an agent that boots with a clock that is behind names its epoch as if it had begun before the hour.
  // rule: chunks of earlier epochs count as well
  for (let i = closing.epoch; epochs[i]!.arrived > begin; i--) {
    const { previous, start, arrived } = epochs[i]!;
    const before = epochs[i - 1];
    if (previous === null && before === undefined) break;
    const isKnown = previous !== null && before?.name === previous.epoch;
    const point = isKnown ? finalPoint(before.lanes, previous.ordinal) : null;
    if (!isKnown || point === null) return { why: 'missing', since: start ?? arrived, missing: 1 };
    gaps.push(...gapsBefore(before.lanes, point));
  }
  // rule: a missing chunk may hold events of every hour that it was not too late or too early for
  const blocking = gaps.filter(({ since, before }: Gap) => since < inTime && before >= begin);
  if (blocking.length === 0) return null;
  return {
    why: 'missing',
    since: Math.max(0, ...blocking.map((gap) => gap.since)) || null,
    missing: blocking.reduce((sum, gap) => sum + gap.missing.count, 0),
    lanes: [...new Set(blocking.map(({ lane }) => lane))],
  };
}

function whyNot({ id: producer, epochs, heard }: Producer, policy: HoursPolicy, hour: number): Wait {
  const last = epochs.at(-1)!;
  const point = last.points.at(-1);
  const { newest } = last;
  const inTime = (hour + 1) * HOUR_MS + policy.lateness;
  if (point?.end) return { producer, why: 'stopped', since: point.at };
  if (policy.now - heard > USUAL_LAG) return { producer, why: 'silent', since: heard };
  if (newest < 0) return { producer, why: 'unmarked', since: null };
  if (newest >= inTime) return { producer, why: 'missing', since: point?.until ?? null };
  if (heard - newest > USUAL_LAG) return { producer, why: 'behind', since: newest || null };
  return { producer, why: 'awaited', since: newest || null };
}

function newestOf(lanes: Lanes): number {
  let newest = -1;
  for (const { watermarks } of lanes.values())
    for (const [, , until] of watermarks.values()) newest = Math.max(newest, until);
  return newest;
}

/** Events of the hour behind the last point of the producer's last epoch: its next watermark says that they are all. */
function waitForLate({ id: producer, epochs }: Producer, hour: HourFacts): Wait | null {
  const last = epochs.at(-1)!;
  const sequences = last.points.at(-1)?.sequences;
  for (const name of last.lanes.keys()) {
    const runs = hour.lanes.get(name);
    if (runs === undefined) continue;
    // rule: an hour that got an event after it was closed is open until the next watermark
    if (runs.last > (sequences?.get(name) ?? 0)) return { producer, why: 'late', since: null };
  }
  return null;
}

function lateChunks({ epochs }: Producer, { closing, isLater }: Standing, hour: HourFacts): number {
  if (closing === null && !isLater) return 0;
  let chunks = 0;
  epochs.forEach(({ lanes }, i) => {
    if (closing !== null && i < closing.epoch) return;
    for (const name of lanes.keys()) {
      const runs = hour.lanes.get(name);
      if (!runs) continue;
      const upTo = i === closing?.epoch ? (closing.point.sequences.get(name) ?? 0) : 0;
      for (const [first, last] of runs) chunks += Math.max(0, last - Math.max(first - 1, upTo));
    }
  });
  return chunks;
}
