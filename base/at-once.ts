/** Bounded concurrency: many values, a few workers. */

/** Calls `work` for each value in order, for at most `limit` of them at once; the first failure is thrown. */
export async function atOnce<T>(
  limit: number,
  values: readonly T[],
  work: (value: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < values.length) await work(values[next++]!);
  };
  await Promise.all(Array.from({ length: Math.min(limit, values.length) }, worker));
}
