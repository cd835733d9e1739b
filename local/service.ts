/** What the stack's processes have in common: listen on loopback, report to the parent, exit with it. */
import type { Server } from 'node:net';
import type { FailedMessage, ReadyMessage } from './child.ts';

/** The port that the parent requests, 0 for any free one. */
export function wantedPort(): number {
  return Number(process.env.TAILRACE_LOCAL_PORT ?? 0);
}

/** Listens on 127.0.0.1 and resolves to the port; if the port is in use, reports it to the parent and exits. */
export function listenOnLoopback(server: Server, port: number): Promise<number> {
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return giveUp(error.message);
      giveUp(
        `port ${port} on 127.0.0.1 is in use by another program; choose another one, or 0 for any free port`,
        'LISTEN',
      );
    });
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/** Reports to the parent that the service is listening on `port`. */
export function tellReady(port: number): void {
  const message: ReadyMessage = { ready: true, port };
  process.send?.(message);
}

/** Reports to the parent why this process cannot serve, and exits. */
export function giveUp(reason: string, code: FailedMessage['code'] = 'CHILD_FAILED'): void {
  const message: FailedMessage = { failed: reason, code };
  console.error(reason);
  if (process.send) process.send(message, () => process.exit(1));
  else process.exit(1);
}

/** Runs `stop` on SIGTERM, on SIGINT or when the parent is gone, and then exits. */
export function stopWithParent(stop: () => Promise<void> | void): void {
  let stopping = false;
  const end = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await stop();
    process.exit(0);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('disconnect', end);
}
