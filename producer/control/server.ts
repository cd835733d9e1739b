/** Answers what comes in over the control socket. */
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';
import type { Agent } from '../agent.ts';
import type { ControlRequest } from './protocol.ts';

/** Serves one connection: one request, its answers, the end. */
export function serveControl(socket: Socket, agent: () => Agent | null, log: Logger): void {
  socket.on('error', (error) => log.debug({ err: error }, 'a control connection broke'));
  const say = (answer: object): void => {
    socket.write(`${JSON.stringify(answer)}\n`);
  };
  createInterface({ input: socket }).once('line', (line) => {
    answer(line, agent(), say)
      .catch((error: Error) => say({ error: error.message }))
      .finally(() => socket.end());
  });
}

async function answer(line: string, agent: Agent | null, say: (answer: object) => void): Promise<void> {
  let request: ControlRequest;
  try {
    request = JSON.parse(line) as ControlRequest;
  } catch {
    say({ error: 'expected one line of JSON, such as {"command":"status"}' });
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
      const remaining = await agent.flush(Date.now() + request.timeout_ms, (left) =>
        say({ remaining: left }),
      );
      say({ done: true, remaining });
      break;
    }
    default:
      say({ error: `unknown command ${JSON.stringify((request as { command?: unknown }).command)}` });
  }
}
