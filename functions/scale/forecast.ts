/** What a stream is expected to need in the coming day, and the cheapest sequence of shard counts for it. */

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
/** Milliseconds of one slot of the plan, and how many of them a day has. */
export const SLOT_MS = 30 * MINUTE;
const SLOTS = DAY / SLOT_MS;

/** Shards needed at full use in equal periods; NaN where nothing was measured. */
export interface Grid {
  /** Milliseconds since 1970 of the first period. */
  readonly start: number;
  /** Milliseconds of a period. */
  readonly period: number;
  readonly values: ArrayLike<number>;
}

/** The most between two times, NaN when nothing is known of them. */
function peakOf({ start, period, values }: Grid, from: number, to: number): number {
  let most = Number.NaN;
  const last = Math.min(values.length, Math.ceil((to - start) / period));
  for (let i = Math.max(0, Math.floor((from - start) / period)); i < last; i++) {
    const value = values[i]!;
    if (!Number.isNaN(value) && !(value <= most)) most = value;
  }
  return most;
}

/**
 * Shards at full use for each slot of the next day: those of the same times a week and two weeks ago, the lower of both
 * because a spike is not a forecast, by how the last two hours differ from them. NaN where there is no past.
 *
 * @param lately the peak of the last minutes
 */
export function forecast(past: Grid, lately: number, now: number): number[] {
  const usual = (from: number, to: number): number => {
    const weeks = [7 * DAY, 14 * DAY].map((ago) => peakOf(past, from - ago, to - ago));
    const known = weeks.filter((value) => !Number.isNaN(value));
    return known.length > 0 ? Math.min(...known) : peakOf(past, from - DAY, to - DAY);
  };
  const ratio = sinceRatio(past, usual, now);
  return Array.from({ length: SLOTS }, (_, slot) => {
    const from = now + slot * SLOT_MS;
    const expected = usual(from, from + SLOT_MS) * ratio;
    return slot === 0 ? Math.max(expected, lately) : expected;
  });
}

/** By how much the last two hours differ from what was usual then; 1 when that is a spike, or is not known. */
function sinceRatio(past: Grid, usual: (from: number, to: number) => number, now: number): number {
  const ratios = [1, 2, 3, 4]
    .map((slots) => {
      const from = now - slots * SLOT_MS;
      return peakOf(past, from, from + SLOT_MS) / usual(from, from + SLOT_MS);
    })
    .filter((ratio) => Number.isFinite(ratio) && ratio > 0)
    .sort((a, b) => a - b);
  const middle = ratios[Math.floor(ratios.length / 2)] ?? 1;
  return middle > 0.5 && middle < 1.6 ? middle : 1;
}

/**
 * The count to go to now so that the day costs the least shard hours, by dynamic programming over its slots.
 *
 * @param needs shards that each slot needs
 * @param changesBy how many changes may have been made by the beginning of each slot
 * @param bounds the counts that one change may lead to from `open`
 * @param worth shard slots that a change must save
 * @returns `open` when it is best left alone
 */
export function cheapestNow(
  open: number,
  needs: readonly number[],
  changesBy: readonly number[],
  bounds: { readonly least: number; readonly most: number },
  worth: number,
): number {
  const slots = needs.length;
  const most = Math.max(...changesBy);
  // rest[s][c]: the least shard slots from slot s on when a change is made there and c were made before.
  const rest = Array.from({ length: slots + 1 }, () => new Float64Array(most + 2).fill(Infinity));
  rest[slots]!.fill(0);
  for (let from = slots - 1; from > 0; from--) {
    for (let made = 0; made < changesBy[from]!; made++) {
      let level = 0;
      let least = Infinity;
      for (let to = from + 1; to <= slots; to++) {
        level = Math.max(level, needs[to - 1]!);
        least = Math.min(least, level * (to - from) + rest[to]![made + 1]! + (to < slots ? worth : 0));
      }
      rest[from]![made] = least;
    }
  }
  let best = { shards: open, cost: Infinity };
  let level = 0;
  for (let to = 1; to <= slots; to++) {
    level = Math.max(level, needs[to - 1]!);
    const after = to < slots ? worth : 0;
    const stays = level <= open ? open * to + rest[to]![0]! + after : Infinity;
    if (stays < best.cost) best = { shards: open, cost: stays };
    // One change may not lead so far: more than the next slot is left to the change after it.
    if (changesBy[0]! < 1 || (to > 1 && level > bounds.most)) continue;
    const shards = Math.min(Math.max(level, bounds.least), bounds.most);
    const goes = shards * to + rest[to]![1]! + after + worth;
    if (goes < best.cost) best = { shards, cost: goes };
  }
  return best.shards;
}
