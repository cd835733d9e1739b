/** The DynamoDB process: dynalite on a loopback port, its tables in a LevelDB folder. */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import { giveUp, listenOnLoopback, stopWithParent, tellReady, wantedPort } from '../service.ts';
import { withLeaseIndex } from './lease-table.ts';

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
  const answer = server.listeners('request')[0] as RequestListener;
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    if (String(request.headers['x-amz-target']).endsWith('.CreateTable')) {
      void createTable(request, response, answer);
    } else {
      answer(request, response);
      letGoWhenAborted(request);
    }
  });
  const port = await listenOnLoopback(server, wantedPort());
  tellReady(port);
  stopWithParent(() => {
    // dynalite's close() waits for connections that clients keep open before it closes LevelDB.
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
}

/** Passes CreateTable on, with the index of a lease table. */
async function createTable(
  request: IncomingMessage,
  response: ServerResponse,
  answer: RequestListener,
): Promise<void> {
  const parts: Buffer[] = [];
  try {
    for await (const part of request) parts.push(part as Buffer);
  } catch {
    // The caller went away in the middle.
    response.destroy();
    return;
  }
  let body = Buffer.concat(parts);
  try {
    body = Buffer.from(JSON.stringify(withLeaseIndex(JSON.parse(body.toString('utf8')))));
  } catch {
    // Not JSON: dynalite says so.
  }
  const { method, url, headers, httpVersion } = request;
  // All that dynalite asks of a request, whose body has been read.
  answer(Object.assign(Readable.from([body]), { method, url, headers, httpVersion }) as never, response);
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
