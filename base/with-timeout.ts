/** Bounds on how long something is waited for: calls of the AWS SDK would wait forever for credentials that never come. */

/**
 * Makes a call and abandons it after `timeout` milliseconds: its signal is aborted, and it is not waited for, because
 * what it does before the request, such as loading credentials, ignores the signal.
 *
 * @throws Error named TimeoutError when the call is abandoned
 */
export async function withTimeout<T>(timeout: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const work = call(controller.signal);
  if (await doneBefore(performance.now() + timeout, work)) return work;
  const error = new DOMException(`no answer within ${timeout} ms`, 'TimeoutError');
  controller.abort(error);
  throw error;
}

/**
 * Waits for `work`, but not beyond the deadline; work that is still under way then is left to itself.
 *
 * @param deadline milliseconds of `performance.now()`, which no setting of the wall clock moves
 * @returns whether the work was done in time
 * @throws what the work throws before the deadline
 */
export async function doneBefore(deadline: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, deadline - performance.now()));
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
