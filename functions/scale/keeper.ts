/**
 * How many shards a stream should have: one pure function of its traffic, its layout, the changes made, the policy and
 * the time. It grows at once on the load of the last minutes. Beyond that it plans the next day: the cheapest counts for
 * what the same times of earlier weeks needed, with the changes that are left. Splits and merges, of which a day may have
 * any number, help where no change is left for a load that rises, or for shards that a spike has left behind. It does
 * nothing about what it does not know.
 */
import type { ChangeLog } from './change-log.ts';
import { cheapestNow, forecast, type Grid, SLOT_MS } from './forecast.ts';
import {
  CHANGES_PER_DAY,
  changesOfDay,
  leastAfter,
  MOST_SHARDS,
  monthlyCost,
  mostAfter,
  SHARD_BYTES,
  SHARD_RECORDS,
} from './rules.ts';

const MINUTE = 60_000;

/** The totals of one minute. */
export interface Minute {
  /** Its beginning, milliseconds since 1970. */
  readonly at: number;
  readonly bytes: number;
  readonly records: number;
  /** Records refused. */
  readonly refused: number;
}

export interface Traffic {
  /** Minutes that CloudWatch has, oldest first: gaps are gaps. */
  readonly minutes: readonly Minute[];
  /** Two weeks, for what is expected at a time of the week. */
  readonly past: Grid;
  /** The busiest shard, where shards are measured and somebody has asked. */
  readonly hottest?: Hottest | undefined;
}

export interface Hottest {
  readonly shard: string;
  /** Of the stream's bytes or records, 0 to 1. */
  readonly share: number;
  /** Of the hash space, 0 to 1. */
  readonly width: number;
}

export interface Layout {
  readonly open: number;
  /** False while a change is under way. */
  readonly settled: boolean;
}

export interface KeeperPolicy {
  readonly minimum: number;
  readonly maximum: number;
  /** Dollars a month that shards may cost; null for no limit. */
  readonly ceiling: number | null;
  readonly retentionHours: number;
  /** The part of the shards' capacity that is to be used, 0 to 1. */
  readonly target: number;
}

export type Plan = {
  /** A sentence for the log. */
  readonly reason: string;
  /** Shards that the load asks for, whatever limits say. */
  readonly wanted: number;
  /** True when a limit, named by the reason, keeps the stream below what is wanted. */
  readonly limited: boolean;
} & (
  | { readonly kind: 'hold' }
  | { readonly kind: 'scale'; readonly shards: number }
  /** Null for the largest. */
  | { readonly kind: 'split'; readonly shard: string | null }
  /** Of the two neighbours that are the smallest together. */
  | { readonly kind: 'merge' }
);

type Hold = Plan & { readonly kind: 'hold' };

/** Milliseconds after which the newest minute is too old to act on. */
const STALE_MS = 6 * MINUTE;
/** Minutes whose peak growth goes by. */
const GROW_MINUTES = 3;
/** Use of the last minutes beyond which shards are added at once. */
const URGENT_USE = 0.97;
/** Milliseconds in which a change takes effect: refusals before do not count. */
const SETTLE_MS = 2 * MINUTE;
/** Milliseconds after a change in which no shard is taken away, and of load that fewer must have been enough for. */
const SHRINK_MS = 20 * MINUTE;
/** Milliseconds from one look at the coming day to the next. */
const PLAN_EVERY_MS = 15 * MINUTE;
/** A change that is not urgent must save so many shard hours for each open shard. */
const WORTH_HOURS = 0.1;
/** Growth within the last minutes that is taken for the beginning of a spike. */
const RISING = 1.33;
/** Changes that plans leave for growth. */
const KEPT_FOR_GROWTH = 3;
/** With so many times what the next hours need, a spike finds its shards: then nothing is kept, and merges may begin. */
const SPARE = 2;
/** Slots in which that must be so. */
const SPARE_SLOTS = 6;
/** Refused records below this part of a minute's are left to the senders' retries. */
const REFUSED_PART = 0.01;
/** A shard that takes more than this many times its share is split, instead of all of them. */
const HOT_FACTOR = 2;
/**
 * A shard of less than this part of an even range that is still hot holds one key, or very few, which no split divides: a
 * range of many keys would have been halved three times by then.
 */
const KEY_PART = 1 / 8;
/** So many times what the average needs, and records are refused: more shards do not help, where none is measured. */
const UNEVEN = 4;

export function planShards(
  traffic: Traffic,
  { open, settled }: Layout,
  changes: ChangeLog,
  policy: KeeperPolicy,
  now: number,
): Plan {
  const hold = (reason: string): Hold => ({ kind: 'hold', reason, wanted: open, limited: false });
  if (!settled) return hold('a change is under way');
  const lastChange = lastOf(changes);
  const recent = traffic.minutes.filter(({ at }) => at >= now - STALE_MS - GROW_MINUTES * MINUTE);
  const newest = recent.at(-1);
  if (!newest || newest.at < now - STALE_MS)
    return hold('CloudWatch has no recent traffic: nothing is known');
  const since = recent.filter(({ at }) => at >= lastChange + SETTLE_MS);
  const fresh = recent.slice(-GROW_MINUTES);
  const needed = shardsFor(peak(fresh), policy.target);
  const refused = since.filter((minute) => minute.refused > REFUSED_PART * (minute.records + minute.refused));
  if (refused.length >= 2 && needed <= open)
    return onRefusals(traffic.hottest, { open, needed }, changes, policy, now);
  if (peak(fresh) > open * URGENT_USE) {
    const why = `the last minutes need ${needed} shards at ${percent(policy.target)} use`;
    return grow(open, Math.max(needed, rising(fresh, open)), why, changes, policy, now);
  }
  const past = traffic.minutes.filter(({ at }) => at >= now - SHRINK_MS);
  // Half of the minutes may be missing, not more: what was not measured is not idle.
  if (past.length < SHRINK_MS / MINUTE / 2) return hold('CloudWatch has too few minutes to plan by');
  const lately = peak(past);
  // Forecasts are of half hours: they are looked at in two passes of each quarter.
  const isTime = now % PLAN_EVERY_MS < 2 * MINUTE;
  const carries = hold(`${open} shards carry the load`);
  if (!isTime && open <= SPARE * shardsFor(lately, policy.target)) return carries;
  const needs = needsOf(traffic.past, lately, open, policy, now);
  const plan = isTime ? planDay(needs, open, changes, policy, now) : carries;
  const { hottest } = traffic;
  if (
    plan.kind === 'scale' &&
    plan.shards < open &&
    hottest &&
    isFilled(hottest, lately, plan.shards, policy)
  ) {
    return hold(`with ${plan.shards} shards the range of busy ${hottest.shard} would fill one: ${open} stay`);
  }
  if (plan.kind !== 'hold') return plan;
  const busiest = hottest?.share ?? 1 / open;
  return 2 * busiest * lately > policy.target ? plan : planMerge(plan, needs, open, changes, now);
}

/** Whether the range of the busiest shard, as a part of one of so many even ones, would fill that. */
function isFilled(
  { share, width }: Hottest,
  load: number,
  shards: number,
  { target }: KeeperPolicy,
): boolean {
  const even = 1 / shards;
  // One that is wider than an even one is divided; around one that is narrower the rest is spread evenly.
  const part = width >= even ? (share * even) / width : share + ((1 - share) * (even - width)) / (1 - width);
  return part * load > target;
}

/** When the layout last changed, by whatever change. */
function lastOf({ counts, lastSplit }: ChangeLog): number {
  return Math.max(lastSplit, ...counts);
}

/** More shards, by as many as limits allow. */
function grow(
  open: number,
  wanted: number,
  why: string,
  changes: ChangeLog,
  policy: KeeperPolicy,
  now: number,
): Plan {
  const most = mostShards(policy);
  const capped = Math.min(wanted, most.shards);
  const shards = Math.min(capped, mostAfter(open));
  const used = changesOfDay(changes.counts, now).length;
  const base = { wanted, limited: wanted > most.shards };
  if (shards <= open) {
    return { kind: 'hold', ...base, limited: true, reason: `${why}, but ${most.limit} is ${most.shards}` };
  }
  if (used >= CHANGES_PER_DAY) {
    const left = `${used} of ${CHANGES_PER_DAY} changes in 24 hours are used`;
    return {
      kind: 'split',
      shard: null,
      ...base,
      limited: true,
      reason: `${why}, but ${left}: one is split`,
    };
  }
  const limit = wanted > most.shards ? ` (${most.limit} is ${most.shards})` : '';
  return { kind: 'scale', shards, ...base, reason: `${why}: from ${open} to ${shards}${limit}` };
}

/** Refusals although the average fits: some shard is full. They count once, since the last change. */
function onRefusals(
  hottest: Hottest | undefined,
  { open, needed }: { readonly open: number; readonly needed: number },
  changes: ChangeLog,
  policy: KeeperPolicy,
  now: number,
): Plan {
  const useless = (why: string): Hold => ({
    kind: 'hold',
    wanted: open,
    limited: true,
    reason: `records are refused, ${why}: spread the records by their partition keys`,
  });
  if (hottest && hottest.share > HOT_FACTOR / open) {
    const { shard, share, width } = hottest;
    const takes = `shard ${shard} takes ${percent(share)} of the traffic`;
    if (width < KEY_PART / open) {
      return useless(
        `and ${takes} in a range so small that it is one hash key or few, which no split divides`,
      );
    }
    if (open < mostShards(policy).shards) {
      const reason = `records are refused, and ${takes}`;
      return { kind: 'split', shard, wanted: open + 1, limited: false, reason };
    }
  }
  if (!hottest && open >= UNEVEN * needed) {
    return useless(
      `${open} shards are open where the traffic would fit into ${needed}, and shards are not measured`,
    );
  }
  const wanted = open + Math.max(1, Math.ceil(open / 4));
  return grow(open, wanted, 'records are refused although the average fits', changes, policy, now);
}

/** Shards that each half hour of the next day needs. @param lately the peak of the last minutes */
function needsOf(
  past: Traffic['past'],
  lately: number,
  open: number,
  policy: KeeperPolicy,
  now: number,
): number[] {
  const most = mostShards(policy).shards;
  return forecast(past, lately, now).map((load) =>
    // What is not known of is met by what is there.
    Math.min(Math.max(Number.isNaN(load) ? open : shardsFor(load, policy.target), policy.minimum), most),
  );
}

/**
 * Takes a shard away where far more are open than the next hours need, as after a spike that has used up the changes.
 * A merged shard has at most twice its even part of the keys, and even that must not fill it; nor must twice what the
 * busiest shard takes: its halves would be merged, refuse records and be split, over and over.
 */
function planMerge(
  otherwise: Hold,
  needs: readonly number[],
  open: number,
  changes: ChangeLog,
  now: number,
): Plan {
  const need = Math.max(...needs.slice(0, SPARE_SLOTS));
  if (open <= SPARE * need || now - lastOf(changes) < SHRINK_MS) return otherwise;
  const reason = `the coming hours need ${need} shards, and ${open} are open: two of them are merged`;
  return { kind: 'merge', wanted: open - 1, limited: false, reason };
}

/** What the next day asks for now, with the changes that are left of those that are not kept for growth. */
function planDay(
  needs: readonly number[],
  open: number,
  changes: ChangeLog,
  policy: KeeperPolicy,
  now: number,
): Plan {
  const hold = (reason: string): Plan => ({ kind: 'hold', reason, wanted: open, limited: false });
  const spare = Math.max(...needs.slice(0, SPARE_SLOTS)) * SPARE <= open;
  const planned = CHANGES_PER_DAY - (spare ? 0 : KEPT_FOR_GROWTH);
  const day = changesOfDay(changes.counts, now);
  const changesBy = needs.map((_, slot) => {
    const still = changesOfDay(day, now + slot * SLOT_MS).length;
    return Math.max(0, planned - day.length + (day.length - still));
  });
  const most = mostShards(policy).shards;
  // A maximum of less than half is reached in several changes.
  const least = leastAfter(open);
  const bounds = { least, most: Math.max(least, Math.min(mostAfter(open), most)) };
  const shards = cheapestNow(open, needs, changesBy, bounds, (WORTH_HOURS * open * 3_600_000) / SLOT_MS / 2);
  if (shards === open) return hold(`${open} shards are the cheapest for the day`);
  if (shards > open) {
    return grow(open, shards, `the coming hours needed ${shards} shards before`, changes, policy, now);
  }
  if (now - lastOf(changes) < SHRINK_MS) return hold('the last change was less than 20 minutes ago');
  const reason = `the coming hours need ${shards} shards, by the last ones and by earlier weeks: from ${open} to ${shards}`;
  return { kind: 'scale', shards, wanted: shards, limited: false, reason };
}

/** A load that rises by a third within minutes goes on rising: as far as one change can go. Otherwise 0. */
function rising(fresh: readonly Minute[], open: number): number {
  return shardsOf(fresh.at(-1)!) > RISING * shardsOf(fresh[0]!) ? mostAfter(open) : 0;
}

/** The upper limits, the lowest of them by its name. */
function mostShards({ maximum, ceiling, retentionHours }: KeeperPolicy): { shards: number; limit: string } {
  const limits = [
    { shards: MOST_SHARDS, limit: 'the most shards of a stream' },
    { shards: maximum, limit: 'the maximum (maxShards)' },
  ];
  if (ceiling !== null) {
    const shards = Math.max(1, Math.floor(ceiling / monthlyCost(1, retentionHours)));
    limits.push({ shards, limit: `the cost ceiling of $${ceiling} a month` });
  }
  return limits.reduce((least, one) => (one.shards < least.shards ? one : least));
}

/** Shards at full use in the busiest of these minutes. */
function peak(minutes: readonly Minute[]): number {
  return Math.max(0, ...minutes.map(shardsOf));
}

/** Shards at full use that a minute needed. What was refused comes once more, and is part of the load. */
function shardsOf({ bytes, records, refused }: Omit<Minute, 'at'>): number {
  const all = records + refused;
  const offered = records > 0 ? bytes * (all / records) : bytes;
  return Math.max(offered / SHARD_BYTES, all / SHARD_RECORDS) / 60;
}

function shardsFor(load: number, target: number): number {
  return Math.max(1, Math.ceil(load / target - 1e-9));
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
