/** Reads an answer that comes a line of JSON after another. */

/**
 * @param onLine called for each line as it comes
 * @throws Error with a sentence for people when the console does not respond
 */
export async function readAnswer<T>(
  url: string,
  signal: AbortSignal,
  onLine: (line: T) => void,
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (cause) {
    if (signal.aborted) return;
    throw new Error('the console does not respond: is it still running?', { cause });
  }
  const text = response.body?.pipeThrough(new TextDecoderStream());
  if (!text) return;
  let rest = '';
  const reader = text.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (rest + (value ?? '')).split('\n');
      rest = done ? '' : lines.pop()!;
      for (const line of lines) if (line !== '') onLine(JSON.parse(line) as T);
      if (done) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

const SHOW_MS = 60;

/** Calls `show` with what came last, no more often than a person can see; `end` shows it at once. */
export function paced<T>(show: (value: T) => void): { next(value: T): void; end(): void } {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let latest: { readonly value: T } | null = null;
  const end = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (latest !== null) show(latest.value);
    latest = null;
  };
  return {
    next: (value) => {
      latest = { value };
      timer ??= setTimeout(end, SHOW_MS);
    },
    end,
  };
}
