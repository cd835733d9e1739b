/**
 * The time that agents live in and that logs are written at: it begins some hours before the run and goes faster, so that
 * hours begin and close while the run goes, and it stays behind the services' time, as watermarks have to.
 */

export interface Pace {
  /** The services' time at which it begins, ms since 1970. */
  readonly from: number;
  /** The agents' time then, ms since 1970. */
  readonly begin: number;
  /** Agents' milliseconds in one of the services. */
  readonly pace: number;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** A minute of the run is an hour of the logs. */
const PACE = 60;
/** The end of a run takes minutes itself. */
const END_MINUTES = 20;
/** More than an agent's clock is ever ahead of the logs' time. */
const BEHIND_MS = 4 * HOUR_MS;

/** @param minutes length of the run, without its end */
export function paceOf(now: number, minutes: number): Pace {
  const length = (minutes + END_MINUTES) * MINUTE_MS * PACE;
  return { from: now, begin: now - BEHIND_MS - length, pace: PACE };
}

export function paced({ from, begin, pace }: Pace, now: number): number {
  return Math.round(begin + (now - from) * pace);
}
