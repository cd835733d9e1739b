/**
 * Milliseconds of the machine's monotonic clock (CLOCK_MONOTONIC), which all of its processes share: measures how long
 * something has lasted, however the wall clock is set in the meantime.
 */
export function uptime(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
