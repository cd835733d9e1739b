/** Serves requests on the control socket. */
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';
import type { Flushed, Remaining } from '../flush/flush.ts';
import { type ControlRequest, controlRequest } from './protocol.ts';

/** A request is one short line; a client that sends more is not ours. */
const MAX_REQUEST_BYTES = 64 * 1024;

/** The agent as the control socket sees it. */
export interface Controlled {
  status(): object;
  flush(deadline: number, progress: (remaining: Remaining) => void): Promise<Flushed>;
  reload(): object;
}

/** Serves one connection: one request, its responses, then the end. */
export function serveControl(socket: Socket, agent: () => Controlled | null, log: Logger): void {
  const lines = createInterface({ input: socket });
  // Both, because the line reader re-emits the socket's errors.
  for (const source of [socket, lines]) {
    source.on('error', (error: Error) => log.debug({ err: error }, 'a control connection broke'));
  }
  const say = (answer: object): void => {
    if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`);
  };
  socket.on('data', () => {
    if (socket.bytesRead > MAX_REQUEST_BYTES) socket.destroy();
  });
  lines.once('line', (line) => {
    answer(line, agent(), say)
      .catch((error: Error) => say({ error: error.message }))
      .finally(() => socket.end());
  });
}

async function answer(line: string, agent: Controlled | null, say: (answer: object) => void): Promise<void> {
  const request = parseRequest(line);
  if ('error' in request) {
    say(request);
    return;
  }
  if (!agent) {
    say({ pid: process.pid, host: hostname(), state: 'starting', reasons: [] });
    return;
  }
  switch (request.command) {
    case 'status':
      say(agent.status());
      break;
    case 'flush': {
      const deadline = performance.now() + request.timeout_ms;
      const flushed = await agent.flush(deadline, (left) => say({ remaining: left }));
      say({ done: true, ...flushed });
      break;
    }
    case 'reload':
      say({ ...agent.reload() });
      break;
  }
}

function parseRequest(line: string): ControlRequest | { readonly error: string } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { error: 'expected one line of JSON, such as {"command":"status"}' };
  }
  const result = controlRequest.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  return { error: `${path.join('.') || 'request'}: ${message}` };
}
