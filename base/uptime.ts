/**
 * Milliseconds of the machine's clock that only goes on (CLOCK_MONOTONIC), which all of its processes share: for how
 * long something has been so, whatever the wall clock is set to meanwhile.
 */
export function uptime(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
