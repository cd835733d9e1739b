/** A year of web traffic minute by minute, and a stream that follows a policy through it, on a virtual clock. */
import { type KeeperPolicy, type Minute, planShards } from '../../functions/scale/keeper.ts';
import { SHARD_BYTES } from '../../functions/scale/rules.ts';
import { generator } from '../support/random.ts';

const MINUTE = 60_000;
const MINUTES_PER_DAY = 1440;
const START = Date.parse('2026-01-01T00:00:00Z');

export interface YearOptions {
  readonly seed: number;
  readonly days: number;
  /** Shards at full use that the busiest hour of an ordinary first day needs. */
  readonly peakShards: number;
  /** Part of that which a night needs. */
  readonly night: number;
  /** Part of a weekday that a day of the weekend has. */
  readonly weekend: number;
  /** By how much traffic grows over the year: 2 doubles it. */
  readonly growth: number;
  /** Spikes of ten times the load, in a year. */
  readonly spikes: number;
}

export const ORDINARY: YearOptions = {
  seed: 1,
  days: 365,
  peakShards: 20,
  night: 0.25,
  weekend: 0.6,
  growth: 2,
  spikes: 6,
};

/** Load of each minute, in shards at full use. */
export function yearOfTraffic(options: YearOptions): Float64Array {
  const { days, peakShards, night, weekend, growth } = options;
  const random = generator(options.seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const load = new Float64Array(days * MINUTES_PER_DAY);
  let wander = 0;
  for (let minute = 0; minute < load.length; minute++) {
    const day = Math.floor(minute / MINUTES_PER_DAY);
    const hour = (minute % MINUTES_PER_DAY) / 60;
    // Least at 4 in the morning, most at 16.
    const daily = night + (1 - night) * (0.5 - 0.5 * Math.cos(((hour - 4) / 24) * 2 * Math.PI));
    const week = [4, 5].includes((day + 3) % 7) ? weekend : 1;
    wander = 0.98 * wander + 0.006 * normal();
    load[minute] = peakShards * daily * week * growth ** (day / days) * Math.exp(wander + 0.015 * normal());
  }
  const count = Math.round((options.spikes * days) / 365);
  for (let i = 0; i < count; i++) {
    const begin = Math.floor(random() * (load.length - 240));
    const length = 20 + Math.floor(random() * 60);
    // Ten times within ten minutes, and back as slowly.
    for (let m = 0; m < length; m++) {
      const height = Math.min(1, (m + 1) / 10, (length - m) / 10);
      load[begin + m]! *= 1 + 9 * height;
    }
  }
  return load;
}

export interface Outcome {
  readonly shardHours: number;
  readonly throttledSeconds: number;
  readonly changes: number;
  readonly most: number;
  /** Open shards in the middle of each hour. */
  readonly hourly: readonly number[];
}

/** Milliseconds that a change takes: what is measured of the service differs; half a minute and a second a shard here. */
const changeMs = (from: number, to: number): number => 30_000 + 1000 * Math.abs(to - from);

/** Milliseconds that a split or merge takes here. */
const BORDER_MS = 30_000;

/** What goes wrong besides traffic: minutes that CloudWatch lacks or has late, and records refused for other reasons. */
interface Weather {
  readonly missing: Uint8Array;
  readonly refused: Uint8Array;
}

function weatherOf(length: number, seed: number): Weather {
  const random = generator(seed + 1000);
  const missing = new Uint8Array(length);
  const refused = new Uint8Array(length);
  for (let minute = 0; minute < length; minute++) {
    if (random() < 0.01) missing[minute] = 1;
    // An hour without metrics every other week, a refused record now and then.
    if (random() < 1 / 20_000) missing.fill(1, minute, minute + 60);
    if (random() < 1 / 500) refused[minute] = 1;
  }
  return { missing, refused };
}

/** Lets the keeper run every minute: it sees a minute that is over for one minute, or later. */
export function follow(load: Float64Array, policy: KeeperPolicy, start: number, seed: number): Outcome {
  const { missing, refused } = weatherOf(load.length, seed);
  let open = start;
  let target = start;
  let doneAt = 0;
  let shardMinutes = 0;
  let throttledSeconds = 0;
  let most = start;
  let total = 0;
  const changes: number[] = [];
  let lastSplit = 0;
  const hourly: number[] = [];
  const minutes: Minute[] = [];
  // As CloudWatch has it: five minutes a value, where it has one.
  const fives = new Float64Array(load.length / 5).fill(Number.NaN);
  const past = { start: START, period: 5 * MINUTE, values: fives };
  let backlog = 0;
  for (let minute = 0; minute < load.length; minute++) {
    const at = START + minute * MINUTE;
    if (doneAt !== 0 && at >= doneAt) {
      open = target;
      doneAt = 0;
    }
    // What is refused is sent once more by the agents, which keep it.
    const offered = load[minute]! + backlog;
    const taken = Math.min(offered, open);
    backlog = offered - taken;
    if (backlog > 1e-9)
      throttledSeconds += Math.min(60, (60 * (offered - taken)) / Math.max(load[minute]!, 1e-9) + 1);
    shardMinutes += Math.max(open, doneAt === 0 ? open : target);
    most = Math.max(most, open);
    if (minute % 60 === 30) hourly.push(open);
    if (missing[minute] === 0) {
      const records = 60 * 300 * taken;
      const turned = backlog > 1e-9 ? records * (backlog / Math.max(taken, 1e-9)) : refused[minute]!;
      minutes.push({ at, bytes: taken * 60 * SHARD_BYTES, records, refused: turned });
      if (minutes.length > 90) minutes.splice(0, 30);
    }
    if (minute % 5 === 4 && missing[minute] === 0) {
      const sum = load.subarray(minute - 4, minute + 1).reduce((a, b) => a + b, 0);
      fives[Math.floor(minute / 5)] = sum / 5;
    }
    const now = at + MINUTE + 30_000;
    const visible = minutes.filter((one) => one.at + 2 * MINUTE <= now);
    const plan = planShards(
      { minutes: visible, past },
      { open, settled: doneAt === 0 },
      { counts: changes, lastSplit },
      policy,
      now,
    );
    if (plan.kind === 'hold') continue;
    if (plan.kind !== 'scale') {
      target = open + (plan.kind === 'split' ? 1 : -1);
      doneAt = now + BORDER_MS;
      if (plan.kind === 'split') lastSplit = now;
      continue;
    }
    target = plan.shards;
    doneAt = now + changeMs(open, target);
    changes.push(now);
    total++;
    if (changes.length > 20) changes.shift();
  }
  return { shardHours: shardMinutes / 60, throttledSeconds, changes: total, most, hourly };
}

/** Knows the future: in each hour just as many shards as its busiest minute fills, at no more than that. */
export function perfectForecast(load: Float64Array, minimum: number): Outcome {
  const hourly: number[] = [];
  for (let minute = 0; minute < load.length; minute += 60) {
    hourly.push(Math.max(minimum, Math.ceil(Math.max(...load.subarray(minute, minute + 60)))));
  }
  const shardHours = hourly.reduce((sum, shards) => sum + shards, 0);
  return { shardHours, throttledSeconds: 0, changes: 0, most: Math.max(...hourly), hourly };
}

/** So many shards all year. */
export function fixed(load: Float64Array, shards: number): Outcome {
  let throttledSeconds = 0;
  for (const needed of load) if (needed > shards) throttledSeconds += 60;
  const hourly = Array.from({ length: load.length / 60 }, () => shards);
  return { shardHours: (load.length / 60) * shards, throttledSeconds, changes: 0, most: shards, hourly };
}
