/** How long hours wait for events and producers, where nobody says otherwise. */
import type { HoursPolicy } from './judge.ts';

const MINUTE_MS = 60_000;

export const DEFAULT_HOURS_POLICY = {
  lateness: 10 * MINUTE_MS,
  returnWithin: 15 * MINUTE_MS,
  silentAfter: 24 * 60 * MINUTE_MS,
} satisfies Partial<HoursPolicy>;
