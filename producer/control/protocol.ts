/**
 * The control socket's protocol: the client writes one line of JSON; the agent responds with lines of JSON and closes
 * the connection after the last one.
 */
import { closeSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as z from 'zod/mini';
import { TailraceError } from '../../base/errors.ts';

/** The longest flush, in milliseconds; a timer holds at most 2^31 - 1. */
export const MAX_FLUSH_MS = 24 * 3_600_000;

const EXPECTED_TIMEOUT = `expected 0 to ${MAX_FLUSH_MS}`;

export const controlRequest = z.discriminatedUnion(
  'command',
  [
    z.object({ command: z.literal('status') }),
    z.object({
      command: z.literal('flush'),
      timeout_ms: z
        .number({ error: EXPECTED_TIMEOUT })
        .check(z.refine((ms) => ms >= 0 && ms <= MAX_FLUSH_MS, { error: EXPECTED_TIMEOUT })),
    }),
    z.object({ command: z.literal('reload') }),
  ],
  { error: 'expected status, flush or reload' },
);

export type ControlRequest = z.output<typeof controlRequest>;

const count = z.int().check(z.nonnegative());
const remaining = z.object({ chunks: count, bytes: count, quarantined: count, unread: z.array(z.string()) });

/** A line of the answer to `flush`: progress, and in the end its outcome; or why there is none. */
export const flushAnswer = z.union([
  z.object({ error: z.string() }),
  z.object({
    done: z.literal(true),
    remaining,
    spilled: z.nullable(
      z.object({
        place: z.string(),
        objects: count,
        chunks: count,
        bytes: count,
        missing: count,
        error: z.nullable(z.string()),
      }),
    ),
  }),
  z.object({ remaining }),
  z.object({ state: z.literal('starting') }),
]);

/** A flush reports progress every second and everything else is answered immediately: an agent silent for this long hangs. */
const SILENCE_MS = 30_000;

export const SOCKET_NAME = 'control.sock';
/** sun_path holds 108 bytes including its terminating zero (unix(7)). */
const MAX_SOCKET_PATH = 107;

/**
 * A path by which `bind` and `connect` reach a socket in `directory`, however long its name: longer ones go through
 * the open directory in /proc. Call `done` after the call.
 */
export function reachSocket(
  directory: string,
  name: string,
): { readonly path: string; readonly done: () => void } {
  const path = join(directory, name);
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH) return { path, done: () => {} };
  const fd = openSync(directory, 'r');
  return { path: `/proc/self/fd/${fd}/${name}`, done: () => closeSync(fd) };
}

/**
 * Connects to the agent that holds a state directory.
 *
 * @returns null when no agent is listening there
 */
export async function connectAgent(directory: string, name = SOCKET_NAME): Promise<Socket | null> {
  const { path, done } = reachSocket(directory, name);
  const socket = connect(path);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return socket;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return null;
    throw new TailraceError('CONTROL', `${path}: cannot connect to the agent (${code})`, { cause: error });
  } finally {
    done();
  }
}

/**
 * Sends a request to the agent of a state directory and yields its responses.
 *
 * @param silence milliseconds without output after which the agent counts as hung
 * @throws TailraceError NO_AGENT when none is running there, SILENT when it hangs
 */
export async function* ask(
  directory: string,
  request: ControlRequest,
  silence = SILENCE_MS,
): AsyncGenerator<Record<string, unknown>> {
  const socket = await connectAgent(directory);
  if (!socket) {
    throw new TailraceError(
      'NO_AGENT',
      `no agent is running on ${directory}: start it, or name its state directory with --state`,
    );
  }
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    for await (const line of linesOf(socket, silence)) yield JSON.parse(line) as Record<string, unknown>;
  } finally {
    socket.destroy();
  }
}

/**
 * The lines received over a socket, until it ends.
 *
 * @param silence milliseconds without data after which the peer counts as hung
 * @throws TailraceError SILENT when it does
 */
export async function* linesOf(socket: Socket, silence: number): AsyncGenerator<string> {
  const lines = createInterface({ input: socket });
  let silent = false;
  socket.setTimeout(silence, () => {
    silent = true;
    // Destroying a socket does not end a loop over its lines.
    lines.close();
  });
  yield* lines;
  if (silent)
    throw new TailraceError('SILENT', 'the agent does not respond: restart it; its spool keeps everything');
}
