/** Durations and sizes as written in configurations: `500ms`, `10m`, `7d`; `256KiB`, `10GiB`. */
import * as z from 'zod/mini';

const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/;
const SIZE = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|KB|MB|GB)?$/;
const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, KB: 1e3, MB: 1e6, GB: 1e9 };

/** Milliseconds, or null when `text` is not a duration with its unit. */
export function parseDuration(text: string): number | null {
  const match = DURATION.exec(text.trim());
  return match ? Math.round(Number(match[1]) * MS[match[2] as keyof typeof MS]) : null;
}

/** Bytes, or null when `text` is not a size; a number without a unit is bytes. */
export function parseSize(text: string | number): number | null {
  const match = SIZE.exec(String(text).trim());
  return match ? Math.round(Number(match[1]) * BYTES[(match[2] ?? 'B') as keyof typeof BYTES]) : null;
}

/** Configuration value: a duration with its unit, read as milliseconds. */
export const duration = z.pipe(
  z.string({ error: 'expected a duration such as 500ms, 5s, 10m, 2h or 7d' }).check(
    z.refine((text) => parseDuration(text) !== null, {
      error: 'expected a duration such as 500ms, 5s, 10m, 2h or 7d',
    }),
  ),
  z.transform((text) => parseDuration(text)!),
);

/** A Node timer holds at most 2^31 - 1 milliseconds, a little more than this; a longer one fires immediately. */
const LONGEST_TIMER_MS = 24 * MS.d;

/** Configuration value: a duration to wait for, 1 ms to 24 days. */
export const timerDuration = duration.check(
  z.refine((ms) => ms >= 1 && ms <= LONGEST_TIMER_MS, { error: 'expected 1ms to 24d' }),
);

/** Configuration value: a duration to wait for, possibly none: 0 ms to 24 days. */
export const delay = duration.check(
  z.refine((ms) => ms <= LONGEST_TIMER_MS, { error: 'expected 0ms to 24d' }),
);

/** Configuration value: a size with its unit or plain bytes, read as bytes. */
export const size = z.pipe(
  z.union([z.string(), z.number()], { error: 'expected a size such as 256KiB, 10MiB or plain bytes' }).check(
    z.refine((value) => parseSize(value) !== null, {
      error: 'expected a size such as 256KiB, 10MiB or plain bytes',
    }),
  ),
  z.transform((value) => parseSize(value)!),
);
