/** The DynamoDB process: dynalite on a loopback port, its tables in a LevelDB folder. */
import type { IncomingMessage, Server } from 'node:http';
import { createRequire } from 'node:module';
import { giveUp, listenOnLoopback, stopWithParent, tellReady, wantedPort } from '../service.ts';

interface DynaliteOptions {
  readonly path: string;
  readonly createTableMs: number;
  readonly deleteTableMs: number;
  readonly updateTableMs: number;
}

const dynalite = createRequire(import.meta.url)('dynalite') as (options: DynaliteOptions) => Server;

const path = process.argv[2];
if (path === undefined) {
  giveUp('usage: serve.ts FOLDER');
} else {
  const server = dynalite({ path, createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  server.keepAliveTimeout = 75_000;
  server.on('request', letGoWhenAborted);
  const port = await listenOnLoopback(server, wantedPort());
  tellReady(port);
  stopWithParent(() => {
    // dynalite's close() waits for connections that clients keep open before it closes LevelDB.
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
}

/**
 * dynalite throws request errors outside of any call, and so would crash with the first client that is
 * killed in the middle of one. Such a partial request is discarded, since nobody waits for its response. Call this
 * after dynalite's own handler.
 */
function letGoWhenAborted(request: IncomingMessage): void {
  request.removeAllListeners('error');
  request.on('error', () => {});
}
