/** Waiting for what must become true, with a limit that makes a hang a failure. */
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;

/** @throws Error with `what` when it is not so within `limit` milliseconds */
export async function until(
  what: string,
  limit: number,
  isSo: () => boolean | Promise<boolean>,
): Promise<number> {
  const started = performance.now();
  while (!(await isSo())) {
    if (performance.now() - started > limit) throw new Error(`not within ${limit / 1000} s: ${what}`);
    await sleep(POLL_MS);
  }
  return Math.round(performance.now() - started);
}

/** Resolves with null when the answer takes longer than `ms`; a process that is stopped never answers. */
export async function within<T>(ms: number, answer: Promise<T>): Promise<T | null> {
  const controller = new AbortController();
  const timer = sleep(ms, null, { signal: controller.signal }).catch(() => null);
  try {
    return await Promise.race([answer, timer]);
  } finally {
    controller.abort();
  }
}
