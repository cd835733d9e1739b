/** The streams over which a shard speaks the multilang protocol, guarded against everything else. */
import { type Readable, Writable } from 'node:stream';
import type { LineSlots } from './line-slots.ts';

/**
 * A stream whose `write` never answers false, which aws-kcl would take for a failure and not for "wait".
 *
 * @param write writes a chunk and calls back
 */
function patient(write: (chunk: string | Buffer, done: (error?: Error | null) => void) => void): Writable {
  return new Writable({
    highWaterMark: Number.MAX_SAFE_INTEGER,
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      write(chunk, (error) => done(error));
    },
  });
}

/**
 * Takes stdout for the protocol alone: what anything else prints goes to stderr from now on.
 */
export function takeStdout(): Writable {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
  return patient((chunk, done) => write(chunk, done));
}

/** A pipe to the daemon as aws-kcl wants its output. */
export function patientPipe(pipe: Writable): Writable {
  return patient((chunk, done) => pipe.write(chunk, done));
}

/**
 * Leaves signals to the daemon: a service manager or a terminal sends them to the whole group, and a shard's process
 * that obeyed would be gone before the daemon asks it to finish. It ends when its stdin does.
 */
export function ignoreSignals(): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
}

/** Longer lines are put together in a buffer that all shards share. */
const SHORT_LINE = 64 * 1024;

/**
 * The lines of `input`, each as one string with its end. aws-kcl's readline would put a line of 13 MB together from two
 * hundred strings, at twice the time and the memory.
 *
 * @param textOf makes the text of a line
 * @param onLine called with the length of each line when it has been taken
 */
export async function* wholeLines(
  input: Readable,
  slots: LineSlots,
  textOf: (line: Buffer) => string,
  onLine: (bytes: number) => void,
): AsyncGenerator<string> {
  let own: Buffer = Buffer.alloc(4096);
  /** Holds the line instead of `own` while it is long. */
  let slot: Buffer | null = null;
  let length = 0;
  const hold = async (part: Buffer): Promise<void> => {
    const needed = length + part.length;
    if (slot === null && needed > SHORT_LINE) {
      slot = withRoom(await slots.acquire(), needed, 0);
      own.copy(slot, 0, 0, length);
    }
    if (slot === null) own = withRoom(own, needed, length);
    else slot = withRoom(slot, needed, length);
    part.copy(slot ?? own, length);
    length = needed;
  };
  try {
    for await (const part of input as AsyncIterable<Buffer>) {
      let from = 0;
      for (let end = part.indexOf(0x0a); end !== -1; end = part.indexOf(0x0a, from)) {
        await hold(part.subarray(from, end + 1));
        const line = textOf((slot ?? own).subarray(0, length));
        const bytes = length;
        length = 0;
        if (slot) slots.release(slot);
        slot = null;
        yield line;
        onLine(bytes);
        from = end + 1;
      }
      if (from < part.length) await hold(part.subarray(from));
    }
  } finally {
    if (slot) slots.release(slot);
  }
}

/**
 * The same lines, which end where they break off: aws-kcl has no place for an error of its input, and one that nobody
 * handles would end the process with all of its shards.
 */
export async function* untilBroken(
  lines: AsyncIterable<string>,
  onBreak: (error: unknown) => void,
): AsyncGenerator<string> {
  try {
    for await (const line of lines) {
      // As aws-kcl will, where what it throws could not be caught.
      if (line.trim() !== '') JSON.parse(line);
      yield line;
    }
  } catch (error) {
    onBreak(error);
  }
}

/** The buffer, or one of twice the length that is needed with the first `kept` bytes in it. */
function withRoom(buffer: Buffer, needed: number, kept: number): Buffer {
  if (buffer.length >= needed) return buffer;
  const larger = Buffer.allocUnsafe(2 * needed);
  buffer.copy(larger, 0, 0, kept);
  return larger;
}
