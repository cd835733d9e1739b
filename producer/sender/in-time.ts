/** A bound on calls of the AWS SDK, which would wait for ever for credentials that do not come. */

/**
 * Makes a call and gives it up after `timeout` milliseconds: its signal is aborted, and it is not waited for, because
 * what it does before the request, as asking for credentials, knows no signal.
 *
 * @throws Error named TimeoutError when it is given up
 */
export async function inTime<T>(timeout: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new DOMException(`no answer within ${timeout} ms`, 'TimeoutError');
      reject(error);
      controller.abort(error);
    }, timeout);
  });
  try {
    return await Promise.race([call(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}
