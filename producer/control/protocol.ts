/**
 * The control socket's protocol: the client writes one line of JSON, the agent answers with lines of JSON and closes
 * the connection behind the last one.
 */
import { closeSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { TailraceError } from '../../base/errors.ts';

export type ControlRequest =
  | { readonly command: 'status' }
  | { readonly command: 'flush'; readonly timeout_ms: number }
  | { readonly command: 'reload' };

/** The longest time of a flush, in milliseconds; a timer holds 2^31 - 1 at most. */
export const MAX_FLUSH_MS = 24 * 3_600_000;
/** A flush says every second how far it is, and all else is answered at once: an agent that is silent so long hangs. */
const SILENCE_MS = 30_000;

export const SOCKET_NAME = 'control.sock';
/** sun_path holds 108 bytes with its final zero (unix(7)). */
const MAX_SOCKET_PATH = 107;

/**
 * A path by which `bind` and `connect` reach a socket in `directory` however long its name is: longer ones go through
 * the open directory in /proc. Call `done` when the call is over.
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
 * @returns null when no agent listens there
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
    throw new TailraceError('CONTROL', `${path}: can't connect to the agent (${code})`, { cause: error });
  } finally {
    done();
  }
}

/**
 * Asks the agent of a state directory something and yields its answers.
 *
 * @param silence milliseconds without a word after which the agent counts as hanging
 * @throws TailraceError NO_AGENT when none runs there, SILENT when it hangs
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
      `no agent runs on ${directory}: start it, or name its state directory with --state`,
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
 * The lines that come over a socket, to its end.
 *
 * @param silence milliseconds without anything after which the other side counts as hanging
 * @throws TailraceError SILENT when it does
 */
export async function* linesOf(socket: Socket, silence: number): AsyncGenerator<string> {
  const lines = createInterface({ input: socket });
  let silent = false;
  socket.setTimeout(silence, () => {
    silent = true;
    // A socket that is destroyed ends no loop over its lines.
    lines.close();
  });
  yield* lines;
  if (silent) throw new TailraceError('SILENT', 'the agent does not answer: restart it, its spool keeps all');
}
